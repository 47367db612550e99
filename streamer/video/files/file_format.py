"""What every kind of output does with frames and sound, and a trial of it before anything is dreamt."""

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
"""Names in the room: of the finished work, and of the folder of a rehearsal."""


@dataclass(frozen=True, slots=True)
class FilmSound:
    """Sound from a film."""

    film: Path
    until_s: float | None = None
    """Where it is cut off; None for all of it."""
    begins_s: float | None = None
    """When the film's first picture is seen, by the film's own clock; None for what it says of itself."""
    choice: SoundChoice | None = None
    """Which of its tracks, and how; None to find out."""


class FileFormat(ABC):
    """One output format. It writes in its own folder, ``work_folder``, and leaves the finished output in ``part`` there."""

    is_folder = False
    has_sound = False

    def __init__(self, work_folder: Path, size: tuple[int, int], fps: Fraction, *, resumable: bool = False) -> None:
        """Begin.

        Args:
            keeps: whether ``state`` may be asked for, so that what it speaks of has to stay in the room.
        """
        self.work_folder, self.part, self.resumable = work_folder, work_folder / PART, resumable
        self.frames = 0
        self.ends_s: float | None = None
        self.time_s: float | None = None

    def set_sound(self, sound: FilmSound | None) -> None:  # noqa: B027 most are silent
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

    def finish_so_far(self) -> None:
        """Make what there is whole; ``state`` stays true, and nothing is added any more."""
        self.finish()

    def state(self) -> dict[str, Any]:
        """How far it has got, as JSON has it: with that and what lies in the room, another can go on."""
        return {"frames": self.frames}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from there; before the first frame.

        Raises:
            OSError: what should lie in the room does not.
        """
        self.frames = int(state["frames"])

    def end_trial(self) -> None:
        """Finish what is only a trial."""
        self.finish()

    def give_up(self) -> None:  # noqa: B027 most have nothing open
        """Let go of everything open."""

    def place(self, path: Path) -> None:
        """Move the finished work to where it was asked for."""
        put_in_place(self.part, path)


def try_writing(
    kind: type[FileFormat], work_folder: Path, size: tuple[int, int], fps: Fraction, sound: FilmSound | None
) -> None:
    """Write a video of one frame and of the first sound, from opening it to its end, and remove it."""
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
