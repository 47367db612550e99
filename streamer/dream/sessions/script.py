"""Renders keyframes of a script without a deadline, at exact times of a video; repeatable for a seed and a device."""

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
"""Steps per second of video if the settings leave it open."""


def steps_and_interval(dream: DreamConfig) -> tuple[int, float]:
    """Return the steps per keyframe, and the seconds of video between keyframes.

    The algorithm of 2015 moves its camera only after all steps of a keyframe, so it has a default number of its own.
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
    """Networks ready to render a video."""

    def __init__(self, config: Config) -> None:
        """Load the networks.

        Raises:
            NetworkError: the weights are unavailable.
            DeviceError: the requested device does not exist.
        """
        self._config = config
        self._device = choose_device(config.device)
        self.ensemble: Ensemble = load(config.network, self._device)
        self.size = canvas_size(config.canvas, config.video, self._device.type)
        """(height, width) of the canvas."""

    @property
    def wnids(self) -> Collection[str]:
        """WordNet ids of the networks' classes."""
        return self.ensemble.wnids

    @property
    def machine(self) -> str:
        """What the pace depends on besides the size; see ``pace_key``."""
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
        """Estimate the cost of a keyframe.

        Args:
            trial: whether to take some steps to measure the time.

        Raises:
            DreamError: the network does not have one of the scene's targets.
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
        """Return a new dream; for the arguments see ``keyframes``."""
        return make_dreamer(self.ensemble, self._config, self.size, self._device, seed, start)

    def keyframes(self, scene_at: Callable[[float], Scene], seed: int, start: np.ndarray | None = None) -> Keyframes:
        """Render keyframes without end; the first, at 0 s, is the starting picture.

        Args:
            scene_at: returns the scene at a second of the video.
            seed: of everything random.
            start: (H, W, 3) uint8 picture to start from, of any size; None for coloured noise.

        Raises:
            DreamError: the network does not have one of the first scene's targets.
        """
        dream = self._config.dream
        motion = Motion.from_config(self._config.zoom)
        begun = DreamStarted(self.network, self.device, 0, self.size)
        session = Session.of(lambda: self.new_dream(seed, start), motion, begun, scene_at(0.0), ConvergenceDetector(dream))
        return Keyframes(session, scene_at, *steps_and_interval(dream))


class Keyframes(Iterator[Keyframe]):
    """The keyframes of a script, without end; they can be saved and resumed after any of them (``saved_state``)."""

    CHANGES = ("_session", "_number")
    can_checkpoint = True
    """Whether they can be saved and resumed after every keyframe."""

    def __init__(self, session: Session, scene_at: Callable[[float], Scene], steps: int, interval_s: float) -> None:
        self._session, self._scene_at, self._steps, self._interval_s = session, scene_at, steps, interval_s
        self._number = -1  # of the last keyframe

    def __next__(self) -> Keyframe:
        if self._number >= 0:
            self._dream_on()
        self._number += 1
        return replace(self._session.keyframe(), time_s=self._number * self._interval_s)

    def step(self) -> None:
        """Take one step, to time it."""
        self._session.apply(1000 * self._interval_s / self._steps)

    def _dream_on(self) -> None:
        """Take the steps from one keyframe to the next."""
        for step in range(self._steps):
            scene = self._scene_at(self._number * self._interval_s + step * self._interval_s / self._steps)
            if scene != self._session.scene:
                self._session.apply(scene)
            self._session.apply(1000 * self._interval_s / self._steps)
