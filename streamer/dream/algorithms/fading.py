"""Crossfades between scenes: each region's share in a step. The outgoing objective is descended for a while."""

from __future__ import annotations

import math
from dataclasses import dataclass

from streamer.messages.scenes import Region, Scene

SURGE_S = 2.0
"""Seconds in which a scene's freshness falls to 1/e."""
SURGE_OVER = 1e-3
"""Freshness below which the transition boost is over: the rest of it is invisible."""
LONG_S = 1e9
"""An age that stands for infinity and is still a number in JSON."""
MATURES_FROM_S, MATURE_AFTER_S = 10.0, 20.0
"""Ages between which a scene matures, in seconds: before, its shapes still grow."""


@dataclass(frozen=True, slots=True)
class SceneMix:
    """The regions of one step and their shares."""

    regions: tuple[tuple[Region, float], ...]
    """Regions with their share: 0..1, or below 0 for those that are descended while they fade out."""
    freshness: float
    """How fresh the scene is: 1 when it starts, falling towards 0."""
    has_outgoing: bool
    """Whether a region is descended."""
    maturity: float = 0.0
    """How mature the scene is: 0 while it is new, 1 once it has been shown for long."""

    @property
    def has_incoming(self) -> bool:
        """Whether a region is ascended."""
        return any(share >= 0 for _, share in self.regions)


class Fading:
    """The scenes that fade into each other, the newest last."""

    CHANGES = ("_scenes", "_left", "_since_s", "_goes_on_s")

    def __init__(self, crossfade_s: float, surge: float) -> None:
        """Crossfade in ``crossfade_s`` seconds; with a ``surge`` of 0 no old objective is descended."""
        self.tune(crossfade_s, surge)
        self._scenes: list[tuple[Scene, float]] = []
        self._left: tuple[Region, ...] = ()
        self._since_s = 0.0
        self._goes_on_s: float | None = None

    def tune(self, crossfade_s: float, surge: float) -> None:
        """Use another fade time and surge from the next step on."""
        self._crossfade_s, self._surge = crossfade_s, surge

    @property
    def freshness(self) -> float:
        """How fresh the scene is: 1 when it starts, falling towards 0; always 0 without a surge."""
        return math.exp(-self._since_s / SURGE_S) if self._surge > 0 else 0.0

    @property
    def maturity(self) -> float:
        """How mature the scene is, 0..1; ``freshen`` makes it young again."""
        return min(1.0, max(0.0, (self._since_s - MATURES_FROM_S) / (MATURE_AFTER_S - MATURES_FROM_S)))

    def scene(self, scene: Scene) -> None:
        """Start to crossfade to another scene; the first one is shown immediately."""
        wanted = {region.target for region in scene.regions}
        before = self._scenes[-1][0].regions if self._scenes else ()
        self._left = tuple(region for region in before if region.target not in wanted)
        self._scenes = [(old, share) for old, share in self._scenes if old.id != scene.id]
        self._scenes.append((scene, 0.0 if self._scenes and self._crossfade_s > 0 else 1.0))
        self._since_s = self._goes_on_s or 0.0
        self._goes_on_s = None

    @property
    def age_s(self) -> float:
        """Age of the scene in seconds, at most ``LONG_S``; freshness and maturity depend on it."""
        return min(self._since_s, LONG_S)

    def resume(self, age_s: float = math.inf) -> None:
        """Set the age of the first scene, which the picture already shows; without effect after the first ``scene``."""
        self._goes_on_s = None if self._scenes else age_s

    def freshen(self, freshness: float) -> None:
        """Make the scene at least this fresh again; regions that have faded out stay out."""
        self._since_s = min(self._since_s, -SURGE_S * math.log(freshness))

    def advance(self, dt_s: float) -> SceneMix:
        """Let ``dt_s`` seconds pass and return the mix for the step at their end."""
        freshness, maturity = self.freshness, self.maturity
        if not self._scenes:
            return SceneMix((), freshness, has_outgoing=False)
        moved = dt_s / self._crossfade_s if self._crossfade_s > 0 else 1.0
        *leaving, (scene, share) = self._scenes
        self._scenes = [(old, left - moved) for old, left in leaving if left > moved]
        self._scenes.append((scene, min(1.0, share + moved)))
        if freshness < SURGE_OVER:
            self._left = ()
        going = [(region, -freshness) for region in self._left]
        self._since_s += dt_s
        shown = [(region, part) for each, part in self._scenes for region in each.regions]
        return SceneMix((*shown, *going), freshness, has_outgoing=bool(self._left), maturity=maturity)
