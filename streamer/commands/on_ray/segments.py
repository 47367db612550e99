"""Renders a long film in parallel segments: each starts a little before it is shown, and they are cross-faded.

A picture depends on all pictures before it, but less and less. After ``LEAD_S`` of unseen lead-in, a segment looks similar to
the one before, though not identical, so the two are cross-faded for ``FADE_S``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from streamer.commands.on_ray.node_pool import LOOK_S, NodePool
from streamer.dream.sessions.film import RenderedPicture
from streamer.messages.keyframes import SourcePicture

LEAD_S, FADE_S = 2.0, 0.5
"""Seconds of a segment's unseen lead-in, and of its fade-in."""
OVERLAP_S = LEAD_S + FADE_S


class Spool:
    """Pictures kept on disk until they are needed: (H, W, 3) uint8, each with its number and time."""

    def __init__(self, path: Path, size: tuple[int, int]) -> None:
        self._path, self._shape = path, (*size, 3)
        path.write_bytes(b"")
        self._about: list[tuple[int, float]] = []

    def add(self, picture: SourcePicture) -> None:
        """Append a picture."""
        with self._path.open("ab") as file:
            file.write(np.ascontiguousarray(picture.image).data)
        self._about.append((picture.number, picture.time_s))

    def __iter__(self) -> Iterator[SourcePicture]:
        """Yield all pictures in order, once all are there."""
        length = int(np.prod(self._shape))
        for place, (number, time_s) in enumerate(self._about):
            image = np.fromfile(self._path, np.uint8, length, offset=place * length).reshape(self._shape)
            yield SourcePicture(image, number, time_s)

    @property
    def about(self) -> tuple[tuple[int, float], ...]:
        """The number and time of each picture."""
        return tuple(self._about)

    def remove(self) -> None:
        """Delete the file."""
        self._path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True, eq=False)
class FilmSegment:
    """A segment of a film."""

    number: int
    begins_s: float
    """When only this segment is visible."""
    ends_s: float
    """When only the next one is visible."""
    pictures: Spool
    last: bool


def cut(pictures: Iterator[SourcePicture], piece_s: float, size: tuple[int, int], folder: Path) -> Iterator[FilmSegment]:
    """Cut a film into segments of ``piece_s`` seconds, more than ``OVERLAP_S``, each with its lead-in."""
    number, here, coming = 0, Spool(folder / "piece-0", size), None
    for picture in pictures:
        ends_s = (number + 1) * piece_s
        if picture.time_s >= ends_s and coming is not None and coming.about:
            yield FilmSegment(number, number * piece_s, ends_s, here, last=False)
            number, here, coming = number + 1, coming, None
            ends_s += piece_s
        here.add(picture)
        if picture.time_s >= ends_s - OVERLAP_S:
            coming = coming or Spool(folder / f"piece-{number + 1}", size)
            coming.add(picture)
    if coming is not None:
        coming.remove()
    yield FilmSegment(number, number * piece_s, (number + 1) * piece_s, here, last=True)


@dataclass(frozen=True, slots=True, eq=False)
class Joined:
    """A picture of a film that is rendered in segments."""

    number: int
    rendered: RenderedPicture
    can_checkpoint: bool
    """Whether the following pictures can be rendered without the state before."""


def joined(pieces: Iterator[tuple[FilmSegment, Spool]]) -> Iterator[Joined]:
    """Yield a film's pictures from its rendered segments, in order."""
    leaving: dict[int, np.ndarray] = {}
    for piece, rendered in pieces:
        coming, leaving = leaving, {}
        for picture in rendered:
            since_s = picture.time_s - (piece.begins_s - FADE_S)
            image = picture.image
            if piece.number and picture.number in coming:
                image = blended(coming.pop(picture.number), image, since_s / FADE_S)
            elif piece.number and picture.time_s < piece.begins_s:
                continue
            if not piece.last and picture.time_s >= piece.ends_s - FADE_S:
                leaving[picture.number] = image
                continue
            yield Joined(picture.number, RenderedPicture(image, picture.time_s), not coming and not leaving)
        rendered.remove()


def blended(before: np.ndarray, after: np.ndarray, share: float) -> np.ndarray:
    """Blend two pictures, (H, W, 3) uint8: share 0 is the one before, 1 the one after."""
    share = min(1.0, max(0.0, share))
    mixed: np.ndarray = np.rint(before * np.float32(1 - share) + after * np.float32(share)).astype(np.uint8)
    return mixed


class SegmentedFilm(Iterator[RenderedPicture]):
    """The pictures of a film that is rendered in segments; it can be resumed where ``can_checkpoint``."""

    def __init__(self, pieces: FilmSegments, pictures: Iterator[SourcePicture], piece_s: float, done: int) -> None:
        """Skip the first ``done`` pictures."""
        rendered = joined(pieces.made(pictures, piece_s, done, lambda: self.can_checkpoint))
        self._rendered = (each for each in rendered if each.number >= done)
        self._next: Joined | None = None
        self.can_checkpoint = True

    def more(self) -> bool:
        """Wait for the next picture; return whether there is one, or True when asked to end where that is possible."""
        if self._next is None:
            try:
                self._next = next(self._rendered, None)
            except StopRequested:
                return True
        return self._next is not None

    def __next__(self) -> RenderedPicture:
        if not self.more():
            raise StopIteration
        found, self._next = self._next, None
        assert found is not None
        self.can_checkpoint = found.can_checkpoint
        return found.rendered


class StopRequested(Exception):
    """The work should end early."""


class FilmSegments:
    """Renders segments of a film in parallel."""

    def __init__(
        self,
        ride: Callable[[Iterator[SourcePicture]], Iterator[RenderedPicture]],
        node_pool: NodePool,
        size: tuple[int, int],
        folder: Path,
        stop_requested: Callable[[], bool],
    ) -> None:
        """Prepare.

        Args:
            ride: Starts a dream and renders pictures; called in threads.
            size: (height, width) of the pictures.
            folder: Folder for pictures that wait.
            stop_requested: Returns whether to end.
        """
        self._ride, self._node_pool, self._size, self._folder, self._stop_requested = (
            ride,
            node_pool,
            size,
            folder,
            stop_requested,
        )

    def over(self, pictures: Iterator[SourcePicture], piece_s: float, done: int) -> SegmentedFilm:
        """Render a film's pictures after the first ``done``, in segments of ``piece_s`` seconds."""
        return SegmentedFilm(self, pictures, piece_s, done)

    def made(
        self, pictures: Iterator[SourcePicture], piece_s: float, done: int, can_checkpoint: Callable[[], bool]
    ) -> Iterator[tuple[FilmSegment, Spool]]:
        """Yield the rendered segments in order, without those that are done.

        As many are rendered in parallel as there is room for, and one more waits. Raises StopRequested when asked to end.
        """
        pieces = (piece for piece in cut(pictures, piece_s, self._size, self._folder) if _left(piece, done))
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
                        if self._stop_requested() and can_checkpoint():
                            raise StopRequested
                    yield piece, future.result()
            except BaseException:
                self._node_pool.stop()
                raise

    def _make(self, piece: FilmSegment) -> Spool:
        rendered = Spool(self._folder / f"rendered-{piece.number}", self._size)
        for (number, time_s), shown in zip(piece.pictures.about, self._ride(iter(piece.pictures)), strict=True):
            rendered.add(SourcePicture(shown.image, number, time_s))
        piece.pictures.remove()
        return rendered


def _left(piece: FilmSegment, done: int) -> bool:
    """Return whether a segment has pictures left after the first ``done``; otherwise delete its file."""
    if piece.pictures.about[-1][0] >= done - 1:
        return True
    piece.pictures.remove()
    return False
