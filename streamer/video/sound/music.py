"""Plays music from a file or a folder in a loop, with a cross-fade between files."""

from __future__ import annotations

import logging
import mimetypes
import os
import random
import re
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np

from streamer.video.sound.decoding import SoundError, decode

log = logging.getLogger(__name__)

BATCH_S = 0.25
"""Seconds of sound processed at a time."""
SHORTEST_S = 0.1
"""Files with fewer seconds of sound are skipped: looping one would only rattle."""
NOT_SOUND = ("image/", "text/", "application/pdf", "application/zip")
"""Types of files often found beside music; they are skipped silently."""


class Music:
    """Plays a file or a folder in an endless loop; one thread at a time.

    The files of a folder and its subfolders play in name order, or in a new random order each round. Each round lists the files
    again, so they may come and go. An unreadable file is skipped with one warning, and tried again in the next round. At most
    twice the cross-fade plus ``BATCH_S`` of a file is held in memory.
    """

    def __init__(
        self, path: Path, rate: int, *, crossfade_s: float = 2.0, shuffle: bool = False, order: random.Random | None = None
    ) -> None:
        """Open nothing yet; the first ``read`` does.

        Args:
            path: the file or folder.
            rate: wanted samples per second.
            crossfade_s: seconds of equal-power cross-fade between files, at most half of the shorter one; 0: a clean cut.
            shuffle: whether each round has a random order.
            order: random generator for it.
        """
        self.playing = ""
        """Path of the current file within the folder; empty if there is none."""
        self._path = path
        self._rate = rate
        self._fade = round(crossfade_s * rate)
        self._shuffle = shuffle
        self._order = order or random.Random()
        self._skipped: set[Path] = set()
        self._last: Path | None = None
        self._stream: Generator[np.ndarray, None, None] | None = None

    def read(self) -> np.ndarray:
        """Return the next samples, (n, 2) float32, n > 0.

        Raises:
            SoundError: none of the files can be played; the next call tries again.
        """
        if self._stream is None:
            self._stream = self._play()
        try:
            return next(self._stream)
        except BaseException:
            self._stream = None
            self.playing = ""
            raise

    def close(self) -> None:
        """Close the file; a later ``read`` starts again."""
        if self._stream is not None:
            self._stream.close()
        self._stream = None
        self.playing = ""

    def hang_up(self) -> None:
        """Do nothing: ``read`` never waits."""

    def _play(self) -> Generator[np.ndarray, None, None]:
        tail = np.zeros((0, 2), np.float32)  # the end of the previous file, not played yet
        while True:
            files = self._round()
            played = False
            reason = ""
            for file in files:
                try:
                    with closing(_Song(file, self._rate, 2 * self._fade)) as song:
                        played = True
                        self.playing, self._last = self._name(file), file
                        tail = yield from self._join(tail, song)
                    if song.damage:
                        self._warn(file, f"is cut short: {song.damage}")
                    else:
                        self._skipped.discard(file)
                except SoundError as error:
                    reason = reason or f"'{self._name(file)}': {error}"
                    self._warn(file, f"is skipped: {error}")
            if not played:
                if len(tail):
                    yield tail
                raise SoundError(_nothing(self._path, len(files), reason))

    def _round(self) -> list[Path]:
        """Return the files of the next round, in order."""
        files = list(sound_files(self._path))
        if self._shuffle:
            self._order.shuffle(files)
            if len(files) > 1 and files[0] == self._last:  # not twice in a row
                files.append(files.pop(0))
        return files

    def _join(self, tail: np.ndarray, song: _Song) -> Generator[np.ndarray, None, np.ndarray]:
        """Yield the cross-fade of one song's end into the next, then the next up to its own end, which is returned."""
        longest = song.total // 2 if song.ended else self._fade
        overlap = min(self._fade, longest, len(tail))
        before, tail = tail[: len(tail) - overlap], tail[len(tail) - overlap :]
        if len(before):
            yield before
        if overlap:
            yield equal_power(tail, song.beginning[:overlap])
        held = song.beginning[overlap:]
        for samples in song.rest():
            held = np.concatenate((held, samples))
            ready = len(held) - self._fade
            if ready > 0:
                yield held[:ready]
                held = held[ready:]
        ready = len(held) - min(self._fade, song.total // 2)
        if ready > 0:
            yield held[:ready]
        return held[max(ready, 0) :]

    def _warn(self, file: Path, what: str) -> None:
        if file not in self._skipped:
            self._skipped.add(file)
            log.warning("'%s' %s", file, what)

    def _name(self, file: Path) -> str:
        return file.name if file == self._path else str(file.relative_to(self._path))


class _Song:
    """A file being played: its beginning is decoded immediately, the rest on demand."""

    def __init__(self, file: Path, rate: int, beginning: int) -> None:
        """Decode the first samples.

        Raises:
            SoundError: the file is unreadable or shorter than ``SHORTEST_S``.
        """
        self.damage = ""
        """Why it ended too early; empty otherwise."""
        self.ended = False
        self.total = 0
        """Samples decoded so far."""
        self._decoder = decode(file, rate)
        self._batch = round(BATCH_S * rate)
        least = round(SHORTEST_S * rate)
        try:
            self.beginning = self._gather(max(beginning, least))
            """Its first samples: as many as asked for, or a little more; fewer if it is shorter."""
            if self.total < least:
                raise SoundError(self.damage or f"there is less than {SHORTEST_S:g} s of sound in it")
        except BaseException:
            self.close()
            raise

    def rest(self) -> Iterator[np.ndarray]:
        """Yield what follows the beginning, batch by batch."""
        while not self.ended:
            samples = self._gather(self._batch)
            if len(samples):
                yield samples

    def close(self) -> None:
        """Close the file."""
        self._decoder.close()

    def _gather(self, least: int) -> np.ndarray:
        parts: list[np.ndarray] = []
        count = 0
        while count < least and not self.ended:
            try:
                parts.append(next(self._decoder))
                count += len(parts[-1])
            except StopIteration:
                self.ended = True
            except SoundError as error:
                self.ended, self.damage = True, str(error)
        self.total += count
        return np.concatenate(parts) if parts else np.zeros((0, 2), np.float32)


def equal_power(out: np.ndarray, into: np.ndarray) -> np.ndarray:
    """Cross-fade two sounds of the same length, (n, 2) float32; the sum of unrelated sounds keeps its loudness."""
    angle = ((np.arange(len(out), dtype=np.float32) + 0.5) / len(out) * (np.pi / 2))[:, None]
    mixed: np.ndarray = out * np.cos(angle) + into * np.sin(angle)
    return mixed.astype(np.float32)


def sound_files(path: Path) -> Iterator[Path]:
    """Yield the files that may contain sound: the one named, or those in the folder, in name order.

    Hidden files and those with the suffix of another type are left out; links to folders are not followed.
    """
    if path.is_file():
        yield path
    for folder, folders, names in os.walk(path):
        folders[:] = sorted((name for name in folders if not name.startswith(".")), key=_natural)
        for name in sorted(names, key=_natural):
            kind = mimetypes.guess_type(name)[0] or ""
            file = Path(folder, name)
            if not name.startswith(".") and not kind.startswith(NOT_SOUND) and file.is_file():
                yield file


def _natural(name: str) -> list[tuple[int, str]]:
    """Sort '2 b' before '10 a', and capitals with small letters."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", name.casefold())]


def _nothing(path: Path, files: int, reason: str) -> str:
    if not path.exists():
        return f"there is no file or folder '{path}'; 'audio.path' names it"
    if not files:
        return f"there is no music in '{path}'; put files there, and they are played"
    if path.is_file():
        return f"'{path}' cannot be played: {reason.partition(': ')[2]}"
    which = "the only file" if files == 1 else f"none of the {files} files"
    return f"{which} in '{path}' can{'not' * (files == 1)} be played: {reason}"
