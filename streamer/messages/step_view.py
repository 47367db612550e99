"""A look at one step of the dream: the pictures that it is made of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, eq=False)
class StepPicture:
    """One of the pictures of which a step of the dream is made."""

    name: str
    """``dream``, what it changes; ``gradient``, what the network asks for, as it comes; ``natural``, that made natural;
    ``prior``, what keeps it a picture; ``step``, where all of that leads; or ``layer fire5``, what a layer sees."""
    jpeg: bytes
    """A JPEG file."""


@dataclass(frozen=True, slots=True, eq=False)
class StepView:
    """What one step of the dream is made of."""

    title: str
    """What is dreamt."""
    network: str
    """Whose gradient it is."""
    pictures: tuple[StepPicture, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Inspection:
    """A look at a step, as the worker answered it."""

    number: int
    """Counts the answers of a run from 1."""
    view: StepView | None
    """None where the algorithm at work has nothing to show."""
