"""The actions of the web API on the running dream, and its entrance for the chat bot's reports."""

from __future__ import annotations

import threading
from collections.abc import Callable

from streamer.chat import ChatBoard
from streamer.dream.worker.renderer import Renderer
from streamer.messages.chat_status import ChatReport
from streamer.messages.motion import Motion
from streamer.messages.step_view import Inspection
from streamer.reload import Reload

INSPECT_S = 10.0
"""Least seconds between inspections, however many are requested."""
SLOWEST, FASTEST = 0.2, 5.0
"""Range of zoom factors per second when the sound speeds up the camera; the same as for ``zoom.speed``."""


class Actions:
    """Bumps, twists, inspections, the camera, and the chat bot's report. Thread-safe."""

    def __init__(self, renderer: Renderer, motion: Motion, chat: ChatBoard, reload: Reload, clock: Callable[[], float]) -> None:
        self._renderer, self._chat, self._reload, self._clock = renderer, chat, reload, clock
        self._lock = threading.Lock()
        self._inspected_s = -INSPECT_S
        self._pace = self._drive = 1.0
        self.motion = motion
        """The camera's motion without the effect of the sound."""

    def bump(self) -> None:
        """Wake the dream by noise."""
        self._renderer.bump()

    def twist(self) -> None:
        """Wake the dream by a slight twist."""
        self._renderer.twist()

    def inspect(self) -> Inspection | None:
        """Return the latest inspection of a step, None before the first; request a new one if that is due."""
        with self._lock:
            now_s = self._clock()
            if now_s - self._inspected_s >= INSPECT_S:
                self._inspected_s = now_s
                self._renderer.inspect()
        return self._renderer.inspection()

    def move_camera(self, speed: float | None, rotation: float | None) -> Motion:
        """Change the camera's speed and rotation, None keeps the current value; return the new motion."""
        wanted = {"zoom.speed": speed, "zoom.rotation": rotation}
        self._reload.change({key: value for key, value in wanted.items() if value is not None})
        return Motion.from_config(self._reload.target.zoom)

    def turn(self, speed: float | None, rotation: float | None) -> Motion:
        """Pass a change of the camera's motion to the renderer; arguments and result as in ``move_camera``."""
        with self._lock:
            before = self.motion
            self.motion = Motion(before.speed if speed is None else speed, before.rotation if rotation is None else rotation)
            self._renderer.motion(self._current_motion())
            return self.motion

    def set_reaction(self, pace: float, drive: float) -> None:
        """Set the factors by which the sound changes the camera's speed and the size of the dream's steps."""
        with self._lock:
            if (pace, drive) != (self._pace, self._drive):
                self._pace, self._drive = pace, drive
                self._renderer.motion(self._current_motion())

    def _current_motion(self) -> Motion:
        speed = self.motion.speed
        if self._pace != 1:
            speed = round(min(max(speed**self._pace, SLOWEST), FASTEST), 4)
        return Motion(speed, self.motion.rotation, self._drive)

    def hear_chat(self, report: ChatReport) -> None:
        """Take a report of the chat bot."""
        self._chat.hear(report)
