"""The state that a worker should reach, and the commands that lead there."""

from __future__ import annotations

from dataclasses import dataclass

from streamer.dream.worker.protocol import NO_LIMIT, Command, Inspect, Pause, ResourceLimit
from streamer.events import UNTUNED, Bump, Tuned
from streamer.messages.motion import Motion
from streamer.messages.scenes import Scene


@dataclass(frozen=True, slots=True)
class DesiredState:
    """The state that a worker should reach."""

    motion: Motion
    scene: Scene | None = None
    tuned: Tuned = UNTUNED
    """The live settings that differ from those the worker was started with."""
    paused: bool = False
    bumps: int = 0
    """Number of bumps requested so far."""
    twists: int = 0
    """Number of twists requested so far."""
    inspections: int = 0
    """Number of inspections requested so far."""
    resource_limit: ResourceLimit = NO_LIMIT
    """How much of the machine the worker may use."""

    def after(self, sent: DesiredState) -> list[Command]:
        """Return the commands that bring a worker from the state that was last sent to this one."""
        changes: list[Command] = []
        if self.motion != sent.motion:
            changes.append(self.motion)
        if self.tuned != sent.tuned:
            changes.append(self.tuned)
        if self.scene is not None and self.scene != sent.scene:
            changes.append(self.scene)
        if self.paused != sent.paused:
            changes.append(Pause(self.paused))
        if self.bumps != sent.bumps:
            changes.append(Bump())
        if self.twists != sent.twists:
            changes.append(Bump(twist=True))
        if self.inspections != sent.inspections:
            changes.append(Inspect())
        if self.resource_limit != sent.resource_limit:
            changes.append(self.resource_limit)
        return changes
