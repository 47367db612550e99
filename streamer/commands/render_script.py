"""Renders a script offline, as the stream would show it: to a video, a GIF, a picture or a folder of frames."""

from __future__ import annotations

import bisect
import itertools
import logging
import math
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console

from streamer.commands.command_errors import as_command_error
from streamer.commands.duration_history import DurationForecast
from streamer.commands.offline_frames import offline_frames_of
from streamer.commands.on_ray.node_pool import NodePool, open_node_pool
from streamer.commands.on_ray.options import RayCall
from streamer.commands.progress_display import Tell, progress_bar, teller
from streamer.commands.resumable_work import ResumableWork
from streamer.commands.script_parser import Cue, parse_script, reader
from streamer.config import Config
from streamer.dream.device import make_torch_repeatable
from streamer.dream.sessions.script import Keyframes, OfflineDream, steps_and_interval
from streamer.dream.sources.noise import noise
from streamer.dream.sources.picture import SourceError, read_image
from streamer.dream.sources.start import starting_picture
from streamer.messages.keyframes import Keyframe
from streamer.messages.motion import Motion, Pose
from streamer.messages.scenes import Layout, Scene, arrange
from streamer.plurals import counted
from streamer.requests.vocabulary import Vocabulary
from streamer.video.files.movie import MovieWriter
from streamer.zoom import advance

if TYPE_CHECKING:
    from streamer.commands.on_ray.remote_sessions import RemoteScript
    from streamer.commands.on_ray.stretches import Stretches

log = logging.getLogger(__name__)

TRIED = 12
"""Frames drawn to measure how long one takes."""


@dataclass(frozen=True, slots=True)
class ScriptOrder:
    """What to render."""

    script: str
    seconds: float
    output: Path
    """``.mp4``, ``.gif``, ``.png`` (the last frame) or a folder of frames."""
    seed: int
    captions: bool = False
    image: Path | None = None
    """A picture to start from."""

    def frames(self, fps: float) -> int:
        """Return the number of frames of the video, at least one."""
        return max(1, round(self.seconds * fps))


def command(
    config: Config, order: ScriptOrder, work: ResumableWork, console: Console, announce: Tell, ray: RayCall | None = None
) -> None:
    """Render with a progress bar, and estimate the time first.

    Args:
        ray: The cluster to render on; None renders here.

    Raises:
        CommandError: the call was wrong, it failed, or it was stopped.
    """
    with as_command_error(), work, progress_bar(console) as shown:
        task = shown.add_task("dreaming", total=None)

        def progress(done: int, total: int) -> None:
            shown.update(task, completed=done, total=total)

        parse_script(order.script, order.seconds, reader(Vocabulary.load()))  # report mistakes before waiting for nodes
        with open_node_pool(ray, config, teller(console)) as node_pool:
            render(config, order, work, progress, teller(console), node_pool)
    announce(f"{order.output} (seed {order.seed})")


def render(
    config: Config,
    order: ScriptOrder,
    work: ResumableWork,
    progress: Callable[[int, int], None],
    tell: Tell,
    node_pool: NodePool | None = None,
) -> None:
    """Render a video.

    Args:
        work: Saves the finished part, and resumes an earlier one.
        progress: Gets the number of finished frames and of all frames, after each.
        node_pool: The nodes to render on; None renders here.

    Raises:
        Interrupted: it was asked to end.
        ScriptError: the script is malformed.
        SourceError: the picture to start from cannot be read.
        MovieError: the output cannot be written.
        NetworkError: the network's weights are unavailable.
        DeviceError: the configured device is unavailable.
        DreamError: the network lacks what the script names.
    """
    if config.source.moves and order.image is None:
        raise SourceError(f"the settings have a {config.source.kind} as source: zoomdream render film dreams on one")
    words = Vocabulary.load()
    parse_script(order.script, order.seconds, reader(words))  # report mistakes before the network loads
    start = starting_picture(config.source) if order.image is None else read_image(order.image)
    size = (config.video.height, config.video.width)
    with MovieWriter(order.output, size, config.video.fps, work_folder=work.folder) as movie:
        make_torch_repeatable()
        dream = OfflineDream(config) if node_pool is None else _far(config, node_pool)
        cues = parse_script(order.script, order.seconds, reader(words.for_network(dream.wnids), dream.layers))
        log.info("dreaming with %s on %s at %dx%d", dream.network, dream.device, dream.size[1], dream.size[0])
        total = order.frames(config.video.fps)
        forecast = _foretell(config, order, dream, _scene(config, 1, cues[0]), work.begun_s, tell)
        keyframes = _keyframes(config, order, dream, cues, start)
        with closing(offline_frames_of(config, keyframes, captions=order.captions)) as frames, work.soft_stop():
            parts = {"keyframes": keyframes, "frames": frames}
            begun = work.restore(movie, parts)
            progress(begun, total)
            forecast.begins()
            for done in range(begun + 1, total + 1):
                movie.write(next(frames))
                progress(done, total)
                if done < total and keyframes.can_checkpoint:
                    work.save_or_stop(movie, parts, done, total)
    forecast.learn(total - begun)


def _far(config: Config, node_pool: NodePool) -> RemoteScript:
    """Return what renders on nodes."""
    from streamer.commands.on_ray.remote_sessions import RemoteScript

    return RemoteScript(config, node_pool)


def _foretell(
    config: Config, order: ScriptOrder, dream: OfflineDream | RemoteScript, scene: Scene, begun_s: float, tell: Tell
) -> DurationForecast:
    """Estimate the time of a script from its first scene, and report it."""
    video, size, total, (steps, interval_s) = (
        config.video,
        dream.size,
        order.frames(config.video.fps),
        steps_and_interval(config.dream),
    )
    kind = f"script {video.width}x{video.height} {size[1]}x{size[0]} {video.fps} {steps} {interval_s:g}"
    forecast = DurationForecast(f"{kind} {order.output.suffix.lower()}", dream.machine, begun_s=begun_s)
    estimate, one_s = dream.estimate(scene, trial=forecast.known_s is None), None
    if estimate.seconds is not None:
        one_s = estimate.seconds / (interval_s * video.fps) + _frame_s(config, size, interval_s, scene)
    estimate = replace(estimate, seconds=forecast.seconds(total, one_s))
    tell(f"{counted(total, 'frame')} of {video.width}x{video.height}, rendered at {size[1]}x{size[0]}: {estimate}")
    return forecast


def _frame_s(config: Config, size: tuple[int, int], interval_s: float, scene: Scene) -> float:
    """Measure the seconds to draw a frame from keyframes of (height, width), ``interval_s`` apart."""
    picture = noise(size, np.random.default_rng(0))
    motion, count = Motion.from_config(config.zoom), max(2, math.ceil(TRIED / (interval_s * config.video.fps)))
    keyframes = [
        Keyframe(picture, advance(Pose(), motion, number * interval_s), number * interval_s, scene, number, 1)
        for number in range(count + 1)
    ]
    with closing(offline_frames_of(config, iter(keyframes), captions=False)) as frames:
        begun_s, drawn = time.perf_counter(), sum(1 for _ in itertools.islice(frames, TRIED))
    return (time.perf_counter() - begun_s) / drawn


def _scene(config: Config, number: int, cue: Cue) -> Scene:
    return Scene(number, arrange(cue.targets, Layout(config.dream.layout)))


def _keyframes(
    config: Config, order: ScriptOrder, dream: OfflineDream | RemoteScript, cues: tuple[Cue, ...], start: np.ndarray | None
) -> Keyframes | Stretches[Keyframe]:
    """Return the video's keyframes, without end."""
    scenes = tuple(_scene(config, number, cue) for number, cue in enumerate(cues, 1))
    starts = [cue.start_s for cue in cues]
    if not isinstance(dream, OfflineDream):
        return dream.keyframes(scenes, tuple(starts), order.seed, start, order.seconds)
    return dream.keyframes(lambda time_s: scenes[bisect.bisect_right(starts, time_s) - 1], order.seed, start)
