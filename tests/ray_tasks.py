"""Tasks of tests, which nodes import by name as they do those of the program."""

from __future__ import annotations

import time

import numpy as np

from streamer.commands.on_ray import node
from streamer.commands.on_ray.node import Setup
from streamer.dream.sessions.still import Plan
from streamer.messages.scenes import Scene

REAL = node.dream_whole


def dream_slowly(setup: Setup, scene: Scene, plan: Plan, seed: int, picture: np.ndarray) -> tuple[np.ndarray, float]:
    """Give a test the time to do something to whoever is at it."""
    found = REAL(setup, scene, plan, seed, picture)
    time.sleep(0.5)
    return found


def fail_on_umbrellas(setup: Setup, scene: Scene, plan: Plan, seed: int, picture: np.ndarray) -> tuple[np.ndarray, float]:
    """Fail by itself, always on the same."""
    if scene.title == "umbrella":
        raise RuntimeError("rain")
    return REAL(setup, scene, plan, seed, picture)
