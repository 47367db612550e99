"""What the renderer sent to a relay, in order; slots that were given back lie apart."""

from __future__ import annotations

import queue
import threading
from collections import deque

from streamer.dream.worker.disclosure import restored_scene
from streamer.dream.worker.frame_slots import SLOTS, STATE_SLOT
from streamer.dream.worker.protocol import Begin, Command, FreeSlot
from streamer.messages.scenes import Scene

SCENES = 64
"""Scenes that are remembered. When full: the oldest go; by then they have long come back."""


class Mailbox:
    """Thread-safe. No capacity: the renderer sends little before a beat answers it."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        """Whether the order to dream is there."""
        self.kept_free = True
        """Whether the place for what is kept can be written to."""
        self._scenes: deque[Scene] = deque(maxlen=SCENES)
        self._slots: queue.SimpleQueue[int] = queue.SimpleQueue()
        for slot in range(SLOTS):
            self._slots.put(slot)
        self._commands: queue.SimpleQueue[Command | Begin] = queue.SimpleQueue()

    def put(self, command: Command | Begin) -> None:
        """Take in what came."""
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
        """The next command for the worker, waited for."""
        return self._commands.get()

    def whole(self, scene: Scene) -> Scene:
        """A scene that came back from the worker, as it was sent: with who asked for it."""
        return restored_scene(scene, {each.id: each for each in tuple(self._scenes)})

    def slot(self) -> int:
        """A slot of the memory shared with the renderer to write to, waited for."""
        return self._slots.get()
