"""What the web may do to the dream while it is on air, and where it brings what the chat bot tells."""

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
"""Seconds from one look at a step to the next, however many ask for one."""
SLOWEST, FASTEST = 0.2, 5.0
"""Factors of zoom per second between which the sound makes the camera faster; as the settings have them."""


class Actions:
    """Bumps, twists, looks at a step, the camera, and the chat's report. Thread-safe."""

    def __init__(self, renderer: Renderer, motion: Motion, chat: ChatBoard, reload: Reload, clock: Callable[[], float]) -> None:
        self._renderer, self._chat, self._reload, self._clock = renderer, chat, reload, clock
        self._lock = threading.Lock()
        self._inspected_s = -INSPECT_S
        self._pace = self._drive = 1.0
        self.motion = motion
        """How the camera is to move, but for what the sound adds."""

    def bump(self) -> None:
        """Shake the dream awake by noise."""
        self._renderer.bump()

    def twist(self) -> None:
        """Wake the dream by a slight twist."""
        self._renderer.twist()

    def inspect(self) -> Inspection | None:
        """What a step is made of, as it was shown last; a newer one is asked for where that is due."""
        with self._lock:
            now_s = self._clock()
            if now_s - self._inspected_s >= INSPECT_S:
                self._inspected_s = now_s
                self._renderer.inspect()
        return self._renderer.inspection()

    def move_camera(self, speed: float | None, rotation: float | None) -> Motion:
        """Move the camera differently from now on, None for as before; returns how it moves then."""
        wanted = {"zoom.speed": speed, "zoom.rotation": rotation}
        self._reload.change({key: value for key, value in wanted.items() if value is not None})
        return Motion.from_config(self._reload.target.zoom)

    def turn(self, speed: float | None, rotation: float | None) -> Motion:
        """Have the renderer move the camera so; arguments and returns likewise."""
        with self._lock:
            before = self.motion
            self.motion = Motion(before.speed if speed is None else speed, before.rotation if rotation is None else rotation)
            self._renderer.motion(self._current_motion())
            return self.motion

    def set_reaction(self, pace: float, drive: float) -> None:
        """Let the camera move so many times as fast, and steps be so many times as large, as they would be otherwise."""
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
        """Take what the chat bot tells of itself."""
        self._chat.hear(report)
