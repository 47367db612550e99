"""Checks everything that could go wrong with a stream, before it does."""

from __future__ import annotations

import errno
import hashlib
import os
import platform
import shutil
import socket
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path

from rich.console import Console

from streamer.commands import WRONG_CALL, CommandError
from streamer.commands.command_errors import as_command_error
from streamer.commands.finding import Finding, Level
from streamer.config import Config
from streamer.plurals import counted
from streamer.settings_file import ConfigError, load
from streamer.settings_live import LIVE
from streamer.settings_rules import is_block, setting_keys


def command(path: Path | None, overrides: Sequence[str], console: Console, ray: str | None = None) -> None:
    """Check everything, or only a cluster, and print the findings.

    Args:
        ray: The cluster's address; empty for the config's. None checks everything else.

    Raises:
        CommandError: something can never work with these settings, or there is no such cluster.
    """
    stops = 0

    def tell(topic: str, finding: Finding) -> None:
        nonlocal stops
        stops += finding.level is Level.BLOCKER
        console.print(f"{finding.level.value} [bold]{topic:<9}[/]", end=" ")
        console.print(finding.text, markup=False, highlight=False, soft_wrap=True)

    try:
        config = load(path, overrides)
    except ConfigError as error:
        for problem in error.problems:
            tell("config", Finding(Level.BLOCKER, problem))
        mistakes = counted(len(error.problems), "mistake")
        raise CommandError(f"the config has {mistakes}; nothing else was looked at", WRONG_CALL) from None
    tell("config", Finding(Level.GOOD, str(path) if path else "the default one"))
    for topic, finding in _look(config) if ray is None else _look_at_cluster(config, ray or config.renderer.address):
        tell(topic, finding)
    if stops:
        raise CommandError(f"{counted(stops, 'thing')} cannot work as set: ✗ above")


def _look(config: Config) -> Iterator[tuple[str, Finding]]:
    for topic, look in LOOKS.items():
        for finding in look(config):
            yield topic, finding


def _look_at_cluster(config: Config, address: str) -> Iterator[tuple[str, Finding]]:
    from streamer.commands.check_ray import look_at_cluster

    with as_command_error():
        yield from look_at_cluster(config, address)


def look_at_reload(config: Config) -> Iterator[Finding]:
    """List the settings that apply immediately when the file changes."""
    yield Finding(Level.GOOD, f"live, that is shown as soon as the file changes: {_summary(LIVE)}")
    yield Finding(Level.GOOD, f"at the next start: {_summary(frozenset(setting_keys()) - LIVE)}")


def _summary(keys: Collection[str]) -> str:
    """Summarise settings by block, such as ``zoom, queue (all but path)``."""
    found = []
    for name, field in Config.model_fields.items():
        within = [key for key in setting_keys() if key == name or key.startswith(f"{name}.")]
        chosen = [key for key in within if key in keys]
        if chosen == within:
            found.append(name)
        elif chosen and is_block(field):
            others = [key for key in within if key not in keys]
            but, named = ("all but ", others) if len(others) < len(chosen) else ("", chosen)
            found.append(f"{name} ({but}{', '.join(key.partition('.')[2] for key in named)})")
    return ", ".join(found)


def look_at_versions(config: Config) -> Iterator[Finding]:
    """Check Python and torch, and whether torchvision matches."""
    yield Finding(Level.GOOD, f"Python {platform.python_version()}, {os.cpu_count()} CPU cores")
    found = {}
    for name in ("torch", "torchvision"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            yield Finding(Level.BLOCKER, f"{name} is not installed; install zoomdream again")
            return
    both = ", ".join(f"{name} {version}" for name, version in found.items())
    try:
        from streamer.dream.networks.torchvision_import import torchvision

        torchvision()
    except (ImportError, OSError, RuntimeError) as error:  # a broken installation shows in any of these
        yield Finding(Level.BLOCKER, f"{both}: {_line(error)}")
        return
    yield Finding(Level.GOOD, both)  # its compiled part may be for another torch, but none of it is needed


def look_at_device(config: Config) -> Iterator[Finding]:
    """Check the device, and show the canvas size."""
    from streamer.dream.device import DeviceError, canvas_size, choose_device

    try:
        device = choose_device(config.device)
    except DeviceError as error:
        yield Finding(Level.BLOCKER, str(error))
        return
    height, width = canvas_size(config.canvas, config.video, device.type)
    yield Finding(
        Level.GOOD, f"{device.type}, dreaming {width}x{height} for a video of {config.video.width}x{config.video.height}"
    )


def look_at_weights(config: Config) -> Iterator[Finding]:
    """Check whether the network's weights are present and intact; nothing is downloaded."""
    from streamer.dream.device import choose_device
    from streamer.dream.networks.loading import first_choice
    from streamer.dream.networks.loading import load as load_networks
    from streamer.dream.networks.registry import ARCHITECTURES
    from streamer.dream.networks.weight_checks import check_weights
    from streamer.dream.networks.weights import NetworkError, cache_folder, weight_folders

    settings = config.network
    given = settings.weights if isinstance(settings.weights, Mapping) else {}
    try:
        for name, path in given.items():  # first, so that a pending download does not hide their problems
            check_weights(path, name, tensors=True)
    except NetworkError as error:
        yield Finding(Level.BLOCKER, str(error))
        return
    for name in settings.names if not isinstance(settings.weights, Path) else ():
        downloaded = name in ARCHITECTURES and ARCHITECTURES[name].torchvision is not None
        if (
            downloaded
            and name not in given
            and not any(file for place in weight_folders() for file in place.glob(f"{name}-*.pth"))
        ):
            remedy = f"the first run downloads it, 'zoomdream fetch {name}' does so now"
            yield Finding(Level.WARNING, f"{name} is not in {cache_folder()} yet; {remedy}")
            return
    for file in sorted(cache_folder().glob("*-*.pth")):
        if not _hash_fits(file):
            yield Finding(Level.BLOCKER, f"{file} is damaged: its hash is not the one in its name; delete it")
            return
    wanted = settings.model_copy(update={"download_s": 0.0})
    try:
        ensemble = load_networks(wanted, choose_device("cpu"))
    except NetworkError as error:
        yield Finding(Level.BLOCKER, str(error))
        return
    first = first_choice("cpu")
    if settings.name == "auto" and first not in ensemble.names and settings.weights is None:
        remedy = f"'zoomdream fetch {first}' does so now"
        yield Finding(Level.WARNING, f"{first} is not downloaded yet: the first run tries to, or dreams without it; {remedy}")
    yield Finding(Level.GOOD, f"{ensemble.sources}, {len(ensemble.wnids)} classes")


def look_at_encoder(config: Config) -> Iterator[Finding]:
    """Check that a frame can be encoded; show the encoder and why it was chosen."""
    from streamer.video.encoding.encoders import EncoderError, Encoders

    video = config.video
    try:
        encoders = Encoders(video)
    except EncoderError as error:
        yield Finding(Level.BLOCKER, str(error))
        return
    encoders.close()
    choice = encoders.choice
    size = f"{video.width}x{video.height}, {video.fps} frames a second"
    yield Finding(Level.GOOD, f"{choice.encoder}, preset {choice.preset}, {encoders.main.mime} at {size}")
    yield Finding(Level.GOOD, f"because {choice.reason}{'; there is no NVIDIA GPU' if choice.no_gpu else ''}")


def look_at_port(config: Config) -> Iterator[Finding]:
    """Check whether the page's address is free."""
    host, port = config.web.host, config.web.port
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        yield Finding(Level.BLOCKER, f"'web.host' is '{host}': {error.strerror}")
        return
    family, kind, protocol, _, address = found[0]
    try:
        with socket.socket(family, kind, protocol) as listener:
            if os.name == "posix":
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        why = "is taken by another program, perhaps a running zoomdream" if taken else f"cannot be used: {error.strerror}"
        yield Finding(Level.BLOCKER, f"port {port} on {host} {why}; choose another with --set web.port=N")
        return
    yield Finding(Level.GOOD, f"{host} port {port} is free" if port else f"{host}, any free port")


def look_at_queue(config: Config) -> Iterator[Finding]:
    """Check that the queue's file is writable and not in use; list the rules in it that override the config."""
    from streamer.requests.queue import RequestQueue, default_path
    from streamer.requests.rules import Rulebook
    from streamer.requests.schema import QueueError
    from streamer.requests.vocabulary import Vocabulary

    path = config.queue.path or default_path()
    try:
        with RequestQueue(path) as queue:
            waiting, trouble = len(queue.waiting()), queue.trouble
            rules = Rulebook(config.queue, queue.store, Vocabulary.load().classes_of).told()
    except QueueError as error:
        yield Finding(Level.BLOCKER, str(error))
        return
    found = f"{path}, {counted(waiting, 'request')} waiting"
    yield Finding(Level.WARNING, f"{found}; {trouble}") if trouble else Finding(Level.GOOD, found)
    yield from _look_at_wandering(config)
    if rules.changed:
        changed = ", ".join(f"{name} = {rules.settings[name]}" for name in rules.changed)
        yield Finding(Level.GOOD, f"changed while it ran, and goes before the config until it is reset: {changed}")


def _look_at_wandering(config: Config) -> Iterator[Finding]:
    """Check the subjects of ``queue.wander_among``, and their guide pictures."""
    from streamer.dream.sources.picture import SourceError, read_image
    from streamer.messages.refused import Refused
    from streamer.requests.subjects import OPERATOR, Subjects
    from streamer.requests.vocabulary import Vocabulary

    subjects = Subjects(Vocabulary.load(), None)
    for text in config.queue.wander_among:
        try:
            guides = [target.guide for target in subjects.match(text, OPERATOR).targets if target.guide]
        except Refused as refused:
            yield Finding(Level.BLOCKER, f"'queue.wander_among' holds '{text}': {refused}")
            continue
        for guide in guides:
            try:
                height, width = read_image(Path(guide).expanduser()).shape[:2]
                yield Finding(Level.GOOD, f"guide {guide}, {width}x{height}")
            except SourceError as error:
                yield Finding(Level.WARNING, f"'queue.wander_among' holds '{text}': {error}")


def look_at_chat(config: Config) -> Iterator[Finding]:
    """Check whether the chat bot could read and write."""
    from bot.accounts import findings

    for good, text in findings(config.twitch):
        yield Finding(Level.GOOD if good else Level.WARNING, text)


def look_at_files(config: Config) -> Iterator[Finding]:
    """Check the source, the shipped data and the free disk space."""
    from streamer.assets import asset
    from streamer.dream.networks.weights import cache_folder
    from streamer.health import DISK_LEAST, nearest
    from streamer.requests.queue import default_path

    for name in ("classes.json", "family_safe.yaml", "patch_prior.safetensors"):
        try:
            asset(name)
        except FileNotFoundError as error:
            yield Finding(Level.BLOCKER, str(error))
    yield from look_at_source(config)
    folders = [(config.queue.path or default_path()).parent, cache_folder()]
    disks: dict[int, tuple[Path, int]] = {}
    for folder in folders:
        there = nearest(folder)
        disks.setdefault(there.stat().st_dev, (there, shutil.disk_usage(there).free))
    for folder, free in disks.values():
        text = f"{free / 2**30:.1f} GB free in {folder}"
        yield Finding(Level.GOOD, text) if free >= DISK_LEAST else Finding(Level.WARNING, f"only {text}; make room")


def look_at_source(config: Config) -> Iterator[Finding]:
    """Check the picture, film or camera; a live source that may still come is only a warning."""
    from streamer.dream.sources.capture import is_live
    from streamer.dream.sources.picture import SourceError
    from streamer.dream.sources.readers import first_picture, shown_name
    from streamer.dream.sources.start import starting_picture

    source = config.source
    if source.kind == "noise":
        return
    try:
        picture = first_picture(source) if source.moves else starting_picture(source)
    except (SourceError, EOFError) as error:
        yield Finding(Level.WARNING if source.moves and is_live(source) else Level.BLOCKER, str(error))
        return
    assert picture is not None, "only noise has none"
    height, width = picture.shape[:2]
    name = f"camera {source.device}" if source.kind == "camera" else shown_name(source.path or "")
    yield Finding(Level.GOOD, f"{'riding on' if source.moves else 'starting from'} {name}, {width}x{height}")


def look_at_outputs(config: Config) -> Iterator[Finding]:
    """Check what each output needs. The stream runs without it, but what can never work is a blocker."""
    from streamer.commands.check_outputs import look_at_output

    for output in config.outputs:
        yield from look_at_output(output, config.web)


def look_at_sound(config: Config) -> Iterator[Finding]:
    """Check the sound."""
    from streamer.commands import check_outputs

    yield check_outputs.look_at_sound(config.audio)


def look_at_log(config: Config) -> Iterator[Finding]:
    """Check that the log's file is writable; show how large it may become."""
    file = config.log.file
    if file is None:
        return
    from streamer.health import nearest

    folder = nearest(file.parent)
    if file.is_dir() or not folder.is_dir() or not os.access(file if file.exists() else folder, os.W_OK):
        yield Finding(Level.WARNING, f"the log cannot be written to '{file}'; standard error has it all the same")
    else:
        yield Finding(Level.GOOD, f"{file}, up to {config.log.files} of {config.log.file_mb} MB")


def look_at_fonts(config: Config) -> Iterator[Finding]:
    """Check which scripts captions can show."""
    from streamer.video.frames.lettering import Lettering

    samples = {
        "Latin": "Añz",
        "Greek": "Ωα",
        "Cyrillic": "Жя",
        "Arabic": "عر",
        "Chinese": "火山",
        "Korean": "화산",
        "emoji": "🌋",
    }
    letters = Lettering(24)
    missing = [script for script, sample in samples.items() if letters.showable(sample) != sample]
    if missing:
        yield Finding(Level.WARNING, f"no font for {', '.join(missing)} in captions; the Noto fonts have all of them")
    else:
        yield Finding(Level.GOOD, "all scripts looked for can be shown")


def look_at_osc(config: Config) -> Iterator[Finding]:
    """Check the OSC port, if OSC is enabled."""
    wanted = config.controls
    if not wanted.osc:
        return
    from streamer.osc import OscError, listen, parser

    try:
        parser()
        with listen(wanted.osc_host, wanted.osc_port):
            yield Finding(Level.GOOD, f"can be listened for on {wanted.osc_host} port {wanted.osc_port}")
    except OscError as error:
        yield Finding(Level.BLOCKER, str(error))


def look_at_renderer(config: Config) -> Iterator[Finding]:
    """Check the cluster that the settings render on, if any."""
    from streamer.commands import check_ray

    yield from check_ray.look_at_renderer(config)


LOOKS: dict[str, Callable[[Config], Iterator[Finding]]] = {
    "settings": look_at_reload,
    "versions": look_at_versions,
    "device": look_at_device,
    "renderer": look_at_renderer,
    "network": look_at_weights,
    "encoder": look_at_encoder,
    "port": look_at_port,
    "queue": look_at_queue,
    "chat": look_at_chat,
    "outputs": look_at_outputs,
    "sound": look_at_sound,
    "files": look_at_files,
    "log": look_at_log,
    "fonts": look_at_fonts,
    "osc": look_at_osc,
}


def _hash_fits(file: Path) -> bool:
    """Return whether a downloaded file matches its name: ``<network>-<first digits of its SHA-256>.pth``."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest().startswith(file.stem.rpartition("-")[2])


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
