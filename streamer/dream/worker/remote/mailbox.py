"""Holds the renderer's commands to a relay, in order, and the free slots."""

from __future__ import annotations

import queue
import threading
from collections import deque

from streamer.dream.worker.disclosure import restored_scene
from streamer.dream.worker.frame_slots import SLOTS, STATE_SLOT
from streamer.dream.worker.protocol import Begin, Command, FreeSlot
from streamer.messages.scenes import Scene

SCENES = 64
"""Scenes that are remembered. When full, the oldest are dropped: their keyframes arrived long ago."""


class Mailbox:
    """Commands and free slots. Thread-safe. No capacity: the renderer sends few commands before a heartbeat confirms them."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        """Set once ``Begin`` has arrived."""
        self.kept_free = True
        """Whether the state slot can be written to."""
        self._scenes: deque[Scene] = deque(maxlen=SCENES)
        self._slots: queue.SimpleQueue[int] = queue.SimpleQueue()
        for slot in range(SLOTS):
            self._slots.put(slot)
        self._commands: queue.SimpleQueue[Command | Begin] = queue.SimpleQueue()

    def put(self, command: Command | Begin) -> None:
        """Add a command."""
        if isinstance(command, FreeSlot) and command.slot == STATE_SLOT:
            self.kept_free = True
        elif isinstance(command, FreeSlot):
            self._slots.put(command.slot)
        else:
            if isinstance(command, Scene):
                self._scenes.append(command)
            self._commands.put(command)
            if isinstance(command, Begin):
                self.begun.set()

    def next(self) -> Command | Begin:
        """Wait for the next command for the worker and return it."""
        return self._commands.get()

    def whole(self, scene: Scene) -> Scene:
        """Return a scene that came back from the worker as the renderer sent it, with its viewer and request."""
        return restored_scene(scene, {each.id: each for each in tuple(self._scenes)})

    def slot(self) -> int:
        """Wait for a free slot of the memory shared with the renderer and return its number."""
        return self._slots.get()
