"""Renders a film frame by frame, with the film's own size, frame rate and sound."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from streamer.commands import WRONG_CALL, CommandError
from streamer.commands.command_errors import as_command_error
from streamer.commands.duration_history import DurationForecast
from streamer.commands.on_ray.node_pool import NodePool, open_node_pool
from streamer.commands.on_ray.options import RayCall
from streamer.commands.progress_display import Tell, progress_bar, teller
from streamer.commands.render_pictures import targets
from streamer.commands.resumable_work import ResumableWork
from streamer.commands.still_picture import LEAST_PX, MOST_PX
from streamer.config import Config
from streamer.dream.device import make_torch_repeatable
from streamer.dream.sessions.film import STEPS, FilmDream, FilmRun
from streamer.dream.sources.animation import RecordedReader, open_film
from streamer.dream.sources.picture import SourceError
from streamer.dream.sources.readers import FilmReader
from streamer.media.fit import Fit, fitted
from streamer.messages.keyframes import SourcePicture
from streamer.messages.scenes import Layout, Scene, arrange
from streamer.plurals import counted
from streamer.requests.vocabulary import Vocabulary
from streamer.video.files.file_format import FilmSound
from streamer.video.files.film_probe import probe_film
from streamer.video.files.movie import MovieWriter
from streamer.video.files.sound_codecs import SoundChoice
from streamer.video.flash.limiter import FlashLimiter

if TYPE_CHECKING:
    from streamer.commands.on_ray.remote_films import RemoteFilmRun, RemoteFilms, RemoteSegments


LEAST_PIECE_S = 4.0
"""Shortest segment, so that it is visible for longer than its lead-in and cross-fade."""


@dataclass(frozen=True, slots=True)
class FilmOrder:
    """What to render on which film."""

    subject: str
    """The subject, in the words of a script."""
    film: Path
    output: Path
    """``.mp4`` with the film's sound, ``.gif``, ``.png`` or ``.jpg`` (the last frame), or a folder of frames."""
    seed: int
    size: tuple[int, int] | None = None
    """(height, width) of the frames; None for the film's own."""
    iterations: int | None = None
    """Steps for each frame; None for the default."""
    seconds: float | None = None
    """How much of the film to render; None for all of it."""


def command(
    config: Config, order: FilmOrder, work: ResumableWork, console: Console, announce: Tell, ray: RayCall | None = None
) -> None:
    """Render with a progress bar, and estimate time and memory first.

    Args:
        ray: The cluster to render on; None renders here.

    Raises:
        CommandError: the call was wrong, it failed, or it was stopped.
    """
    piece_s = None if ray is None else ray.segment_s
    if piece_s is not None and piece_s < LEAST_PIECE_S:
        raise CommandError(f"--ray-segment is {piece_s:g}; must be {LEAST_PIECE_S:g} s or more", WRONG_CALL)
    with as_command_error(), work:
        targets(order.subject, Vocabulary.load(), None)  # report mistakes before the network loads
        if order.output.exists() and order.output.resolve() == order.film.resolve():
            raise CommandError(f"'{order.output}' would be replaced by its own dream; name another place", WRONG_CALL)
        reader = open_film(str(order.film), config.source.track)
        try:
            with progress_bar(console) as shown:
                task = shown.add_task("dreaming", total=None)

                def progress(done: int, total: int | None) -> None:
                    shown.update(task, completed=done, total=total)

                with open_node_pool(ray, config, teller(console)) as node_pool:
                    _dream(config, order, work, reader, progress, teller(console), node_pool, piece_s)
        finally:
            reader.close()
    announce(f"{order.output} (seed {order.seed})")


def _dream(
    config: Config,
    order: FilmOrder,
    work: ResumableWork,
    reader: RecordedReader,
    progress: Callable[[int, int | None], None],
    tell: Tell,
    node_pool: NodePool | None,
    piece_s: float | None,
) -> None:
    """Render a film into its file, in segments of ``piece_s`` seconds if a cluster renders and the call asks for it."""
    source = config.source
    pictures = _pictures(reader, order, source.fit)
    first = next(pictures)
    for note in reader.notes:
        tell(f"'{order.film}': {note}")
    facts, steps = probe_film(order.film, source.track), order.iterations or STEPS
    count = facts.pictures(order.seconds)
    size = (first.image.shape[0], first.image.shape[1])
    silent = None if isinstance(reader, FilmReader) else SoundChoice(None)
    sound = FilmSound(order.film, order.seconds, reader.begins_s, silent)
    with MovieWriter(order.output, size, facts.fps, sound, work_folder=work.folder) as movie:
        for note in movie.notes:
            tell(f"'{order.film}': {note}")
        make_torch_repeatable()
        dream = FilmDream(config) if node_pool is None else _far(config, node_pool)
        wanted = targets(order.subject, Vocabulary.load().for_network(dream.wnids), dream.layers)
        scene = Scene(1, arrange(wanted, Layout(config.dream.layout)))
        (height, width), named = size, "pictures, their number unknown," if count is None else counted(count, "picture")
        canvas = dream.canvas(size)
        kind = f"film {width}x{height} {canvas[1]}x{canvas[0]} {steps} {order.output.suffix.lower()}"
        forecast = DurationForecast(kind, dream.machine, begun_s=work.begun_s)
        estimate = dream.estimate(scene, first, steps, trial=forecast.known_s is None)
        if estimate.fits:
            estimate = replace(estimate, seconds=forecast.seconds(count or 1, estimate.seconds))
        canvas_note = "" if canvas == size else f", rendered at {canvas[1]}x{canvas[0]}"
        tell(
            f"{scene.title}, {named} of {width}x{height}{canvas_note}, {counted(steps, 'iteration')} each: "
            f"{estimate}{' for the first picture' if count is None else ''}"
        )
        if not estimate.fits:
            raise CommandError(f"{canvas[1]}x{canvas[0]} needs {estimate.needs}; try --set canvas.width={canvas[1] // 2}")
        limiter = FlashLimiter(size, facts.fps) if config.video.flash_limiter else None
        run: FilmRun | RemoteFilmRun | RemoteSegments
        if isinstance(dream, FilmDream) or piece_s is None:
            run = dream.begin(size, scene, steps, order.seed)
        else:
            run = dream.begin_pieces(size, scene, steps, order.seed, piece_s, work)
        parts = {"run": run, "limiter": limiter}
        with work.soft_stop():
            done = work.restore(movie, parts)
            progress(done, count)
            forecast.begins()
            before = done
            riding = run.over(itertools.chain([first], pictures), done)
            while riding.more():
                if (done > before or work.asked) and riding.can_checkpoint:
                    work.save_or_stop(movie, parts, done, count)
                shown = next(riding)
                movie.write(shown.image if limiter is None else limiter.limit(shown.image, done), shown.time_s)
                done += 1
                progress(done, None if count is None else max(count, done))
        # If only a part is rendered, the reader has gone one picture too far.
        movie.ends(max(shown.time_s, min(reader.ends_s, order.seconds or math.inf)))
    forecast.learn(done - before)
    # What could not be decoded at the start is not missing at the end, and Matroska counts from 0 wherever a film starts.
    ended_s = reader.ends_s + max(0.0, reader.begins_s, reader.begins_s - facts.begins_s)
    whole_s = min(facts.seconds or 0.0, order.seconds or math.inf)  # 0 if the film does not say
    if ended_s < 0.9 * whole_s - 0.5:
        tell(f"the film ended after {ended_s:.1f} of {whole_s:.1f} s; was it copied to its end?")
    if limiter is not None and limiter.limited:
        tell(
            f"{limiter.limited} of {done} pictures were held back because they flash; docs/safety.md. "
            "Slower films and a smaller source.mix flash less; --set video.flash_limiter=false turns the limiter off"
        )


def _far(config: Config, node_pool: NodePool) -> RemoteFilms:
    """Return what renders on nodes."""
    from streamer.commands.on_ray.remote_films import RemoteFilms

    return RemoteFilms(config, node_pool)


def _pictures(reader: RecordedReader, order: FilmOrder, fit: Fit) -> Iterator[SourcePicture]:
    """Yield the film's pictures at the output's size, which is the first picture's unless the call names one."""
    size = order.size
    for number in itertools.count():
        try:
            image, time_s = reader.read()
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
            raise SourceError(f"{named}; films are rendered up to 7680x4320: give {other} --size")
        yield SourcePicture(fitted(image, size, fit), number, time_s)
