"""Tasks for tests; nodes import them by name, like the program's own."""

from __future__ import annotations

import time

import numpy as np

from streamer.commands.on_ray import node
from streamer.commands.on_ray.node import Setup
from streamer.dream.sessions.still import Plan
from streamer.messages.scenes import Scene

REAL = node.dream_whole


def dream_slowly(setup: Setup, scene: Scene, plan: Plan, seed: int, picture: np.ndarray) -> tuple[np.ndarray, float]:
    """Dream, but take longer, so that a test has time to interfere with the worker."""
    found = REAL(setup, scene, plan, seed, picture)
    time.sleep(0.5)
    return found


def fail_on_umbrellas(setup: Setup, scene: Scene, plan: Plan, seed: int, picture: np.ndarray) -> tuple[np.ndarray, float]:
    """Fail every time for umbrellas, without help from a test."""
    if scene.title == "umbrella":
        raise RuntimeError("rain")
    return REAL(setup, scene, plan, seed, picture)
