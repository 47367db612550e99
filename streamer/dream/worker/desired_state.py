"""What a worker is to do, and which commands tell it so."""

from __future__ import annotations

from dataclasses import dataclass

from streamer.dream.worker.protocol import NO_LIMIT, Command, Inspect, Pause, ResourceLimit
from streamer.events import UNTUNED, Bump, Tuned
from streamer.messages.motion import Motion
from streamer.messages.scenes import Scene


@dataclass(frozen=True, slots=True)
class DesiredState:
    """What a worker is to do."""

    motion: Motion
    scene: Scene | None = None
    tuned: Tuned = UNTUNED
    """The settings that it goes by, as they differ from those it was begun with."""
    paused: bool = False
    bumps: int = 0
    """How many were asked for so far."""
    twists: int = 0
    """Likewise."""
    inspections: int = 0
    """Likewise."""
    resource_limit: ResourceLimit = NO_LIMIT
    """How much it is to take of the machine."""

    def after(self, told: DesiredState) -> list[Command]:
        """The commands for what a worker that was told that has not been told yet."""
        changes: list[Command] = []
        if self.motion != told.motion:
            changes.append(self.motion)
        if self.tuned != told.tuned:
            changes.append(self.tuned)
        if self.scene is not None and self.scene != told.scene:
            changes.append(self.scene)
        if self.paused != told.paused:
            changes.append(Pause(self.paused))
        if self.bumps != told.bumps:
            changes.append(Bump())
        if self.twists != told.twists:
            changes.append(Bump(twist=True))
        if self.inspections != told.inspections:
            changes.append(Inspect())
        if self.resource_limit != told.resource_limit:
            changes.append(self.resource_limit)
        return changes
