"""A past run dreamt again, step by step as its journal tells."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import numpy as np

from streamer.acts import Act, Begun, Bump, Resized, Stood, Stumbled
from streamer.dream.worker.protocol import Dreaming, wake
from streamer.journal import checksum
from streamer.messages import Keyframe, Motion, Pose, Scene
from streamer.past import Past, duration_ms

log = logging.getLogger(__name__)


class Replay:
    """Does again what was done to a dream.

    Args:
        make: Puts the dream together as the run's worker did.
        motion: How the camera moved at the start.
        unknown: What ``scene`` raises when the network does not know a subject; the dream then goes on as before.
        sizes: Whether the canvas takes the sizes it had; else it keeps its own.
    """

    def __init__(
        self,
        past: Past,
        make: Callable[[], Dreaming],
        motion: Motion,
        unknown: type[Exception] = LookupError,
        *,
        sizes: bool = True,
    ) -> None:
        self._past, self._make, self._start, self._unknown, self._sizes = past, make, motion, unknown, sizes
        self.compared = self.alike = 0
        """Keyframes whose pixels the journal knows, and those of them that came out the same."""
        self._dreamer: Dreaming | None = None
        self._motion = motion
        self._scene: Scene | None = None
        self._size: tuple[int, int] | None = None
        self._latest: tuple[np.ndarray, Pose] | None = None
        self._moved_ms = self._posed_ms = past.span_ms[0]

    def keyframes(self, from_ms: int = 0) -> Iterator[Keyframe]:
        """Dream the run again; keyframes' times are seconds since its start.

        Args:
            from_ms: what was done before this moment is passed over: the dream begins there, with what was on air.
        """
        for number, past in enumerate(self._past.keyframes):
            if past.at_ms < from_ms and number < len(self._past.keyframes) - 1:
                for act in past.acts:
                    self._pass_over(act)
                continue
            if self._dreamer is None and number:
                self._begin()
            steps = 0
            for act in past.acts:
                self._do(act)
                steps += isinstance(act, int)
            assert self._dreamer is not None, "every run begins with a Begun"
            picture, pose = self._latest = self._dreamer.picture(), self._dreamer.pose
            scene = self._scene or Scene(0, ())
            keyframe = Keyframe(picture, pose, self._posed_ms / 1000, scene, number, steps if number else 0)
            if past.checksum is not None:
                self.compared += 1
                self.alike += checksum(keyframe) == past.checksum
            yield keyframe

    def _pass_over(self, act: Act) -> None:
        """Keep of an act what counts later."""
        match act:
            case Begun():
                self._motion, self._size = self._start, act.size
            case Motion():
                self._motion = act
            case Scene():
                self._scene = act
            case Resized():
                self._size = act.size
        self._moved_ms += duration_ms(act)
        self._posed_ms = self._moved_ms

    def _begin(self) -> None:
        """Begin in the middle."""
        self._dreamer = self._make()
        if self._sizes and self._size is not None:
            self._dreamer.resize(self._size)
        self._dreamer.motion(self._motion)
        if self._scene is not None:
            self._show(self._scene)

    def _do(self, act: Act) -> None:
        if isinstance(act, Begun):
            self._employ(act)
            return
        dreamer = self._dreamer
        assert dreamer is not None, "every run begins with a Begun"
        match act:
            case int():
                before = dreamer.pose
                dreamer.step(act / 1000)
                still = self._motion.speed == 1 and self._motion.rotation == 0
                self._moved_ms += act
                if still or dreamer.pose != before:  # the 2015 algorithm moves once for many steps
                    self._posed_ms = self._moved_ms
            case Scene():
                self._show(act)
            case Motion():
                self._motion = act
                dreamer.motion(act)
            case Bump():
                wake(dreamer, act)
            case Resized():
                if self._sizes:
                    dreamer.resize(act.size)
            case Stood():
                self._moved_ms += act.ms
                self._posed_ms = self._moved_ms
            case Stumbled():
                log.warning("a step failed for want of memory here: from now on the pixels may differ from those shown")

    def _employ(self, begun: Begun) -> None:
        """Do what a new worker does."""
        self._dreamer, self._motion = self._make(), self._start
        if begun.resumed and self._latest is not None:
            self._dreamer.restore(*self._latest)
        if self._sizes:
            self._dreamer.resize(begun.size)

    def _show(self, scene: Scene) -> None:
        assert self._dreamer is not None
        try:
            self._dreamer.scene(scene)
            self._scene = scene
        except self._unknown as error:
            log.warning("%s", error)
            self._scene = self._scene or scene
