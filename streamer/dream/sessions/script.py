"""The dream without a deadline: keyframes at exact moments of a video, the same for the same seed on the same device."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace

import numpy as np

from streamer.algorithm_facts import ALGORITHMS
from streamer.config import Config, DreamConfig
from streamer.dream.algorithms.dreamer_factory import make_dreamer
from streamer.dream.device import canvas_size, choose_device
from streamer.dream.interface import Dreaming
from streamer.dream.networks.ensemble import Ensemble
from streamer.dream.networks.loading import load
from streamer.dream.sessions.convergence import ConvergenceDetector
from streamer.dream.sessions.estimate import Estimate, available_bytes, needed_bytes, pace_key, step_seconds
from streamer.dream.sessions.session import Session
from streamer.events import DreamStarted
from streamer.messages.keyframes import Keyframe
from streamer.messages.motion import Motion
from streamer.messages.network_contents import LayerEntry
from streamer.messages.scenes import Scene

STEPS_PER_S = 10
"""Steps for one second of video when the settings leave it open."""


def steps_and_interval(dream: DreamConfig) -> tuple[int, float]:
    """Steps per keyframe, and seconds of video from one keyframe to the next.

    The algorithm of 2015 moves its camera only when its steps for a keyframe are done: all else would be the same picture.
    """
    asked: int | str = dream.steps_per_keyframe
    if asked == "auto":
        asked = ALGORITHMS[dream.algorithm].steps_per_keyframe or asked
    match asked, dream.keyframe_s:
        case "auto", "auto":
            return 1, 1 / STEPS_PER_S
        case "auto", float(interval_s):
            return max(1, round(STEPS_PER_S * interval_s)), interval_s
        case int(steps), "auto":
            return steps, steps / STEPS_PER_S
        case int(steps), float(interval_s):
            return steps, interval_s
    raise AssertionError(f"{dream.steps_per_keyframe!r} and {dream.keyframe_s!r} passed the config")


class OfflineDream:
    """Networks ready to dream a video."""

    def __init__(self, config: Config) -> None:
        """Load the networks.

        Raises:
            NetworkError: its weights cannot be had.
            DeviceError: the device asked for is not there.
        """
        self._config = config
        self._device = choose_device(config.device)
        self.ensemble: Ensemble = load(config.network, self._device)
        self.size = canvas_size(config.canvas, config.video, self._device.type)
        """(height, width) of the picture being dreamt."""

    @property
    def wnids(self) -> Collection[str]:
        """The classes it can dream."""
        return self.ensemble.wnids

    @property
    def machine(self) -> str:
        """What its pace depends on besides the size."""
        return pace_key(self._config, self.ensemble.name, self._device)

    @property
    def layers(self) -> tuple[LayerEntry, ...]:
        """The networks' layers."""
        return self.ensemble.layer_entries

    @property
    def network(self) -> str:
        """The networks' names, as ``Ensemble.name`` joins them."""
        return self.ensemble.name

    @property
    def device(self) -> str:
        """``cpu`` or ``cuda``."""
        return self._device.type

    def estimate(self, scene: Scene, *, trial: bool = True) -> Estimate:
        """What a keyframe will take; some are dreamt to find out.

        Args:
            trial: whether to find out how long it takes.

        Raises:
            DreamError: the network has not got one of the scene's targets.
        """
        found = Estimate(
            None,
            needed_bytes(self.ensemble, self._device, self.size, self._config.dream.tile_px),
            available_bytes(self._device),
        )
        if not trial:
            return found
        keyframes, (steps, _) = self.keyframes(lambda time_s: scene, 0), steps_and_interval(self._config.dream)
        next(keyframes)
        return replace(
            found,
            seconds=steps * step_seconds(keyframes.step, self._device, len(self.ensemble.members)),
        )

    def new_dream(self, seed: int, start: np.ndarray | None = None) -> Dreaming:
        """A dream at its beginning; arguments as ``keyframes`` has them."""
        return make_dreamer(self.ensemble, self._config, self.size, self._device, seed, start)

    def keyframes(self, scene_at: Callable[[float], Scene], seed: int, start: np.ndarray | None = None) -> Keyframes:
        """Dream for ever, one keyframe after the other; the first, at 0 s, is what the dream starts from.

        Args:
            scene_at: what is to be dreamt at a second of the video.
            seed: of everything random.
            start: (H, W, 3) uint8 picture to start from, of any size; None for coloured noise.

        Raises:
            DreamError: the network has not got one of the first scene's targets.
        """
        dream = self._config.dream
        motion = Motion.from_config(self._config.zoom)
        begun = DreamStarted(self.network, self.device, 0, self.size)
        session = Session.of(lambda: self.new_dream(seed, start), motion, begun, scene_at(0.0), ConvergenceDetector(dream))
        return Keyframes(session, scene_at, *steps_and_interval(dream))


class Keyframes(Iterator[Keyframe]):
    """The keyframes of a script's dream, without end; they can be gone on with from any of them (``saved_state``)."""

    CHANGES = ("_session", "_number")
    can_checkpoint = True
    """They can be gone on with from any."""

    def __init__(self, session: Session, scene_at: Callable[[float], Scene], steps: int, interval_s: float) -> None:
        self._session, self._scene_at, self._steps, self._interval_s = session, scene_at, steps, interval_s
        self._number = -1  # of the last

    def __next__(self) -> Keyframe:
        if self._number >= 0:
            self._dream_on()
        self._number += 1
        return replace(self._session.keyframe(), time_s=self._number * self._interval_s)

    def step(self) -> None:
        """Take a step aside, to see how long it takes."""
        self._session.apply(1000 * self._interval_s / self._steps)

    def _dream_on(self) -> None:
        """From one keyframe to the next."""
        for step in range(self._steps):
            scene = self._scene_at(self._number * self._interval_s + step * self._interval_s / self._steps)
            if scene != self._session.scene:
                self._session.apply(scene)
            self._session.apply(1000 * self._interval_s / self._steps)
