"""A film in, a film out: dreamt picture by picture, with the film's own size, rate and sound."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from streamer.commands import WRONG_CALL, CommandError
from streamer.commands.bar import progress_bar
from streamer.commands.failures import as_command_error
from streamer.commands.still import LEAST_PX, MOST_PX, targets
from streamer.config import Config
from streamer.dream.device import be_repeatable
from streamer.dream.sessions.film import STEPS, FilmDream
from streamer.dream.sources.picture import SourceError
from streamer.dream.sources.reels import FilmReel
from streamer.media.fit import Fit, fitted
from streamer.messages import Layout, Scene, SourcePicture, arrange
from streamer.requests.vocabulary import Vocabulary
from streamer.video.files.kind import Sound
from streamer.video.files.movie import MovieWriter
from streamer.video.files.probe import probe
from streamer.video.flash.limiter import FlashLimiter
from streamer.wording import counted


@dataclass(frozen=True, slots=True)
class FilmOrder:
    """What to dream on which film."""

    subject: str
    """What to dream, in the words of a script."""
    film: Path
    output: Path
    """``.mp4`` with the film's sound; ``.gif``, ``.png`` or ``.jpg`` (the last picture) or a folder of pictures."""
    seed: int
    size: tuple[int, int] | None = None
    """(height, width) of the pictures; None for the film's own."""
    iterations: int | None = None
    """Steps for each picture; None for what is usual."""
    seconds: float | None = None
    """How much of the film; None for all of it."""


def command(config: Config, order: FilmOrder, console: Console, announce: Callable[[str], None]) -> None:
    """Dream behind a progress bar; says beforehand how long it will take and how much memory.

    Raises:
        CommandError: the call was wrong, or it failed.
    """
    with as_command_error():
        targets(order.subject, Vocabulary.load(), None)  # its mistakes come before the wait for a network
        if order.output.exists() and order.output.resolve() == order.film.resolve():
            raise CommandError(f"'{order.output}' would be replaced by its own dream; name another place", WRONG_CALL)
        reel = FilmReel(str(order.film), config.source.track)
        try:
            with progress_bar(console) as shown:
                task = shown.add_task("dreaming", total=None)

                def progress(done: int, total: int | None) -> None:
                    shown.update(task, completed=done, total=total)

                _dream(
                    config,
                    order,
                    reel,
                    progress,
                    lambda line: console.print(line, markup=False, highlight=False, soft_wrap=True),
                )
        finally:
            reel.close()
    announce(f"{order.output} (seed {order.seed})")


def _dream(
    config: Config,
    order: FilmOrder,
    reel: FilmReel,
    progress: Callable[[int, int | None], None],
    tell: Callable[[str], None],
) -> None:
    """Dream a film into its file."""
    source = config.source
    pictures = _pictures(reel, order, source.fit)
    first = next(pictures)
    for note in reel.notes:
        tell(f"'{order.film}': {note}")
    facts, steps = probe(order.film, source.track), order.iterations or STEPS
    count = facts.pictures(order.seconds)
    size = (first.image.shape[0], first.image.shape[1])
    with MovieWriter(order.output, size, facts.fps, Sound(order.film, order.seconds, reel.begins_s)) as movie:
        for note in movie.notes:
            tell(f"'{order.film}': {note}")
        be_repeatable()
        dream = FilmDream(config)
        wanted = targets(order.subject, Vocabulary.load().narrowed(dream.ensemble.wnids), dream.layers)
        scene = Scene(1, arrange(wanted, Layout(config.dream.layout)))
        estimate = dream.estimate(scene, first, count or 1, steps)
        (height, width), named = size, "pictures, their number unknown," if count is None else counted(count, "picture")
        canvas = dream.canvas(size)
        dreamt = "" if canvas == size else f", dreamt at {canvas[1]}x{canvas[0]}"
        tell(
            f"{scene.title}, {named} of {width}x{height}{dreamt}, {counted(steps, 'iteration')} each: "
            f"{estimate}{' a picture' if count is None else ''}"
        )
        if not estimate.fits:
            raise CommandError(f"{canvas[1]}x{canvas[0]} needs {estimate.needs}; try --set canvas.width={canvas[1] // 2}")
        limiter = FlashLimiter(size, facts.fps) if config.video.flash_limiter else None
        progress(0, count)
        for number, shown in enumerate(dream.dream(itertools.chain([first], pictures), scene, steps, order.seed)):
            movie.write(shown.image if limiter is None else limiter.limit(shown.image, number), shown.time_s)
            progress(number + 1, None if count is None else max(count, number + 1))
        # Where only a part is wanted, a picture beyond it has been read.
        movie.ends(max(shown.time_s, min(reel.ends_s, order.seconds or math.inf)))
    # What could not be decoded at its beginning is not missing at its end; and Matroska counts from 0, whenever a film begins.
    ended_s = reel.ends_s + max(0.0, reel.begins_s, reel.begins_s - facts.begins_s)
    whole_s = min(facts.seconds or 0.0, order.seconds or math.inf)  # 0 where the film does not say
    if ended_s < 0.9 * whole_s - 0.5:
        tell(f"the film ended after {ended_s:.1f} of {whole_s:.1f} s; was it copied to its end?")
    if limiter is not None and limiter.limited:
        tell(
            f"{limiter.limited} of {number + 1} pictures were held back, for they flash; docs/safety.md. "
            "Slower films and a smaller source.mix flash less; --set video.flash_limiter=false leaves all as it is dreamt"
        )


def _pictures(reel: FilmReel, order: FilmOrder, fit: Fit) -> Iterator[SourcePicture]:
    """The film's pictures at the size that comes out; all have that of the first."""
    size = order.size
    for number in itertools.count():
        try:
            image, time_s = reel.read()
        except EOFError:
            return
        if order.seconds is not None and number and time_s >= order.seconds:
            return
        if size is None:
            size = (image.shape[0], image.shape[1])
        named, other = ("--size", "another") if order.size else (f"'{order.film}'", "a")
        named = f"{named} is {size[1]}x{size[0]}"
        if number == 0 and min(size) < LEAST_PX:
            raise SourceError(f"{named}; there is nothing to dream on in less than {LEAST_PX} pixels: give {other} --size")
        if number == 0 and (max(size) > max(MOST_PX) or min(size) > min(MOST_PX)):
            raise SourceError(f"{named}; films are dreamt up to 7680x4320: give {other} --size")
        yield SourcePicture(fitted(image, size, fit), number, time_s)
