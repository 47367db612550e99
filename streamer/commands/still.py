"""A picture in, a picture out: dreamt where it stands, one file or many, as a picture, a film of its iterations or a strip."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

from streamer.commands import WRONG_CALL, CommandError, refusal
from streamer.commands.bar import progress_bar
from streamer.commands.batch import Job, jobs, left_out
from streamer.commands.failures import as_command_error
from streamer.commands.script import reader
from streamer.config import Config
from streamer.dream.device import be_repeatable, canvas_size
from streamer.dream.sessions.estimate import Estimate
from streamer.dream.sessions.still import Stage, StillDream
from streamer.dream.sources.noise import noise
from streamer.dream.sources.picture import SourceError, read_image
from streamer.dream.sources.start import starting_picture
from streamer.media.fit import fitted
from streamer.messages import LayerEntry, Layout, Refused, Scene, Target, arrange
from streamer.requests.vocabulary import Vocabulary
from streamer.video.files.movie import PICTURES, MovieError, MovieWriter
from streamer.video.files.strip import milestones, strip
from streamer.video.flash.limiter import FlashLimiter

log = logging.getLogger(__name__)

MOST_PX = (4320, 7680)
"""Height and width of the largest picture, 8K; or the other way round."""
LEAST_PX = 16
FILM_FPS = 10
"""Iterations shown a second, where the call says nothing else."""
BEGIN_S, HOLD_S = 0.8, 2.0
"""Seconds that a film of the iterations rests on the input, and on what came of it."""


@dataclass(frozen=True, slots=True)
class StillOrder:
    """What to dream on which pictures."""

    subject: str
    """What to dream, in the words of a script."""
    images: tuple[Path, ...]
    """Files and folders; none to begin from what the config says."""
    output: Path
    seed: int
    size: tuple[int, int] | None = None
    """(height, width) of the pictures; None for each its own."""
    iterations: int | None = None
    """In each octave; None for what is usual."""
    octaves: int | None = None
    """None for what the config says."""
    fps: int | None = None
    progress: bool = False
    """Whether to lay several moments side by side."""


Tell = Callable[[str], None]


def command(config: Config, order: StillOrder, console: Console, announce: Tell) -> None:
    """Dream behind a progress bar; says beforehand how long it will take and how much memory.

    Raises:
        CommandError: the call was wrong, or it failed.
    """
    work = jobs(order.images, order.output)
    failed = []

    def say(line: str) -> None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    with as_command_error():
        words = Vocabulary.load()
        targets(order.subject, words, None)  # its mistakes come before the wait for a network
        for job in work:
            if job.output.suffix.lower() not in (*PICTURES, ".gif", ".mp4"):
                raise CommandError(f"'{job.output}': a picture becomes .png, .jpg, .gif or .mp4", WRONG_CALL)
            if order.progress and job.output.suffix.lower() not in PICTURES:
                raise CommandError(f"'{job.output}': a strip is a picture; name a .png or .jpg", WRONG_CALL)
        for line in left_out(order.images):
            say(line)
        be_repeatable()
        dream = StillDream(config)
        wanted = targets(order.subject, words.narrowed(dream.ensemble.wnids), dream.layers)
        scene = Scene(1, arrange(wanted, Layout(config.dream.layout)))
        with progress_bar(console) as shown:
            for number, job in enumerate(work, 1):
                name = job.output.name if len(work) == 1 else f"{number}/{len(work)} {job.output.name}"
                task = shown.add_task(name, total=None)
                try:
                    _dream(
                        dream,
                        scene,
                        order,
                        job,
                        lambda done, total, task=task: shown.update(task, completed=done, total=total),  # type: ignore[misc]
                        say if number == 1 else log.info,
                    )
                except (SourceError, MovieError, CommandError) as error:
                    if len(work) == 1:
                        raise
                    named = str(error) if not isinstance(error, CommandError) else f"'{job.source}': {error}"
                    failed.append(named)
                    say(f"zoomdream: {named}")
                    continue
                announce(f"{job.output} (seed {order.seed})")
    if failed:
        raise CommandError(f"{len(failed)} of {len(work)} pictures could not be dreamt")


def targets(subject: str, words: Vocabulary, layers: Sequence[LayerEntry] | None) -> tuple[Target, ...]:
    """Understand what is to be dreamt.

    Args:
        layers: the network's; None while it is not loaded, when every layer's name passes.

    Raises:
        CommandError: nothing is asked for, or it is not understood.
    """
    if not subject:
        raise CommandError("say what to dream: --class 'tree frog', --layer fire5 or --guide flowers.jpg", WRONG_CALL)
    try:
        return reader(words, layers)(subject)
    except Refused as refused:
        raise CommandError(f"'{subject}': {refusal(refused)}", WRONG_CALL) from None


def _dream(
    dream: StillDream, scene: Scene, order: StillOrder, job: Job, progress: Callable[[int, int], None], tell: Tell
) -> None:
    """Dream one picture into its file."""
    picture = _input(dream.config, order, job)
    plan = dream.plan(picture.shape[:2], order.iterations, order.octaves)
    moments = milestones(plan.steps) if order.progress else ()
    size = picture.shape[:2] if not moments else _strip(picture, dict.fromkeys(moments, picture)).shape[:2]
    fps = order.fps or FILM_FPS
    with MovieWriter(job.output, size, fps) as movie:  # before the trial steps: what cannot be written costs none
        estimate = dream.estimate(scene, plan)
        tell(f"{scene.title}, {plan}: {estimate}")
        if not estimate.fits:
            raise CommandError(_too_much(estimate, plan.size, dream))
        progress(0, plan.steps)
        stages = _watched(dream.dream(picture, scene, plan, order.seed), plan.steps, progress)
        if moments:
            movie.write(_strip(picture, {stage.iteration: stage.picture() for stage in stages if stage.iteration in moments}))
        elif job.output.suffix.lower() in PICTURES:
            for stage in stages:
                if stage.iteration == plan.steps:
                    movie.write(stage.picture())
        else:
            limiter = FlashLimiter(picture.shape[:2], fps) if dream.config.video.flash_limiter else None
            for number, image in enumerate(_film(picture, stages, fps)):
                movie.write(image if limiter is None else limiter.limit(image, number))


def _strip(picture: np.ndarray, dreamt: Mapping[int, np.ndarray]) -> np.ndarray:
    """The input and what came of it, by the number of iterations."""
    return strip([("input", picture), *((f"{number} iterations", image) for number, image in dreamt.items())])


def _film(picture: np.ndarray, stages: Iterator[Stage], fps: int) -> Iterator[np.ndarray]:
    """The input for a moment, a frame for each iteration, and the last for a while."""
    for _ in range(max(1, round(BEGIN_S * fps))):
        yield picture
    for stage in stages:
        picture = stage.picture()
        yield picture
    for _ in range(round(HOLD_S * fps)):
        yield picture


def _watched(stages: Iterator[Stage], steps: int, progress: Callable[[int, int], None]) -> Iterator[Stage]:
    with contextlib.closing(stages):  # type: ignore[type-var]
        for stage in stages:
            yield stage
            progress(stage.iteration, steps)


def _input(config: Config, order: StillOrder, job: Job) -> np.ndarray:
    """The picture to dream on, (H, W, 3) uint8 RGB, at the size that comes out."""
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
        raise SourceError(f"{named}; pictures are dreamt up to 7680x4320: give {other} --size")
    if picture is None:
        return noise(size, np.random.default_rng(order.seed))
    return fitted(picture, size, config.source.fit, fine=True)


def _too_much(estimate: Estimate, size: tuple[int, int], dream: StillDream) -> str:
    height, width = size
    smaller = f"a --size such as {width // 4 * 2}x{height // 4 * 2}"
    tile_px = dream.config.dream.tile_px
    tiles = "" if tile_px <= 512 or height * width <= tile_px**2 else f", --set dream.tile_px={max(256, tile_px // 2)}"
    return f"{width}x{height} needs {estimate.needs}; try {smaller}{tiles}, or close other programs"
