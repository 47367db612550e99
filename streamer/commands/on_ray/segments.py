"""A long film in pieces, which nodes dream at the same time: each begins a little before it is seen, and they are cross-faded.

What a dream makes of a film depends on all that came before, though less and less. A piece that has ridden for ``LEAD_S``
unseen looks alike, and is another picture: the two fade into each other for ``FADE_S``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from streamer.commands.on_ray.node_pool import LOOK_S, NodePool
from streamer.dream.sessions.film import DreamtPicture
from streamer.messages.keyframes import SourcePicture

LEAD_S, FADE_S = 2.0, 0.5
"""Seconds that a piece is dreamt unseen before it comes in, and that it takes to come in."""
OVERLAP_S = LEAD_S + FADE_S


class Spool:
    """Pictures on the disk until they are wanted, (H, W, 3) uint8 each with its number and time."""

    def __init__(self, path: Path, size: tuple[int, int]) -> None:
        self._path, self._shape = path, (*size, 3)
        path.write_bytes(b"")
        self._about: list[tuple[int, float]] = []

    def add(self, picture: SourcePicture) -> None:
        """Put a picture behind the others."""
        with self._path.open("ab") as file:
            file.write(np.ascontiguousarray(picture.image).data)
        self._about.append((picture.number, picture.time_s))

    def __iter__(self) -> Iterator[SourcePicture]:
        """All of them in order, once they are all there."""
        length = int(np.prod(self._shape))
        for place, (number, time_s) in enumerate(self._about):
            image = np.fromfile(self._path, np.uint8, length, offset=place * length).reshape(self._shape)
            yield SourcePicture(image, number, time_s)

    @property
    def about(self) -> tuple[tuple[int, float], ...]:
        """The number and the time of each."""
        return tuple(self._about)

    def remove(self) -> None:
        """Give the room back."""
        self._path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True, eq=False)
class FilmSegment:
    """A part of a film."""

    number: int
    begins_s: float
    """When all that is seen is its own…"""
    ends_s: float
    """…and when all is that of the next."""
    pictures: Spool
    last: bool


def cut(pictures: Iterator[SourcePicture], piece_s: float, size: tuple[int, int], room: Path) -> Iterator[FilmSegment]:
    """Cut a film into pieces of so many seconds, more than ``OVERLAP_S``, each with what leads to it."""
    number, here, coming = 0, Spool(room / "piece-0", size), None
    for picture in pictures:
        ends_s = (number + 1) * piece_s
        if picture.time_s >= ends_s and coming is not None and coming.about:
            yield FilmSegment(number, number * piece_s, ends_s, here, last=False)
            number, here, coming = number + 1, coming, None
            ends_s += piece_s
        here.add(picture)
        if picture.time_s >= ends_s - OVERLAP_S:
            coming = coming or Spool(room / f"piece-{number + 1}", size)
            coming.add(picture)
    if coming is not None:
        coming.remove()
    yield FilmSegment(number, number * piece_s, (number + 1) * piece_s, here, last=True)


@dataclass(frozen=True, slots=True, eq=False)
class Joined:
    """A picture of a film that was dreamt in pieces."""

    number: int
    dreamt: DreamtPicture
    can_checkpoint: bool
    """Whether what follows can do without what was dreamt before."""


def joined(pieces: Iterator[tuple[FilmSegment, Spool]]) -> Iterator[Joined]:
    """The pictures of a film from those of its dreamt pieces, in order."""
    leaving: dict[int, np.ndarray] = {}
    for piece, dreamt in pieces:
        coming, leaving = leaving, {}
        for picture in dreamt:
            since_s = picture.time_s - (piece.begins_s - FADE_S)
            image = picture.image
            if piece.number and picture.number in coming:
                image = blended(coming.pop(picture.number), image, since_s / FADE_S)
            elif piece.number and picture.time_s < piece.begins_s:
                continue
            if not piece.last and picture.time_s >= piece.ends_s - FADE_S:
                leaving[picture.number] = image
                continue
            yield Joined(picture.number, DreamtPicture(image, picture.time_s), not coming and not leaving)
        dreamt.remove()


def blended(before: np.ndarray, after: np.ndarray, share: float) -> np.ndarray:
    """One picture fading into another, (H, W, 3) uint8: 0 is the one before, 1 the one after."""
    share = min(1.0, max(0.0, share))
    mixed: np.ndarray = np.rint(before * np.float32(1 - share) + after * np.float32(share)).astype(np.uint8)
    return mixed


class SegmentedFilm(Iterator[DreamtPicture]):
    """A film that is dreamt in pieces, picture by picture; it can be gone on with where ``can_checkpoint``."""

    def __init__(self, pieces: FilmSegments, pictures: Iterator[SourcePicture], piece_s: float, done: int) -> None:
        """Pass over so many pictures that are done."""
        dreamt = joined(pieces.made(pictures, piece_s, done, lambda: self.can_checkpoint))
        self._dreamt = (each for each in dreamt if each.number >= done)
        self._next: Joined | None = None
        self.can_checkpoint = True

    def more(self) -> bool:
        """Whether there is another picture; it is waited for, unless all is to end where that can be."""
        if self._next is None:
            try:
                self._next = next(self._dreamt, None)
            except StopRequested:
                return True
        return self._next is not None

    def __next__(self) -> DreamtPicture:
        if not self.more():
            raise StopIteration
        found, self._next = self._next, None
        assert found is not None
        self.can_checkpoint = found.can_checkpoint
        return found.dreamt


class StopRequested(Exception):
    """All is to end."""


class FilmSegments:
    """Has pieces of a film dreamt, several at once."""

    def __init__(
        self,
        ride: Callable[[Iterator[SourcePicture]], Iterator[DreamtPicture]],
        node_pool: NodePool,
        size: tuple[int, int],
        room: Path,
        asked: Callable[[], bool],
    ) -> None:
        """Prepare.

        Args:
            ride: begins a dream and rides on pictures; called in threads.
            size: (height, width) of the pictures.
            room: folder for what waits.
            asked: whether all is to end.
        """
        self._ride, self._node_pool, self._size, self._room, self._asked = ride, node_pool, size, room, asked

    def over(self, pictures: Iterator[SourcePicture], piece_s: float, done: int) -> SegmentedFilm:
        """Dream on all pictures of a film, of which so many are done, in pieces of so many seconds."""
        return SegmentedFilm(self, pictures, piece_s, done)

    def made(
        self, pictures: Iterator[SourcePicture], piece_s: float, done: int, can_checkpoint: Callable[[], bool]
    ) -> Iterator[tuple[FilmSegment, Spool]]:
        """The dreamt pieces in order, but for those that are done.

        As many are at work at a time as there is room for, and one waits. Raises Asked where all is to end.
        """
        pieces = (piece for piece in cut(pictures, piece_s, self._size, self._room) if _left(piece, done))
        at_work: deque[tuple[FilmSegment, Future[Spool]]] = deque()
        with ThreadPoolExecutor(self._node_pool.at_once, thread_name_prefix="ray") as pool:
            try:
                while True:
                    while len(at_work) <= self._node_pool.at_once and (piece := next(pieces, None)) is not None:
                        at_work.append((piece, pool.submit(self._make, piece)))
                    if not at_work:
                        return
                    piece, future = at_work.popleft()
                    while not wait([future], LOOK_S).done:
                        if self._asked() and can_checkpoint():
                            raise StopRequested
                    yield piece, future.result()
            except BaseException:
                self._node_pool.stop()
                raise

    def _make(self, piece: FilmSegment) -> Spool:
        dreamt = Spool(self._room / f"dreamt-{piece.number}", self._size)
        for (number, time_s), shown in zip(piece.pictures.about, self._ride(iter(piece.pictures)), strict=True):
            dreamt.add(SourcePicture(shown.image, number, time_s))
        piece.pictures.remove()
        return dreamt


def _left(piece: FilmSegment, done: int) -> bool:
    """Whether there is something to do for a piece where so many pictures are done; else it gives its room back."""
    if piece.pictures.about[-1][0] >= done - 1:
        return True
    piece.pictures.remove()
    return False
