"""Checks everything that could go wrong with outputs and sound, before it does."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from streamer.commands.finding import Finding, Level
from streamer.config import (
    AudioConfig,
    FileOutput,
    HlsOutput,
    MjpegOutput,
    MpegtsHttpOutput,
    MpegtsUdpOutput,
    Output,
    RtmpOutput,
    TwitchIngestOutput,
    VirtualCameraOutput,
    WebConfig,
)
from streamer.health import nearest
from streamer.video.outputs import target

Problem = tuple[Level, str]
"""The level, and a line about the problem."""


def look_at_output(output: Output, web: WebConfig) -> Iterator[Finding]:
    """Check one output: yield its problems, or where it would write. Problems of a disabled output are only warnings."""
    problems = list(_problems(output))
    name = output.name or output.kind
    off = "" if output.enabled else ", not enabled"
    if not problems:
        yield Finding(Level.GOOD, f"{name}: {_where(output, web)}{off}")
    for level, problem in problems:
        yield Finding(level if output.enabled else Level.WARNING, f"{name}: {problem}{off}")


def look_at_sound(audio: AudioConfig) -> Finding:
    """Check the sound; takes some seconds if a station does not answer."""
    from streamer.video.sound.audio import try_source
    from streamer.video.sound.decoding import SoundError

    if audio.react.enabled and audio.source == "silence":
        text = "silence, to which audio.react cannot react; name music or a station in 'audio.source'"
        return Finding(Level.BLOCKER, text)
    try:
        return Finding(Level.GOOD, try_source(audio) + "; the picture reacts to it" * audio.react.enabled)
    except SoundError as error:
        level = Level.WARNING if audio.source == "radio" else Level.BLOCKER  # a station may come back, a missing file won't
        return Finding(level, f"{error}; there would be silence until this is fixed")


def _where(output: Output, web: WebConfig) -> str:
    match output:
        case MpegtsHttpOutput() | MjpegOutput():
            host = f"[{web.host}]" if ":" in web.host else web.host
            return f"http://{host}:{web.port}{output.path}" if web.port else output.path
        case FileOutput():
            return f"{output.path}, {_free_mb(output.path.parent) / 1000:.1f} GB free"
        case HlsOutput():
            return f"{output.folder}, {_free_mb(output.folder) / 1000:.1f} GB free"
        case RtmpOutput() | TwitchIngestOutput():
            return f"{target(output)}; the name resolves, there is a key"
        case _:
            return target(output)


def _problems(output: Output) -> Iterator[Problem]:
    match output:
        case FileOutput():
            if output.path.is_dir():
                yield Level.BLOCKER, f"'{output.path}' is a folder; name a file in it, such as {output.path / 'dream.mp4'}"
                return
            yield from _room(output.path.parent, output.min_free_mb)
        case HlsOutput():
            yield from _room(output.folder, 0)
        case MpegtsUdpOutput():
            yield from _unknown_host(output.url)
        case RtmpOutput():
            yield from _key(output, needed=urlsplit(output.url).path.strip("/").count("/") == 0)
            yield from _unknown_host(output.url)
        case TwitchIngestOutput():
            yield from _key(output, needed=True)
            yield from _unknown_host("rtmp://live.twitch.tv/app" if output.server == "auto" else output.server)
        case VirtualCameraOutput():
            yield from _no_camera(output)
        case _:
            pass


def _no_camera(output: VirtualCameraOutput) -> Iterator[Problem]:
    from streamer.video.sinks import SinkError
    from streamer.video.sinks.virtual_camera import open_camera

    try:
        open_camera(output.width or 640, output.height or 360, 30, output.device).close()
    except SinkError as error:  # a driver may be loaded later, and another program may release the camera
        yield Level.WARNING if importlib.util.find_spec("pyvirtualcam") else Level.BLOCKER, str(error)


def _key(output: RtmpOutput | TwitchIngestOutput, *, needed: bool) -> Iterator[Problem]:
    from streamer.video.sinks.secrets import StreamKeyError, read_key

    try:
        if read_key(output.key, output.key_file, output.key_env) is None and needed:
            yield (
                Level.BLOCKER,
                f"there is no key: put it into the environment variable {output.key_env}, or into a file named by key_file",
            )
    except StreamKeyError as error:
        yield Level.BLOCKER, str(error)


def _unknown_host(url: str) -> Iterator[Problem]:
    """Check that a server's name resolves; nothing is sent to it."""
    host = urlsplit(url).hostname or ""
    try:
        socket.getaddrinfo(host, None)
    except OSError as error:
        yield Level.WARNING, f"the name {host} cannot be resolved: {error.strerror}"


def _room(folder: Path, min_free_mb: int) -> Iterator[Problem]:
    there = nearest(folder)
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        yield Level.BLOCKER, f"'{folder}' cannot be written to: '{there}' is not a folder to write to"
        return
    free_mb = _free_mb(folder)
    if free_mb < min_free_mb:
        yield Level.WARNING, f"only {free_mb:.0f} MB are free in '{there}'; it starts once there are {min_free_mb}"


def _free_mb(folder: Path) -> float:
    return shutil.disk_usage(nearest(folder)).free / 1e6
