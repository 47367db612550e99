"""What is on air, and how much of it: scenes fade over into one another, and what is to go is climbed down from for a while."""

from __future__ import annotations

import math
from dataclasses import dataclass

from streamer.messages.scenes import Region, Scene

SURGE_S = 2.0
"""Seconds in which what hastens a change of scene falls to 1/e."""
SURGE_OVER = 1e-3
"""Share of a surge at which it counts as over: what it would still change cannot be seen."""
LONG_S = 1e9
"""As good as for ever, and still a number that can be written down."""
MATURES_FROM_S, MATURE_AFTER_S = 10.0, 20.0
"""Age of a scene, in seconds, over which it comes to stand: before, what it asks for still grows."""


@dataclass(frozen=True, slots=True)
class SceneMix:
    """What is on air for one step."""

    regions: tuple[tuple[Region, float], ...]
    """All of them with their share: 0..1, or below 0 for what is climbed down from."""
    freshness: float
    """How fresh the scene is: 1 when it comes, falling towards 0."""
    has_outgoing: bool
    """Whether something is climbed down from."""
    maturity: float = 0.0
    """How far the scene has come to stand: 0 while it is new, 1 once it has been there for long."""

    @property
    def has_incoming(self) -> bool:
        """Whether there is something to climb, too."""
        return any(share >= 0 for _, share in self.regions)


class Fading:
    """The scenes that are fading, the newest last."""

    CHANGES = ("_scenes", "_left", "_since_s", "_goes_on_s")

    def __init__(self, crossfade_s: float, surge: float) -> None:
        """Fade over in ``crossfade_s`` seconds; with a ``surge`` of 0 nothing is climbed down from."""
        self.tune(crossfade_s, surge)
        self._scenes: list[tuple[Scene, float]] = []
        self._left: tuple[Region, ...] = ()
        self._since_s = 0.0
        self._goes_on_s: float | None = None

    def tune(self, crossfade_s: float, surge: float) -> None:
        """Fade otherwise from the next step on."""
        self._crossfade_s, self._surge = crossfade_s, surge

    @property
    def freshness(self) -> float:
        """How fresh the scene is: 1 when it comes, falling towards 0; always 0 without a surge."""
        return math.exp(-self._since_s / SURGE_S) if self._surge > 0 else 0.0

    @property
    def maturity(self) -> float:
        """How far the scene has come to stand, 0..1; what is hastened is young again."""
        return min(1.0, max(0.0, (self._since_s - MATURES_FROM_S) / (MATURE_AFTER_S - MATURES_FROM_S)))

    def scene(self, scene: Scene) -> None:
        """Begin to fade over to another scene; the first is there at once."""
        wanted = {region.target for region in scene.regions}
        before = self._scenes[-1][0].regions if self._scenes else ()
        self._left = tuple(region for region in before if region.target not in wanted)
        self._scenes = [(old, share) for old, share in self._scenes if old.id != scene.id]
        self._scenes.append((scene, 0.0 if self._scenes and self._crossfade_s > 0 else 1.0))
        self._since_s = self._goes_on_s or 0.0
        self._goes_on_s = None

    @property
    def age_s(self) -> float:
        """How old the scene is, in seconds, ``LONG_S`` at most: what haste and standing go by."""
        return min(self._since_s, LONG_S)

    def resume(self, age_s: float = math.inf) -> None:
        """Before the first scene: it is dreamt already, and is so old when it comes."""
        self._goes_on_s = None if self._scenes else age_s

    def freshen(self, freshness: float) -> None:
        """Let the scene be at least so fresh again; what is gone stays gone."""
        self._since_s = min(self._since_s, -SURGE_S * math.log(freshness))

    def advance(self, dt_s: float) -> SceneMix:
        """Let ``dt_s`` seconds pass; what is on air for the step at their end."""
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
