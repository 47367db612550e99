"""Renders one picture into its file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from streamer.commands import CommandError
from streamer.commands.batch import Job
from streamer.commands.duration_history import DurationForecast
from streamer.commands.progress_display import Tell
from streamer.commands.resumable_work import ResumableWork
from streamer.config import Config
from streamer.dream.device import canvas_size
from streamer.dream.sessions.estimate import Estimate
from streamer.dream.sessions.still import Plan, StillDream, StillIteration
from streamer.dream.sources.noise import noise
from streamer.dream.sources.picture import SourceError, read_image
from streamer.dream.sources.start import starting_picture
from streamer.media.fit import fitted
from streamer.messages.scenes import Scene
from streamer.video.files.movie import PICTURES, MovieWriter
from streamer.video.files.strip import milestones, strip
from streamer.video.flash.limiter import FlashLimiter

if TYPE_CHECKING:
    from streamer.commands.on_ray.remote_sessions import RemoteIteration, RemoteStills

MOST_PX = (4320, 7680)
"""Height and width of the largest picture, 8K, in either orientation."""
LEAST_PX = 16
FILM_FPS = 10
"""Iterations shown per second by default."""
BEGIN_S, HOLD_S = 0.8, 2.0
"""Seconds that a video of the iterations shows the input, and the result."""


@dataclass(frozen=True, slots=True)
class StillOrder:
    """What to render on which pictures."""

    subject: str
    """The subject, in the words of a script."""
    images: tuple[Path, ...]
    """Files and folders; empty for the config's source."""
    output: Path
    size: tuple[int, int] | None = None
    """(height, width) of the pictures; None for their own."""
    iterations: int | None = None
    """Steps in each octave; None for the default."""
    octaves: int | None = None
    """None for the config's."""
    fps: int | None = None
    progress: bool = False
    """Whether to show several iterations side by side."""


class StripPictures:
    """The finished pictures of a strip, by the number of iterations."""

    CHANGES = ("pictures",)

    def __init__(self) -> None:
        self.pictures: dict[int, np.ndarray] = {}


def dream_picture(
    dream: StillDream | RemoteStills,
    scene: Scene,
    order: StillOrder,
    job: Job,
    work: ResumableWork,
    progress: Callable[[int, int], None],
    tell: Tell,
) -> int:
    """Render one picture into its file; return the seed."""
    picture = _input(dream.config, order, job, work.seed)
    plan = dream.plan(picture.shape[:2], order.iterations, order.octaves)
    moments = milestones(plan.steps) if order.progress else ()
    size = picture.shape[:2] if not moments else _strip(picture, dict.fromkeys(moments, picture)).shape[:2]
    fps, reached = order.fps or FILM_FPS, StripPictures()
    films = job.output.suffix.lower() not in PICTURES
    with MovieWriter(
        job.output, size, fps, work_folder=work.folder
    ) as movie:  # before the trial, so that an unwritable output fails quickly
        forecast = _foretell(dream, scene, plan, job.output.suffix.lower() if films else "picture", work.begun_s, tell)
        limiter = FlashLimiter(picture.shape[:2], fps) if films and dream.config.video.flash_limiter else None

        def show(image: np.ndarray, times: int = 1) -> None:
            for _ in range(times):
                movie.write(image if limiter is None else limiter.limit(image, movie.frames))

        def finish(stage: StillIteration | RemoteIteration) -> None:
            if moments:
                movie.write(_strip(picture, dict.fromkeys(moments, stage.picture()) | reached.pictures))
            else:
                show(stage.picture(), round(HOLD_S * fps) if films else 1)

        stages = dream.dream(picture, scene, plan, work.seed, None if films else moments)
        parts = {"stages": stages, "limiter": limiter, "reached": reached}
        with work.soft_stop():
            done = work.restore(movie, parts)
            progress(done, plan.steps)
            forecast.begins()
            if films and not done:
                show(picture, max(1, round(BEGIN_S * fps)))
            for stage in stages:
                if stage.iteration in moments:
                    reached.pictures[stage.iteration] = stage.picture()
                if films:
                    show(stage.picture())
                progress(stage.iteration, plan.steps)
                if stage.iteration < plan.steps and stages.can_checkpoint:
                    work.save_or_stop(movie, parts, stage.iteration, plan.steps, None if films else partial(finish, stage))
            finish(stage)
    forecast.learn(plan.steps - done)
    return work.seed


def _foretell(
    dream: StillDream | RemoteStills, scene: Scene, plan: Plan, ending: str, begun_s: float, tell: Tell
) -> DurationForecast:
    """Estimate the time and memory of a picture, and report them.

    Raises:
        CommandError: it does not fit into memory.
    """
    (height, width), octaves = plan.size, len(plan.sizes)
    forecast = DurationForecast(f"picture {width}x{height} {octaves} {ending}", dream.machine, begun_s=begun_s)
    estimate = dream.estimate(scene, plan, trial=forecast.known_s is None)
    one_s = None if estimate.seconds is None else estimate.seconds / plan.steps
    estimate = replace(estimate, seconds=forecast.seconds(plan.steps, one_s) if estimate.fits else None)
    tell(f"{scene.title}, {plan}: {estimate}")
    if not estimate.fits:
        raise CommandError(_too_much(estimate, plan.size, dream))
    return forecast


def _strip(picture: np.ndarray, rendered: Mapping[int, np.ndarray]) -> np.ndarray:
    """Return a strip of the input and the pictures after some numbers of iterations."""
    return strip([("input", picture), *((f"{number} iterations", image) for number, image in rendered.items())])


def _input(config: Config, order: StillOrder, job: Job, seed: int) -> np.ndarray:
    """Return the picture to start from, (H, W, 3) uint8 RGB, at the output's size."""
    picture = starting_picture(config.source) if job.source is None else read_image(job.source)
    if order.size is not None:
        size, named = order.size, "--size is "
    elif picture is not None:
        size, named = (picture.shape[0], picture.shape[1]), f"'{job.source or config.source.path}' is "
    else:
        size, named = canvas_size(config.canvas, config.video, "cpu"), "the canvas is "
    named, other = f"{named}{size[1]}x{size[0]}", "another" if order.size else "a"
    if min(size) < LEAST_PX:
        raise SourceError(f"{named}; there is nothing to dream on in less than {LEAST_PX} pixels: give {other} --size")
    if max(size) > max(MOST_PX) or min(size) > min(MOST_PX):
        raise SourceError(f"{named}; pictures are rendered up to 7680x4320: give {other} --size")
    if picture is None:
        return noise(size, np.random.default_rng(seed))
    return fitted(picture, size, config.source.fit, fine=True)


def _too_much(estimate: Estimate, size: tuple[int, int], dream: StillDream | RemoteStills) -> str:
    height, width = size
    smaller = f"a --size such as {width // 4 * 2}x{height // 4 * 2}"
    tile_px = dream.config.dream.tile_px
    tiles = "" if tile_px <= 512 or height * width <= tile_px**2 else f", --set dream.tile_px={max(256, tile_px // 2)}"
    return f"{width}x{height} needs {estimate.needs}; try {smaller}{tiles}, or close other programs"
