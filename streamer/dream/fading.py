"""What is on air, and how much of it: scenes fade over into one another, and what is to go is climbed down from for a while."""

from __future__ import annotations

import math

from streamer.messages import Region, Scene

SURGE_S = 2.0
"""Seconds in which what hastens a change of scene falls to 1/e."""
SURGE_OVER = 1e-3
"""Share of a surge at which it counts as over: what it would still change cannot be seen."""


class Fading:
    """The scenes that are fading, the newest last."""

    def __init__(self, crossfade_s: float, surge: float) -> None:
        """Fade over in ``crossfade_s`` seconds; with a ``surge`` of 0 nothing is climbed down from."""
        self._crossfade_s, self._surge = crossfade_s, surge
        self._scenes: list[tuple[Scene, float]] = []
        self._left: tuple[Region, ...] = ()
        self._since_s = 0.0

    @property
    def left(self) -> tuple[Region, ...]:
        """What the scene before showed and this one does not, while it is climbed down from."""
        return self._left

    @property
    def haste(self) -> float:
        """How fresh the scene is: 1 when it comes, falling towards 0; always 0 without a surge."""
        return math.exp(-self._since_s / SURGE_S) if self._surge > 0 else 0.0

    def scene(self, scene: Scene) -> None:
        """Begin to fade over to another scene; the first is there at once."""
        wanted = {region.target for region in scene.regions}
        before = self._scenes[-1][0].regions if self._scenes else ()
        self._left = tuple(region for region in before if region.target not in wanted)
        self._scenes = [(old, share) for old, share in self._scenes if old.id != scene.id]
        self._scenes.append((scene, 0.0 if self._scenes and self._crossfade_s > 0 else 1.0))
        self._since_s = 0.0

    def hasten(self, haste: float) -> None:
        """Let the scene be at least so fresh again; what is gone stays gone."""
        self._since_s = min(self._since_s, -SURGE_S * math.log(haste))

    def regions(self, dt_s: float) -> list[tuple[Region, float]]:
        """Let ``dt_s`` seconds pass; all regions with their share, below 0 for what is to go."""
        if not self._scenes:
            return []
        moved = dt_s / self._crossfade_s if self._crossfade_s > 0 else 1.0
        *leaving, (scene, share) = self._scenes
        self._scenes = [(old, left - moved) for old, left in leaving if left > moved]
        self._scenes.append((scene, min(1.0, share + moved)))
        if self.haste < SURGE_OVER:
            self._left = ()
        going = [(region, -self.haste) for region in self._left]
        self._since_s += dt_s
        return [(region, part) for shown, part in self._scenes for region in shown.regions] + going
