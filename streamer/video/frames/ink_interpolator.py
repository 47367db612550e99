"""Interpolates ink drawings: scales and warps without grey levels; between keyframes, pixels flip one by one."""

from __future__ import annotations

import threading
from dataclasses import replace

import cv2
import numpy as np

from streamer.config import Config, InkConfig
from streamer.messages.keyframes import Keyframe
from streamer.messages.motion import Motion, Pose
from streamer.messages.scenes import Scene
from streamer.video.frames.enlarge import enlarged, reduced
from streamer.video.frames.playhead import Playhead, Shot, View
from streamer.zoom import kept, sampling_matrix

PUSHED = 8
"""Keyframes queued until the next frame is made. When full: the oldest is dropped; the newest win."""
LINE = 0.45
"""Fraction of a pixel covered by ink from which on it counts as ink; below one half, so that fine lines stay connected."""


class InkInterpolator:
    """Makes frames of a drawing at any rate, a little behind the present; see ``FrameInterpolator``.

    ``push`` may be called from any thread, the rest from one. A keyframe's picture has the pose ``zoom.kept`` of the keyframe's
    pose, from which the camera sees it: unchanged parts keep their outline from frame to frame, to less than a pixel.
    """

    CHANGES = ("_pushed", "_playhead")

    def __init__(self, size: tuple[int, int], ink: InkConfig, *, motion: Motion | None = None, offline: bool = False) -> None:
        """Prepare to make frames.

        Args:
            size: (height, width) of the frames.
            ink: how edges are drawn, and in which colours.
            motion: Assumed camera motion until the second keyframe.
            offline: see ``make_frame_interpolator``.
        """
        self.size = self._drawn = size
        self._offline = offline
        self._closer = 0.0
        self._lock = threading.Lock()
        self._pushed: list[Keyframe] = []
        self._playhead: Playhead[np.ndarray] = Playhead(motion or Motion(), offline=offline)
        self._draw_with(ink)
        self._turns = np.zeros((0, 0), np.uint8)

    def push(self, keyframe: Keyframe) -> None:
        """Take the next keyframe; pixels darker than mid-grey are ink."""
        with self._lock:
            self._pushed.append(keyframe)
            if len(self._pushed) > PUSHED and not self._offline:
                del self._pushed[0]

    def frame(self, now_s: float) -> tuple[np.ndarray | None, Scene | None]:
        """Return a new (h, w, 3) uint8 RGB picture of two colours, and its scene; both None before the first keyframe."""
        view = self._view(now_s)
        if view is None:
            return None, None
        nearer = view.newer if view.fraction >= 0.5 else view.older
        sheet = enlarged(self._sheet(view), self.size)
        return cv2.merge([cv2.LUT(sheet, table) for table in self._tables]), nearer.keyframe.scene

    def set_zoom_offset(self, octaves: float) -> None:
        """See ``FrameInterpolator``."""
        self._closer = octaves

    @property
    def shown_s(self) -> float | None:
        """See ``FrameInterpolator``."""
        return self._playhead.camera_s

    def tune(self, config: Config) -> None:
        """See ``FrameInterpolator``."""
        self._draw_with(config.ink)

    @property
    def can_skip_flow(self) -> bool:
        """See ``FrameInterpolator``: nothing is followed."""
        return False

    def reduce_load(self, *, follow: bool, part: float) -> None:
        """See ``FrameInterpolator``."""
        self._drawn = reduced(self.size, part)

    def _draw_with(self, ink: InkConfig) -> None:
        self._reading = cv2.INTER_NEAREST if ink.edges == "pixels" else cv2.INTER_CUBIC
        self._tables = [
            np.where(np.arange(256) < 255 * (1 - LINE), dark, light).astype(np.uint8)
            for dark, light in zip(bytes.fromhex(ink.colour[1:]), bytes.fromhex(ink.paper[1:]), strict=True)
        ]

    def skip(self, now_s: float) -> None:
        """See ``FrameInterpolator``."""
        self._view(now_s)

    def close(self) -> None:
        """See ``FrameInterpolator``."""

    def _view(self, now_s: float) -> View[np.ndarray] | None:
        with self._lock:
            arrived, self._pushed = self._pushed, []
        for keyframe in arrived:
            self._playhead.add(keyframe, self._prepare(keyframe.image), now_s)
        view = self._playhead.at(now_s)
        if view is None or not self._closer:
            return view
        return replace(view, pose=Pose(view.pose.log_zoom + self._closer, view.pose.rotation))

    def _prepare(self, image: np.ndarray) -> np.ndarray:
        """Return a keyframe's picture as one plane, 0 for ink and 255 for paper, no wider than the frame."""
        plane = np.where(image[:, :, 1] < 128, 0, 255).astype(np.uint8)
        width = self._drawn[1]
        if plane.shape[1] > width:
            return cv2.resize(
                plane, (width, max(1, round(plane.shape[0] * width / plane.shape[1]))), None, 0, 0, cv2.INTER_AREA
            )
        return plane

    def _sheet(self, view: View[np.ndarray]) -> np.ndarray:
        """Return the drawing as seen from the view's pose, (h, w) uint8, dark where there is ink."""
        older, newer, fraction = view.older, view.newer, view.fraction
        size = self._drawn  # read once: another thread may change it
        if older is newer or fraction in (0.0, 1.0):
            only, other = (newer, older) if fraction == 1.0 else (older, newer)
            return self._read(only, view.pose, size, None if other is only else self._read(other, view.pose, size))
        first, second = self._read(older, view.pose, size), self._read(newer, view.pose, size)
        first, second = (self._read(shot, view.pose, size, under.copy()) for shot, under in ((older, second), (newer, first)))
        mask = self._warp(self._order(newer.payload.shape[:2]), _own(newer), view.pose, size, cv2.INTER_NEAREST, None)
        return np.where(mask < round(255 * fraction), second, first)

    def _read(self, shot: Shot[np.ndarray], pose: Pose, size: tuple[int, int], under: np.ndarray | None = None) -> np.ndarray:
        """Return a keyframe as seen from a pose, at a size. Outside of it, ``under`` shows, or else its mirror image."""
        return self._warp(shot.payload, _own(shot), pose, size, self._reading, under)

    def _warp(
        self, plane: np.ndarray, own: Pose, pose: Pose, size: tuple[int, int], reading: int, under: np.ndarray | None
    ) -> np.ndarray:
        matrix = sampling_matrix(own, pose, (plane.shape[0], plane.shape[1]), size)
        border = cv2.BORDER_REFLECT if under is None else cv2.BORDER_TRANSPARENT
        return cv2.warpAffine(plane, matrix, size[::-1], dst=under, flags=reading | cv2.WARP_INVERSE_MAP, borderMode=border)

    def _order(self, size: tuple[int, int]) -> np.ndarray:
        """Return when each pixel flips on the way to the next keyframe, 0..254; always the same for a size."""
        if self._turns.shape != size:
            self._turns = np.random.default_rng(0).integers(0, 255, size, np.uint8)
        return self._turns


def _own(shot: Shot[np.ndarray]) -> Pose:
    """Return the pose of a shot's picture on the displayed path."""
    pose, camera = shot.pose, shot.keyframe.pose
    own = kept(camera)
    return Pose(pose.log_zoom + own.log_zoom - camera.log_zoom, pose.rotation + own.rotation - camera.rotation)
