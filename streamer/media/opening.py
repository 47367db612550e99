"""Opening what PyAV reads and writes: a path is the file of that name, whatever the name looks like.

FFmpeg takes what it is given for a URL: ``12:30.mp4`` would be of the protocol ``12``, ``concat:a.ts`` a list, and
``a%03d.png`` a series of pictures.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer, OutputContainer

ONE_FILE = {"pattern_type": "none"}
"""Tells FFmpeg's reader of pictures that ``%03d``, ``*`` and a URL's ``%20d`` stand for themselves; others do not ask."""

ANY_TAGS: dict[str, Any] = {"metadata_errors": "replace"} if int(av.__version__.partition(".")[0]) < 19 else {}
"""For ``av.open``: before PyAV 19, a title that is not UTF-8, in files from long ago, keeps a file from being opened."""
PLAYLISTS = (".m3u8", ".mpd")
"""Files that name others, which FFmpeg finds by cutting and joining URLs."""


def open_file(path: str | Path) -> InputContainer:
    """Open a local file for reading.

    Raises:
        OSError, ValueError, av.FFmpegError: it cannot be read.
    """
    folder = str(Path(path).absolute().parent)
    if Path(path).suffix.lower() in PLAYLISTS and any(mark in folder for mark in "#?"):
        raise ValueError(
            f"FFmpeg looks in a wrong place for a playlist's parts where a folder has # or ? in its name: '{folder}'"
        )
    container: InputContainer = av.open(address(path), "r", options=dict(ONE_FILE), **ANY_TAGS)
    return container


def open_stream(url: str, options: Mapping[str, str], open_s: float, read_s: float) -> InputContainer:
    """Open a URL for reading.

    Args:
        options: FFmpeg's, of protocol and format.
        open_s: Seconds that it may say nothing while it is opened; ``read_s``: afterwards.

    Raises:
        OSError, ValueError, av.FFmpegError: it cannot be read.
    """
    asked = {**ONE_FILE, **options}
    container: InputContainer = av.open(url, "r", options=asked, timeout=(open_s, read_s), **ANY_TAGS)
    return container


def create_file(path: str | Path, form: str, options: Mapping[str, str]) -> OutputContainer:
    """Open a local file for writing, in place of what is there.

    Args:
        form: FFmpeg's name of the container format; ``options`` are the container's.

    Raises:
        OSError, ValueError, av.FFmpegError: it cannot be written.
    """
    return av.open(address(path), "w", format=form, options=dict(options))


def address(path: str | Path) -> str:
    """A local file's name as FFmpeg understands it."""
    return f"file:{Path(path).absolute()}"
