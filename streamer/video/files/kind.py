"""What every kind of output does with frames and sound, and a trial of it before anything is dreamt."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from streamer.video.files.sound_codecs import SoundChoice
from streamer.video.files.unfinished import beside, put_in_place, remove


@dataclass(frozen=True, slots=True)
class Sound:
    """Sound from a film."""

    film: Path
    until_s: float | None = None
    """Where it is cut off; None for all of it."""
    begins_s: float | None = None
    """When the film's first picture is seen, by the film's own clock; None for what it says of itself."""
    choice: SoundChoice | None = None
    """Which of its tracks, and how; None to find out."""


class Kind(ABC):
    """One kind of output, written to ``part``."""

    is_folder = False
    has_sound = False

    def __init__(self, part: Path, size: tuple[int, int], fps: Fraction) -> None:
        self.part = part
        self.frames = 0
        self.ends_s: float | None = None

    def accompany(self, sound: Sound | None) -> None:  # noqa: B027 most are silent
        """Take a film's sound along."""

    def write(self, image: np.ndarray, time_s: float | None) -> None:
        """Add a frame."""
        self.frames += 1
        self.time_s = time_s
        self.add(image)

    @abstractmethod
    def add(self, image: np.ndarray) -> None:
        """Take a frame, to be shown at ``time_s``."""

    @abstractmethod
    def finish(self) -> None:
        """Write what is left."""

    def end_rehearsal(self) -> None:
        """Finish what is only a trial."""
        self.finish()

    def give_up(self) -> None:  # noqa: B027 most have nothing open
        """Let go of everything open."""

    def place(self, part: Path, path: Path) -> None:
        """Move the finished work to where it was asked for."""
        put_in_place(part, path)


def rehearse(kind: type[Kind], path: Path, size: tuple[int, int], fps: Fraction, sound: Sound | None) -> None:
    """Write a video of one frame and of the first sound, from opening it to its end, and remove it."""
    part = beside(path, folder=kind.is_folder)
    trial: Kind | None = None
    try:
        trial = kind(part, size, fps)
        trial.accompany(sound)
        trial.write(np.zeros((*size, 3), np.uint8), None)
        trial.end_rehearsal()
    finally:
        if trial is not None:
            trial.give_up()
        remove(part)
