"""Scenes: targets, and the regions of the picture that they fill."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Layout(StrEnum):
    """How several targets share the picture; the first is at the top or on the left."""

    AUTO = "auto"
    """Whole for one target, top and bottom for two, quarters for three or four."""
    WHOLE = "whole"
    TOP_BOTTOM = "top_bottom"
    LEFT_RIGHT = "left_right"
    QUARTERS = "quarters"


MAX_TARGETS = 4
"""Maximum number of targets in one scene, one for each quarter."""


class Kind(StrEnum):
    """The kind of a target, by what it maximises."""

    CLASS = "class"
    """The response of a class."""
    LAYER = "layer"
    """The response of a layer."""
    CHANNELS = "channels"
    """The response of some channels of a layer."""
    GUIDE = "guide"
    """The similarity to a layer's response to another picture."""


@dataclass(frozen=True, slots=True)
class Target:
    """One thing to show: a class by its WordNet id, which works with every network, a layer's response, or a guide picture."""

    wnid: str
    """WordNet id of the class, for example ``n09472597``; empty for the other kinds."""
    label: str
    """The name that viewers read, for example ``volcano`` or ``layer fire5``."""
    layer: str = ""
    """Name of the layer whose response is maximised; empty for a class."""
    channels: tuple[int, ...] = ()
    """Channels of the layer; empty for all of them."""
    guide: str = ""
    """File of the guide picture, whose response in the layer is imitated; only operators can name files."""
    objective: str = ""
    """Name of the objective to ascend; if empty, the other fields determine it."""

    @property
    def kind(self) -> str:
        """Name of its objective: one of ``Kind``, or of the dream's other objectives."""
        if self.objective:
            return self.objective
        if self.guide:
            return Kind.GUIDE
        if self.channels:
            return Kind.CHANNELS
        return Kind.LAYER if self.layer else Kind.CLASS


@dataclass(frozen=True, slots=True)
class Region:
    """A target and the part of the picture that it fills."""

    target: Target
    box: tuple[float, float, float, float]
    """(x0, y0, x1, y1) as fractions of the picture; the objective softens its edges."""
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Scene:
    """What the dream shows, and whose request it is."""

    id: int
    """Number within a run; increases by one with every scene."""
    regions: tuple[Region, ...]
    user: str = ""
    """The viewer who requested it; empty if nobody did."""
    request_id: int | None = None
    """The request that it fulfils; None for idle scenes."""

    @property
    def title(self) -> str:
        """The name that viewers read, for example ``volcano + bubble``; a target in several regions is named once."""
        return " + ".join(dict.fromkeys(region.target.label for region in self.regions))


def arrange(targets: Sequence[Target], layout: Layout = Layout.AUTO) -> tuple[Region, ...]:
    """Arrange targets in the picture.

    A layout omits the targets that it has no room for. If it has more places than targets, it repeats them in order, so that
    two targets in quarters are on the diagonals.

    Raises:
        ValueError: there is no target, or there are more than ``MAX_TARGETS``.
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
