"""What is dreamt: targets, the regions of the picture that they fill, and the scenes made of these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Layout(StrEnum):
    """How several targets share the picture; the first named is on top or on the left."""

    AUTO = "auto"
    """One target: whole. Two: top and bottom. Three or four: quarters."""
    WHOLE = "whole"
    TOP_BOTTOM = "top_bottom"
    LEFT_RIGHT = "left_right"
    QUARTERS = "quarters"


MAX_TARGETS = 4
"""Targets in one scene: the four quarters."""


class Kind(StrEnum):
    """What a target makes of the picture."""

    CLASS = "class"
    """Something the network recognises."""
    LAYER = "layer"
    """Whatever excites a layer."""
    CHANNELS = "channels"
    """Whatever excites some channels of a layer."""
    GUIDE = "guide"
    """What a layer sees in another picture."""


@dataclass(frozen=True, slots=True)
class Target:
    """One thing to dream: a class, named so that every network can look it up, a layer's response, or a picture's likeness."""

    wnid: str
    """WordNet id of the class, for example ``n09472597``; empty for the other kinds."""
    label: str
    """What viewers read, for example ``volcano`` or ``layer fire5``."""
    layer: str = ""
    """The network's layer whose response counts; empty for a class."""
    channels: tuple[int, ...] = ()
    """Which of the layer's channels; empty for all of them."""
    guide: str = ""
    """File of the picture that the layer's response is to follow; only operators name files."""
    objective: str = ""
    """Name of the objective that is to be climbed; empty: the one that the other fields speak of."""

    @property
    def kind(self) -> str:
        """Name of its objective: one of ``FileFormat``, or of what else the dream has."""
        if self.objective:
            return self.objective
        if self.guide:
            return Kind.GUIDE
        if self.channels:
            return Kind.CHANNELS
        return Kind.LAYER if self.layer else Kind.CLASS


@dataclass(frozen=True, slots=True)
class Region:
    """A target and the part of the picture it is to fill."""

    target: Target
    box: tuple[float, float, float, float]
    """(x0, y0, x1, y1) in fractions of the picture; its edges are softened by the objective."""
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Scene:
    """What is to be dreamt, for whom."""

    id: int
    """Rises by one with every scene of a run."""
    regions: tuple[Region, ...]
    user: str = ""
    """Who asked for it; empty when nobody did."""
    request_id: int | None = None
    """The request it fulfils; None while wandering."""

    @property
    def title(self) -> str:
        """What viewers read, for example ``volcano + bubble``; a target in several regions is named once."""
        return " + ".join(dict.fromkeys(region.target.label for region in self.regions))


def arrange(targets: Sequence[Target], layout: Layout = Layout.AUTO) -> tuple[Region, ...]:
    """Place targets in the picture.

    Targets that a layout has no room for are left out; a layout with more places than targets repeats them in order, so that
    two targets in quarters lie on the diagonals.

    Raises:
        ValueError: no target, or more than ``MAX_TARGETS``.
    """
    if not 1 <= len(targets) <= MAX_TARGETS:
        raise ValueError(f"a scene has 1 to {MAX_TARGETS} targets, not {len(targets)}")
    if layout is Layout.AUTO:
        layout = {1: Layout.WHOLE, 2: Layout.TOP_BOTTOM}.get(len(targets), Layout.QUARTERS)
    match layout:
        case Layout.WHOLE:
            boxes = [(0.0, 0.0, 1.0, 1.0)]
        case Layout.TOP_BOTTOM:
            boxes = [(0.0, 0.0, 1.0, 0.5), (0.0, 0.5, 1.0, 1.0)]
        case Layout.LEFT_RIGHT:
            boxes = [(0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0)]
        case _:
            boxes = [(0.0, 0.0, 0.5, 0.5), (0.5, 0.0, 1.0, 0.5), (0.5, 0.5, 1.0, 1.0), (0.0, 0.5, 0.5, 1.0)]
    return tuple(Region(targets[i % len(targets)], box) for i, box in enumerate(boxes))
