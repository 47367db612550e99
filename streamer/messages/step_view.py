"""An inspection of one step of the dream: pictures of its components."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, eq=False)
class StepPicture:
    """A picture of one component of a step."""

    name: str
    """``dream``: the picture that the step changes; ``gradient``: the network's raw gradient; ``natural``: the normalised
    gradient; ``prior``: the gradient of the prior; ``step``: the resulting change; ``layer fire5``: a layer's response."""
    jpeg: bytes
    """A JPEG file."""


@dataclass(frozen=True, slots=True, eq=False)
class StepView:
    """The components of one step of the dream."""

    title: str
    """Title of the scene."""
    network: str
    """Name of the network that gave the gradient."""
    pictures: tuple[StepPicture, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Inspection:
    """The worker's answer to an inspection."""

    number: int
    """Number of the answer within a run, from 1."""
    view: StepView | None
    """None if the current algorithm has nothing to show."""
