"""Renders a live run again from its journal: all of it or a part, at any size."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

from streamer.commands.command_errors import as_command_error
from streamer.commands.offline_frames import offline_frames_of
from streamer.commands.on_ray.node_pool import NodePool, open_node_pool
from streamer.commands.on_ray.options import RayCall
from streamer.commands.progress_display import progress_bar, teller
from streamer.commands.resumable_work import ResumableWork, ResumeOptions
from streamer.commands.timestamps import parse_timestamp
from streamer.config import Config, SourceConfig
from streamer.dream.compute_formats import ComputeFormat
from streamer.dream.device import compute_with, make_torch_repeatable
from streamer.dream.networks.names import split_names
from streamer.dream.sessions.replay import Replay
from streamer.dream.sessions.script import OfflineDream
from streamer.dream.sources.start import starting_picture
from streamer.journal_reader import RecordedRun, read_journal
from streamer.messages.keyframes import Keyframe
from streamer.messages.motion import Motion
from streamer.settings_file import read_recorded
from streamer.snapshot import Snapshot, SnapshotError
from streamer.snapshot import read as read_snapshot
from streamer.snapshot_writer import as_keyframe
from streamer.video.files.movie import MovieWriter

log = logging.getLogger(__name__)

LEAD_S = 30.0
"""Seconds rendered but not shown before a range, so that the picture has converged on its subject."""


@dataclass(frozen=True, slots=True)
class JournalOrder:
    """What to render again."""

    journal: Path
    output: Path
    """``.mp4``, ``.gif``, ``.png`` (the last frame) or a folder of frames."""
    size: tuple[int, int] | None = None
    """(height, width) of the video; None for the run's own."""
    begin: str = ""
    """Where to start, as ``parse_timestamp`` accepts it; empty for the first picture."""
    end: str = ""
    """Where to end, in the same notation; empty for the last picture."""
    exact: bool = False
    """Whether to compute everything before the range too: slow, but with the same pixels."""
    seed: int | None = None
    """None for the run's own."""
    overrides: tuple[str, ...] = ()
    """``key=value`` settings that change those of the run."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a replay."""

    frames: int
    compared: int
    """Keyframes whose checksums the journal has; 0 if they could not match."""
    alike: int
    """Those of them with the same pixels."""
    why_not: str = ""
    """Why none could match; empty if they could."""


def command(
    order: JournalOrder, again: ResumeOptions, console: Console, announce: Callable[[str], None], ray: RayCall | None = None
) -> None:
    """Replay with a progress bar.

    Args:
        ray: The cluster to render on; None renders here.

    Raises:
        CommandError: the call was wrong, it failed, or it was stopped.
    """
    work = ResumableWork(order.output, {}, again, teller(console), resumable=False)
    with as_command_error(), work, progress_bar(console) as shown:
        task = shown.add_task("dreaming again", total=None)
        outcome = replay(order, work, lambda done, total: shown.update(task, completed=done, total=total), ray)
    result = f"{outcome.alike} of {outcome.compared} pictures compared have the same pixels"
    if outcome.why_not:
        result = f"similar, not identical: {outcome.why_not}"
    announce(f"{order.output} ({result})")


def replay(
    order: JournalOrder,
    work: ResumableWork,
    progress: Callable[[int, int], None] = lambda done, total: None,
    ray: RayCall | None = None,
) -> Outcome:
    """Render a run again.

    Args:
        work: Keeps the finished part if it is stopped.
        progress: Gets the number of finished frames and of all frames, after each; none are finished during the lead-in.

    Raises:
        JournalError: the journal cannot be read.
        TimestampError: the range is outside the run.
        ConfigError: its settings, or the overrides, are invalid.
        SourceError: the picture that it started from cannot be read.
        MovieError: the output cannot be written.
        NetworkError: the network's weights are unavailable.
        DeviceError: the configured device is unavailable.
    """
    past_run = read_journal(order.journal)
    begin_ms, end_ms = span(past_run, order.begin, order.end)
    config = settings(past_run, order.size, order.overrides)
    start = starting_picture(config.source)
    fps, size = config.video.fps, (config.video.height, config.video.width)
    seed = past_run.seed if order.seed is None else order.seed
    whole = order.exact or begin_ms - LEAD_S * 1000 <= past_run.span_ms[0]
    from_ms = 0 if whole else begin_ms - round(LEAD_S * 1000)
    with (
        MovieWriter(order.output, size, fps, work_folder=work.folder) as movie,
        open_node_pool(ray, config, work.tell) as node_pool,
    ):
        work.restore(movie, {})
        again = (
            _here(past_run, config, seed, start, from_ms)
            if node_pool is None
            else _far(past_run, config, seed, start, from_ms, node_pool)
        )
        why_not = _why_not_the_same(past_run, config, again, seed, whole)
        if past_run.begun.resumed and not again.goes_on:
            why_not = why_not or "the snapshot that it continued is missing"
        total = (end_ms - begin_ms) * fps // 1000 + 1
        progress(0, total)
        done = 0
        captions, from_s = config.video.captions, begin_ms / 1000
        frames = offline_frames_of(config, again.keyframes, captions=captions, from_s=from_s, pulses=past_run.pulses)
        with closing(frames), work.soft_stop():
            for done, image in zip(range(1, total + 1), frames, strict=False):
                movie.write(image)
                progress(done, total)
                if done < total:
                    work.save_or_stop(movie, {}, done, total)
        counts = again.counts()
    return Outcome(done, 0 if why_not else counts[0], 0 if why_not else counts[1], why_not)


@dataclass(frozen=True, slots=True, eq=False)
class _Again:
    """A replay in progress, here or on a node."""

    keyframes: Iterator[Keyframe]
    counts: Callable[[], tuple[int, int]]
    """Returns the number of keyframes compared, and of those with the same pixels."""
    network: str
    device: str
    size: tuple[int, int]
    """(height, width) of the canvas."""
    goes_on: bool
    """Whether it continues from a snapshot that exists."""


def _here(past_run: RecordedRun, config: Config, seed: int, start: np.ndarray | None, from_ms: int) -> _Again:
    """Replay a run on this machine."""
    make_torch_repeatable(past_run.begun.threads if past_run.begun.device == "cpu" else 0)
    dream, resumed = OfflineDream(config), _resumed(past_run)
    again = Replay(
        past_run,
        lambda: dream.new_dream(seed, start),
        Motion.from_config(config.zoom),
        config,
        sizes=dream.size == past_run.begun.size,
        compute_with=compute_with,
        latest=None if resumed is None else as_keyframe(resumed, 0.0),
        kept=None if resumed is None else resumed.kept,
    )
    counts, goes_on = lambda: (again.compared, again.alike), resumed is not None
    return _Again(again.keyframes(from_ms), counts, dream.network, dream.device, dream.size, goes_on)


def _far(
    past_run: RecordedRun, config: Config, seed: int, start: np.ndarray | None, from_ms: int, node_pool: NodePool
) -> _Again:
    """Replay a run on a node."""
    from streamer.commands.on_ray.remote_replay import RemoteReplay, ReplayPlan

    resumed = _resumed(past_run)
    latest, kept = (None, None) if resumed is None else (as_keyframe(resumed, 0.0), resumed.kept)
    far = RemoteReplay(config, ReplayPlan(past_run, seed, start, latest, kept, from_ms), node_pool)
    counts, goes_on = lambda: (far.compared, far.alike), resumed is not None
    return _Again(far, counts, far.network, far.device, far.size, goes_on)


def _resumed(past_run: RecordedRun) -> Snapshot | None:
    """Return the snapshot that a run continued from; None if there was none, or, with a warning, if it cannot be read."""
    if past_run.snapshot is None or not past_run.begun.resumed:
        return None
    try:
        found = read_snapshot(past_run.snapshot)
    except SnapshotError as error:
        log.warning("%s: the run is rendered from noise", error)
        return None
    if found is None:
        log.warning("'%s', from which the run continued, is missing: it is rendered from noise", past_run.snapshot)
    return found


def span(past_run: RecordedRun, begin: str, end: str) -> tuple[int, int]:
    """Return a range in ms since the start of the run.

    Raises:
        TimestampError: the range is outside the run.
    """
    first, last = past_run.span_ms
    begin_ms = parse_timestamp(begin, "--from", past_run.started, past_run.span_ms) if begin else first
    end_ms = parse_timestamp(end, "--to", past_run.started, past_run.span_ms, begin_ms) if end else last
    return begin_ms, end_ms


def settings(past_run: RecordedRun, size: tuple[int, int] | None, overrides: Sequence[str]) -> Config:
    """Return the run's settings, with another video size if the call names one; the canvas is scaled with it.

    Raises:
        ConfigError: the settings or the overrides are invalid.
    """
    config, gone = read_recorded(past_run.settings)
    if gone:
        log.warning("the run used settings that no longer exist: %s; it may come out differently", ", ".join(gone))
    height, width = past_run.begun.size
    changes = [f"network.name=[{', '.join(split_names(past_run.begun.network))}]"] if config.network.name == "auto" else []
    form = ComputeFormat.of(past_run.begun.form)
    if form is not None and past_run.begun.device == "cpu" and config.network.precision == "auto":
        changes += [f"network.precision={form.precision}", f"network.layout={form.layout}"]
    if size is not None:
        scale = size[1] / config.video.width
        width, height = max(32, round(width * scale)), max(32, round(height * size[0] / config.video.height))
        changes += [f"video.height={size[0]}", f"video.width={size[1]}"]
    if not any(override.strip().startswith("canvas.") for override in overrides):
        changes += [f"canvas.width={width}", f"canvas.height={height}"]
    config, _ = read_recorded(past_run.settings, [*changes, *overrides])
    if config.source.moves:
        log.warning("the run followed a moving source, which journals do not contain: its scenes are rendered from noise")
        config = config.model_copy(update={"source": SourceConfig()})
    return config


def _why_not_the_same(past_run: RecordedRun, config: Config, dream: _Again, seed: int, whole: bool) -> str:
    """Return why the pixels will differ from the run's; empty if they should match."""
    begun, recorded = past_run.begun, read_recorded(past_run.settings)[0]
    unlike = [key for key in ("dream", "zoom", "ink") if getattr(config, key, None) != getattr(recorded, key, None)]
    reasons = [
        ("some of its steps are missing", not past_run.complete),
        ("it starts with what was on air, without the pictures before; --exact includes them", not whole),
        (f"it was rendered on {begun.device}, this is {dream.device}", dream.device != begun.device),
        (f"it was rendered with {begun.network}, this is {dream.network}", dream.network != begun.network),
        ("the canvas has another size", dream.size != begun.size),
        ("it followed a moving source", recorded.source.moves),
        ("its network or algorithm changed during the run, and those of its start are used", past_run.switched),
        ("another seed", seed != past_run.seed),
        (f"other settings of {', '.join(unlike)}", bool(unlike)),
    ]
    return "; ".join(reason for reason, holds in reasons if holds)
