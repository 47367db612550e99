"""Pictures of a step, as a worker shows them."""

from __future__ import annotations

import cv2
import numpy as np

from streamer.messages.step_view import StepPicture

NAMES = ("dream", "gradient", "natural", "prior", "step", "layer conv1", "layer conv3", "layer conv5")


def step_pictures(value: int = 100) -> tuple[StepPicture, ...]:
    """Return one picture of each kind."""
    made = []
    for number, name in enumerate(NAMES):
        done, packed = cv2.imencode(".jpg", np.full((36, 64, 3), value + number, np.uint8))
        assert done
        made.append(StepPicture(name, packed.tobytes()))
    return tuple(made)
