"""Base of all file formats, and a trial write before the render starts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from streamer.video.files.partial_output import put_in_place, remove
from streamer.video.files.sound_codecs import SoundChoice

PART, TRIAL = "whole", "trial"
"""Names in the work folder: of the finished output, and of the trial's folder."""


@dataclass(frozen=True, slots=True)
class FilmSound:
    """Sound to take from a video."""

    film: Path
    until_s: float | None = None
    """Seconds at which it is cut off; None for all of it."""
    begins_s: float | None = None
    """Time of the video's first picture on its own clock; None for what its container says."""
    choice: SoundChoice | None = None
    """Which track, and whether it is copied; None to find out."""


class FileFormat(ABC):
    """One output format. It writes in its own folder, ``work_folder``, and leaves the finished output in ``part`` there."""

    is_folder = False
    has_sound = False

    def __init__(self, work_folder: Path, size: tuple[int, int], fps: Fraction, *, resumable: bool = False) -> None:
        """Start.

        Args:
            resumable: whether ``state`` may be called; the files it refers to then stay in the work folder.
        """
        self.work_folder, self.part, self.resumable = work_folder, work_folder / PART, resumable
        self.frames = 0
        self.ends_s: float | None = None
        self.time_s: float | None = None

    def set_sound(self, sound: FilmSound | None) -> None:  # noqa: B027 most are silent
        """Add a video's sound."""

    def write(self, image: np.ndarray, time_s: float | None) -> None:
        """Add a frame."""
        self.frames += 1
        self.time_s = time_s
        self.add(image)

    @abstractmethod
    def add(self, image: np.ndarray) -> None:
        """Take a frame, shown at ``time_s``."""

    @abstractmethod
    def finish(self) -> None:
        """Write what is left."""

    def finish_so_far(self) -> None:
        """Complete the output so far. ``state`` stays valid, and nothing is added any more."""
        self.finish()

    def state(self) -> dict[str, Any]:
        """Return the progress as JSON values; with it and the work folder, another instance can continue."""
        return {"frames": self.frames}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a state; call it before the first frame.

        Raises:
            OSError: files are missing in the work folder.
        """
        self.frames = int(state["frames"])

    def end_trial(self) -> None:
        """Finish a trial."""
        self.finish()

    def give_up(self) -> None:  # noqa: B027 most have nothing open
        """Close everything that is open."""

    def place(self, path: Path) -> None:
        """Move the finished output to its path."""
        put_in_place(self.part, path)


def try_writing(
    kind: type[FileFormat], work_folder: Path, size: tuple[int, int], fps: Fraction, sound: FilmSound | None
) -> None:
    """Write and delete a one-frame video with the first sound, to find errors before the render starts."""
    aside = work_folder / TRIAL
    trial: FileFormat | None = None
    remove(aside)
    try:
        aside.mkdir()
        trial = kind(aside, size, fps)
        trial.set_sound(sound)
        trial.write(np.zeros((*size, 3), np.uint8), None)
        trial.end_trial()
    finally:
        if trial is not None:
            trial.give_up()
        remove(aside)
