"""Films dreamt on nodes: in one, stretch by stretch, or in pieces at the same time."""

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
from streamer.dream.sessions.film import DreamtPicture, film_canvas
from streamer.messages.keyframes import SourcePicture
from streamer.messages.scenes import Scene


class RemoteFilms(RemoteNetworks):
    """Dreams films; as ``FilmDream`` here."""

    def canvas(self, size: tuple[int, int]) -> tuple[int, int]:
        """(height, width) of the dream on a film of that size."""
        return film_canvas(self.config, size, self.device)

    def estimate(self, scene: Scene, first: SourcePicture, steps: int, *, trial: bool = True) -> Estimate:
        """What dreaming one picture will take on a node."""
        return self.node_pool.call(node.try_film, self.with_guides(scene), scene, first, steps, trial)

    def begin(self, size: tuple[int, int], scene: Scene, steps: int, seed: int) -> RemoteFilmRun:
        """Set out on a film of pictures of (height, width), with so many steps for each."""
        setup, spec = self.with_guides(scene), FilmPlan(size, scene, steps, seed)

        def shown(pictures: Iterator[SourcePicture]) -> Stretches[DreamtPicture]:
            def ask(state: bytes | None, count: int) -> NodeTask[Stretch[DreamtPicture]] | None:
                some = list(itertools.islice(pictures, count))
                return self.node_pool.begin(node.dream_film, setup, spec, some, state) if some else None

            return Stretches(ask, StretchPace(FLOW_S, 6 * math.prod(size)))

        return RemoteFilmRun(shown)

    def begin_pieces(
        self, size: tuple[int, int], scene: Scene, steps: int, seed: int, piece_s: float, work: ResumableWork
    ) -> RemoteSegments:
        """The same in pieces of so many seconds."""

        def ride(pictures: Iterator[SourcePicture]) -> Iterator[DreamtPicture]:
            return self.begin(size, scene, steps, seed).over(pictures)

        return RemoteSegments(FilmSegments(ride, self.node_pool, size, work.folder, lambda: work.asked), piece_s)


class RemoteFilmRun:
    """A film being dreamt; as ``FilmRun`` here."""

    CHANGES = ("_shown",)

    def __init__(self, shown: Callable[[Iterator[SourcePicture]], Stretches[DreamtPicture]]) -> None:
        self._pictures: Iterator[SourcePicture] = iter(())
        self._shown = shown(self._read())

    def _read(self) -> Iterator[SourcePicture]:
        yield from self._pictures  # those that are given once it is known what is done

    def over(self, pictures: Iterator[SourcePicture], done: int = 0) -> Stretches[DreamtPicture]:
        """Dream on the pictures of the film, of which so many are done; they are read ahead."""
        self._pictures = itertools.islice(pictures, done, None)
        return self._shown


class RemoteSegments:
    """A film being dreamt in pieces; nothing of it has to be kept to go on, for a piece is begun again."""

    CHANGES = ()

    def __init__(self, pieces: FilmSegments, piece_s: float) -> None:
        self._pieces, self._piece_s = pieces, piece_s

    def over(self, pictures: Iterator[SourcePicture], done: int = 0) -> SegmentedFilm:
        """Dream on the pictures of the film, of which so many are done."""
        return self._pieces.over(pictures, self._piece_s, done)
