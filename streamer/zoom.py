"""Geometry of the camera path: an endless similarity zoom about the picture's centre. Pure; shared by dream and video."""

from __future__ import annotations

import math

import numpy as np

from streamer.messages.motion import Motion, Pose

KEPT_OCTAVES = 0.05
"""Zoom between the poses at which two-valued pictures are rendered: 3.5 %."""
KEPT_RADIANS = math.radians(1.0)
"""Rotation between these poses."""


def advance(pose: Pose, motion: Motion, seconds: float) -> Pose:
    """Return the pose after some seconds of motion; negative seconds move back."""
    return Pose(
        log_zoom=pose.log_zoom + math.log2(motion.speed) * seconds,
        rotation=pose.rotation + math.radians(motion.rotation) * seconds,
    )


def between(first: Pose, second: Pose, fraction: float) -> Pose:
    """Return the pose a fraction of the way from ``first`` to ``second``.

    Exact for constant motion; a fraction below 0 or above 1 extrapolates.
    """
    return Pose(
        log_zoom=first.log_zoom + (second.log_zoom - first.log_zoom) * fraction,
        rotation=first.rotation + (second.rotation - first.rotation) * fraction,
    )


def sampling_matrix(source: Pose, target: Pose, source_size: tuple[int, int], target_size: tuple[int, int]) -> np.ndarray:
    """Return the affine map from pixels of the target picture to pixels of the source picture.

    It shows a picture taken at the pose ``source`` from the pose ``target``. Pixel centres are at integer coordinates (OpenCV's
    convention). Both pictures have the same field of view, whose scale the width determines, so their sizes may differ.

    Args:
        source_size: (height, width) of the source picture.
        target_size: (height, width) of the target picture.

    Returns:
        (2, 3) float64, for ``cv2.warpAffine(source, matrix, (W, H), flags=... | cv2.WARP_INVERSE_MAP)``.
    """
    (source_h, source_w), (target_h, target_w) = source_size, target_size
    scale = 2.0 ** (source.log_zoom - target.log_zoom) * source_w / target_w
    angle = target.rotation - source.rotation
    # On screens y points down, so a counter-clockwise turn of the camera's picture reads the source clockwise.
    cos, sin = scale * math.cos(angle), scale * math.sin(angle)
    centre_x, centre_y = (target_w - 1) / 2, (target_h - 1) / 2
    return np.array(
        [
            [cos, -sin, (source_w - 1) / 2 - cos * centre_x + sin * centre_y],
            [sin, cos, (source_h - 1) / 2 - sin * centre_x - cos * centre_y],
        ]
    )


def kept(pose: Pose) -> Pose:
    """Return the pose at which a two-valued picture is kept while the camera is at ``pose``.

    Such a picture loses a little whenever it is rotated or enlarged, so that is done rarely, and in between the camera is close
    to its pose: it covers the camera's view except for slivers in the corners while rotating.
    """
    return Pose(
        log_zoom=math.floor(pose.log_zoom / KEPT_OCTAVES + 1e-9) * KEPT_OCTAVES,
        rotation=round(pose.rotation / KEPT_RADIANS) * KEPT_RADIANS,
    )
