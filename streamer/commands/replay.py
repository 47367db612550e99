"""A live run dreamt again from its journal, larger if asked, all of it or a part."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

from streamer.commands.bar import progress_bar, teller
from streamer.commands.failures import as_command_error
from streamer.commands.moments import parse_moment
from streamer.commands.on_ray.crew import Crew, hired
from streamer.commands.on_ray.options import RayCall
from streamer.commands.showing import show
from streamer.commands.unfinished import Again, Unfinished
from streamer.config import Config, SourceConfig
from streamer.dream.compute_formats import ComputeFormat
from streamer.dream.device import compute_with, make_torch_repeatable
from streamer.dream.networks.names import split_names
from streamer.dream.sessions.replay import Replay
from streamer.dream.sessions.script import OfflineDream
from streamer.dream.sources.start import starting_picture
from streamer.messages import Keyframe, Motion
from streamer.past import Past, read
from streamer.settings_file import read_recorded
from streamer.snapshot import Snapshot, SnapshotError
from streamer.snapshot import read as read_snapshot
from streamer.snapshots import as_keyframe
from streamer.video.files.movie import MovieWriter

log = logging.getLogger(__name__)

LEAD_S = 30.0
"""Seconds dreamt unseen before a range: by then the dream has become what it is told to be."""


@dataclass(frozen=True, slots=True)
class Order:
    """What to dream again."""

    journal: Path
    output: Path
    """``.mp4``, ``.gif``, ``.png`` (the last frame) or a folder of frames."""
    size: tuple[int, int] | None = None
    """(height, width) of the video; None as it was."""
    begin: str = ""
    """The moment to begin at, as ``parse_moment`` reads it; empty for the first picture."""
    end: str = ""
    """Likewise, to end at; empty for the last picture."""
    exact: bool = False
    """Whether to dream all that came before the range, too: slow, and the same pixels."""
    seed: int | None = None
    """None for the run's own."""
    overrides: tuple[str, ...] = ()
    """``key=value`` settings that change those of the run."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a replay."""

    frames: int
    compared: int
    """Keyframes whose pixels the journal knows; 0 where they could not be the same."""
    alike: int
    """Those of them that came out the same."""
    why_not: str = ""
    """Why none could be the same; empty where they could."""


def command(order: Order, again: Again, console: Console, announce: Callable[[str], None], ray: RayCall | None = None) -> None:
    """Replay behind a progress bar.

    Args:
        ray: the cluster that is to dream; None dreams here.

    Raises:
        CommandError: the call was wrong, it failed, or it was stopped.
    """
    work = Unfinished(order.output, {}, again, teller(console), resumable=False)
    with as_command_error(), work, progress_bar(console) as shown:
        task = shown.add_task("dreaming again", total=None)
        outcome = replay(order, work, lambda done, total: shown.update(task, completed=done, total=total), ray)
    told = f"{outcome.alike} of {outcome.compared} pictures compared have the same pixels"
    if outcome.why_not:
        told = f"alike, not the same: {outcome.why_not}"
    announce(f"{order.output} ({told})")


def replay(
    order: Order,
    work: Unfinished,
    progress: Callable[[int, int], None] = lambda done, total: None,
    ray: RayCall | None = None,
) -> Outcome:
    """Dream a run again.

    Args:
        work: keeps what is done where it is stopped.
        progress: told the frames done and the frames in all, after each; while the dream leads in, none are done.

    Raises:
        JournalError: the journal cannot be read.
        MomentError: the range is none of the run's.
        ConfigError: its settings, or those given, cannot be used.
        SourceError: the picture that it started from cannot be read.
        MovieError: the output cannot be written.
        NetworkError: the network's weights cannot be had.
        DeviceError: the device asked for is not there.
    """
    past = read(order.journal)
    begin_ms, end_ms = span(past, order.begin, order.end)
    config = settings(past, order.size, order.overrides)
    start = starting_picture(config.source)
    fps, size = config.video.fps, (config.video.height, config.video.width)
    seed = past.seed if order.seed is None else order.seed
    whole = order.exact or begin_ms - LEAD_S * 1000 <= past.span_ms[0]
    from_ms = 0 if whole else begin_ms - round(LEAD_S * 1000)
    with (
        MovieWriter(order.output, size, fps, work_folder=work.folder) as movie,
        hired(ray, config, work.tell) as crew,
    ):
        work.restore(movie, {})
        again = _here(past, config, seed, start, from_ms) if crew is None else _far(past, config, seed, start, from_ms, crew)
        why_not = _why_not_the_same(past, config, again, seed, whole)
        if past.begun.resumed and not again.goes_on:
            why_not = why_not or "what it went on from is not there"
        total = (end_ms - begin_ms) * fps // 1000 + 1
        progress(0, total)
        done = 0
        captions, from_s = config.video.captions, begin_ms / 1000
        frames = show(config, again.keyframes, captions=captions, from_s=from_s, pulses=past.pulses)
        with closing(frames), work.gently():
            for done, image in zip(range(1, total + 1), frames, strict=False):
                movie.write(image)
                progress(done, total)
                if done < total:
                    work.look(movie, {}, done, total)
        counts = again.counts()
    return Outcome(done, 0 if why_not else counts[0], 0 if why_not else counts[1], why_not)


@dataclass(frozen=True, slots=True, eq=False)
class _Again:
    """A run being dreamt again, here or elsewhere."""

    keyframes: Iterator[Keyframe]
    counts: Callable[[], tuple[int, int]]
    """Keyframes that were compared, and those that came out the same."""
    network: str
    device: str
    size: tuple[int, int]
    """(height, width) of its canvas."""
    goes_on: bool
    """Whether it went on from something that is there."""


def _here(past: Past, config: Config, seed: int, start: np.ndarray | None, from_ms: int) -> _Again:
    """Dream a run again on this machine."""
    make_torch_repeatable(past.begun.threads if past.begun.device == "cpu" else 0)
    dream, resumed = OfflineDream(config), _resumed(past)
    again = Replay(
        past,
        lambda: dream.set_out(seed, start),
        Motion(config.zoom.speed, config.zoom.rotation),
        config,
        sizes=dream.size == past.begun.size,
        compute_with=compute_with,
        latest=None if resumed is None else as_keyframe(resumed, 0.0),
        kept=None if resumed is None else resumed.kept,
    )
    counts, goes_on = lambda: (again.compared, again.alike), resumed is not None
    return _Again(again.keyframes(from_ms), counts, dream.network, dream.device, dream.size, goes_on)


def _far(past: Past, config: Config, seed: int, start: np.ndarray | None, from_ms: int, crew: Crew) -> _Again:
    """The same on a node."""
    from streamer.commands.on_ray.replaying import FarReplay, ReplayPlan

    resumed = _resumed(past)
    latest, kept = (None, None) if resumed is None else (as_keyframe(resumed, 0.0), resumed.kept)
    far = FarReplay(config, ReplayPlan(past, seed, start, latest, kept, from_ms), crew)
    counts, goes_on = lambda: (far.compared, far.alike), resumed is not None
    return _Again(far, counts, far.network, far.device, far.size, goes_on)


def _resumed(past: Past) -> Snapshot | None:
    """What a run went on from; None where it began by itself, and, with a warning, where it cannot be read."""
    if past.snapshot is None or not past.begun.resumed:
        return None
    try:
        found = read_snapshot(past.snapshot)
    except SnapshotError as error:
        log.warning("%s: the run is dreamt from its beginning in noise", error)
        return None
    if found is None:
        log.warning("'%s', which the run went on from, is not there: it is dreamt from noise", past.snapshot)
    return found


def span(past: Past, begin: str, end: str) -> tuple[int, int]:
    """The range asked for, in ms since the start of the run.

    Raises:
        MomentError: it is none of the run's.
    """
    first, last = past.span_ms
    begin_ms = parse_moment(begin, "--from", past.started, past.span_ms) if begin else first
    end_ms = parse_moment(end, "--to", past.started, past.span_ms, begin_ms) if end else last
    return begin_ms, end_ms


def settings(past: Past, size: tuple[int, int] | None, overrides: Sequence[str]) -> Config:
    """The run's settings, for a video of another size if asked; the canvas grows with it.

    Raises:
        ConfigError: they cannot be used.
    """
    config, gone = read_recorded(past.settings)
    if gone:
        log.warning("the run used settings that no longer exist: %s; it may come out differently", ", ".join(gone))
    height, width = past.begun.size
    changes = [f"network.name=[{', '.join(split_names(past.begun.network))}]"] if config.network.name == "auto" else []
    form = ComputeFormat.of(past.begun.form)
    if form is not None and past.begun.device == "cpu" and config.network.precision == "auto":
        changes += [f"network.precision={form.precision}", f"network.layout={form.layout}"]
    if size is not None:
        grown = size[1] / config.video.width
        width, height = max(32, round(width * grown)), max(32, round(height * size[0] / config.video.height))
        changes += [f"video.height={size[0]}", f"video.width={size[1]}"]
    if not any(override.strip().startswith("canvas.") for override in overrides):
        changes += [f"canvas.width={width}", f"canvas.height={height}"]
    config, _ = read_recorded(past.settings, [*changes, *overrides])
    if config.source.moves:
        log.warning("the run rode on a moving picture, which no journal keeps: its scenes are dreamt from noise")
        config = config.model_copy(update={"source": SourceConfig()})
    return config


def _why_not_the_same(past: Past, config: Config, dream: _Again, seed: int, whole: bool) -> str:
    """Why other pixels than the run's are to be expected; empty where the same are."""
    begun, recorded = past.begun, read_recorded(past.settings)[0]
    unlike = [key for key in ("dream", "zoom", "ink") if getattr(config, key, None) != getattr(recorded, key, None)]
    reasons = [
        ("some of its steps are missing", not past.complete),
        ("it begins with what was on air, not with what was dreamt before; --exact does", not whole),
        (f"it was dreamt on {begun.device}, this is {dream.device}", dream.device != begun.device),
        (f"it was dreamt with {begun.network}, this is {dream.network}", dream.network != begun.network),
        ("the canvas has another size", dream.size != begun.size),
        ("it rode on a moving picture", recorded.source.moves),
        ("its network or algorithm was changed on the way, and it is dreamt with those of its start", past.switched),
        ("another seed", seed != past.seed),
        (f"other settings of {', '.join(unlike)}", bool(unlike)),
    ]
    return "; ".join(reason for reason, holds in reasons if holds)
