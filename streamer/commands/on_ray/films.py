"""Films dreamt on nodes: in one, stretch by stretch, or in pieces at the same time."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator

from streamer.commands.on_ray import node
from streamer.commands.on_ray.crew import Call
from streamer.commands.on_ray.node import FilmPlan, Stretch
from streamer.commands.on_ray.segments import InPieces, Pieces
from streamer.commands.on_ray.sessions import FLOW_S, Elsewhere
from streamer.commands.on_ray.stretches import Pace, Stretches
from streamer.commands.unfinished import Unfinished
from streamer.dream.sessions.estimate import Estimate
from streamer.dream.sessions.film import Dreamt, film_canvas
from streamer.messages import Scene, SourcePicture


class FarFilms(Elsewhere):
    """Dreams films; as ``FilmDream`` here."""

    def canvas(self, size: tuple[int, int]) -> tuple[int, int]:
        """(height, width) of the dream on a film of that size."""
        return film_canvas(self.config, size, self.device)

    def estimate(self, scene: Scene, first: SourcePicture, steps: int, *, trial: bool = True) -> Estimate:
        """What dreaming one picture will take on a node."""
        return self.crew.call(node.try_film, self.with_guides(scene), scene, first, steps, trial)

    def begin(self, size: tuple[int, int], scene: Scene, steps: int, seed: int) -> FarFilmRun:
        """Set out on a film of pictures of (height, width), with so many steps for each."""
        setup, spec = self.with_guides(scene), FilmPlan(size, scene, steps, seed)

        def shown(pictures: Iterator[SourcePicture]) -> Stretches[Dreamt]:
            def ask(state: bytes | None, count: int) -> Call[Stretch[Dreamt]] | None:
                some = list(itertools.islice(pictures, count))
                return self.crew.begin(node.dream_film, setup, spec, some, state) if some else None

            return Stretches(ask, Pace(FLOW_S, 6 * math.prod(size)))

        return FarFilmRun(shown)

    def begin_pieces(
        self, size: tuple[int, int], scene: Scene, steps: int, seed: int, piece_s: float, work: Unfinished
    ) -> FarPieces:
        """The same in pieces of so many seconds."""

        def ride(pictures: Iterator[SourcePicture]) -> Iterator[Dreamt]:
            return self.begin(size, scene, steps, seed).over(pictures)

        return FarPieces(Pieces(ride, self.crew, size, work.folder, lambda: work.asked), piece_s)


class FarFilmRun:
    """A film being dreamt; as ``FilmRun`` here."""

    CHANGES = ("_shown",)

    def __init__(self, shown: Callable[[Iterator[SourcePicture]], Stretches[Dreamt]]) -> None:
        self._pictures: Iterator[SourcePicture] = iter(())
        self._shown = shown(self._read())

    def _read(self) -> Iterator[SourcePicture]:
        yield from self._pictures  # those that are given once it is known what is done

    def over(self, pictures: Iterator[SourcePicture], done: int = 0) -> Stretches[Dreamt]:
        """Dream on the pictures of the film, of which so many are done; they are read ahead."""
        self._pictures = itertools.islice(pictures, done, None)
        return self._shown


class FarPieces:
    """A film being dreamt in pieces; nothing of it has to be kept to go on, for a piece is begun again."""

    CHANGES = ()

    def __init__(self, pieces: Pieces, piece_s: float) -> None:
        self._pieces, self._piece_s = pieces, piece_s

    def over(self, pictures: Iterator[SourcePicture], done: int = 0) -> InPieces:
        """Dream on the pictures of the film, of which so many are done."""
        return self._pieces.over(pictures, self._piece_s, done)
