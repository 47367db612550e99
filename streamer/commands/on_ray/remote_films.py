"""Renders films on nodes: one stretch after the other, or in parallel segments."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator

from streamer.commands.on_ray import node
from streamer.commands.on_ray.node import FilmPlan, Stretch
from streamer.commands.on_ray.node_pool import NodeTask
from streamer.commands.on_ray.remote_sessions import FLOW_S, RemoteNetworks
from streamer.commands.on_ray.segments import FilmSegments, SegmentedFilm
from streamer.commands.on_ray.stretches import Stretches, StretchPace
from streamer.commands.resumable_work import ResumableWork
from streamer.dream.sessions.estimate import Estimate
from streamer.dream.sessions.film import RenderedPicture, film_canvas
from streamer.messages.keyframes import SourcePicture
from streamer.messages.scenes import Scene


class RemoteFilms(RemoteNetworks):
    """Renders films on nodes; see ``FilmDream``."""

    def canvas(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return (height, width) of the canvas for a film's size."""
        return film_canvas(self.config, size, self.device)

    def estimate(self, scene: Scene, first: SourcePicture, steps: int, *, trial: bool = True) -> Estimate:
        """Estimate the time and memory of one picture on a node."""
        return self.node_pool.call(node.try_film, self.with_guides(scene), scene, first, steps, trial)

    def begin(self, size: tuple[int, int], scene: Scene, steps: int, seed: int) -> RemoteFilmRun:
        """Start a film with pictures of (height, width) and ``steps`` for each."""
        setup, spec = self.with_guides(scene), FilmPlan(size, scene, steps, seed)

        def shown(pictures: Iterator[SourcePicture]) -> Stretches[RenderedPicture]:
            def ask(state: bytes | None, count: int) -> NodeTask[Stretch[RenderedPicture]] | None:
                some = list(itertools.islice(pictures, count))
                return self.node_pool.begin(node.dream_film, setup, spec, some, state) if some else None

            return Stretches(ask, StretchPace(FLOW_S, 6 * math.prod(size)))

        return RemoteFilmRun(shown)

    def begin_pieces(
        self, size: tuple[int, int], scene: Scene, steps: int, seed: int, piece_s: float, work: ResumableWork
    ) -> RemoteSegments:
        """Start a film in segments of ``piece_s`` seconds."""

        def ride(pictures: Iterator[SourcePicture]) -> Iterator[RenderedPicture]:
            return self.begin(size, scene, steps, seed).over(pictures)

        return RemoteSegments(FilmSegments(ride, self.node_pool, size, work.folder, lambda: work.asked), piece_s)


class RemoteFilmRun:
    """A film being rendered on nodes; see ``FilmRun``."""

    CHANGES = ("_shown",)

    def __init__(self, shown: Callable[[Iterator[SourcePicture]], Stretches[RenderedPicture]]) -> None:
        self._pictures: Iterator[SourcePicture] = iter(())
        self._shown = shown(self._read())

    def _read(self) -> Iterator[SourcePicture]:
        yield from self._pictures  # those that are given once it is known what is done

    def over(self, pictures: Iterator[SourcePicture], done: int = 0) -> Stretches[RenderedPicture]:
        """Render the pictures of the film after the first ``done``; they are read ahead."""
        self._pictures = itertools.islice(pictures, done, None)
        return self._shown


class RemoteSegments:
    """A film being rendered in segments; it needs no saved state, since a segment starts over."""

    CHANGES = ()

    def __init__(self, pieces: FilmSegments, piece_s: float) -> None:
        self._pieces, self._piece_s = pieces, piece_s

    def over(self, pictures: Iterator[SourcePicture], done: int = 0) -> SegmentedFilm:
        """Render the pictures of the film after the first ``done``."""
        return self._pieces.over(pictures, self._piece_s, done)
