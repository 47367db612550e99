"""Interpolates colour keyframes: warps two of them along the exact camera path and blends them."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import cv2
import numpy as np

from streamer.config import Config
from streamer.messages.keyframes import Keyframe
from streamer.messages.motion import Motion, Pose
from streamer.messages.scenes import Scene
from streamer.video.frames.blend import Blend, prepare
from streamer.video.frames.enlarge import enlarged, reduced
from streamer.video.frames.playhead import Playhead, Shot, View
from streamer.video.frames.residual_flow import Residual, compare

PUSHED = 8
"""Keyframes queued until the next frame is made. When full: the oldest is dropped; the newest win."""
SPARSE_S = 0.4
"""Keyframes at least this many seconds apart are compared to find what moves and changes between them."""
RAMP_S = 0.5
"""Seconds over which a late comparison takes effect."""
AT_ONCE = 0.02
"""A comparison that is ready before this fraction of the interval takes effect immediately."""


@dataclass(slots=True)
class _Comparison:
    future: Future[Residual | None]
    strength: float | None = None
    """How far it has taken effect, 0..1; None until it is ready."""


class ColourInterpolator:
    """Makes frames at any rate, a little behind the present; see ``FrameInterpolator``.

    ``push`` may be called from any thread; ``frame``, ``skip`` and ``close`` belong to one.
    """

    CHANGES = ("_latest_s", "_pushed", "_playhead", "_now_s")
    """For offline renders; comparisons are computed again, with the same result."""

    def __init__(
        self, size: tuple[int, int], residual_flow: bool, *, motion: Motion | None = None, offline: bool = False
    ) -> None:
        """Prepare to make frames.

        Args:
            size: (height, width) of the frames.
            residual_flow: Whether to follow motion other than the zoom between sparse keyframes.
            motion: Assumed camera motion until the second keyframe.
            offline: Whether ``frame`` is called with times of the path itself, after the keyframes around them were pushed;
                the same keyframes then give the same frames.
        """
        self.size = size
        self._follow = True
        self._offline = offline
        self._closer = 0.0
        self._lock = threading.Lock()
        self._latest_s: float | None = None
        self._pushed: list[tuple[Keyframe, np.ndarray]] = []
        self._playhead: Playhead[np.ndarray] = Playhead(motion or Motion(), offline=offline)
        self._blend = Blend(size)
        self._residual_flow = residual_flow
        self._worker: ThreadPoolExecutor | None = None
        self._comparisons: dict[tuple[int, int], _Comparison] = {}
        self._now_s: float | None = None

    @property
    def delay_s(self) -> float:
        """Current delay of playback behind the keyframes' clock, in seconds."""
        return self._playhead.delay_s

    def push(self, keyframe: Keyframe) -> None:
        """Take the next keyframe."""
        with self._lock:
            sparse = self._latest_s is None or keyframe.time_s - self._latest_s >= SPARSE_S
            self._latest_s = keyframe.time_s
        picture = prepare(keyframe.image, self._blend.size, cv2.INTER_LANCZOS4 if sparse else cv2.INTER_CUBIC)
        with self._lock:
            self._pushed.append((keyframe, picture))
            if len(self._pushed) > PUSHED and not self._offline:
                del self._pushed[0]

    def frame(self, now_s: float) -> tuple[np.ndarray | None, Scene | None]:
        """Make the frame for a moment.

        Args:
            now_s: Seconds on the keyframes' clock; never decreases.

        Returns:
            A new (h, w, 3) uint8 RGB picture and the scene it shows; both None before the first keyframe.
        """
        view = self._view(now_s)
        if view is None:
            return None, None
        step_s = 0.0 if self._now_s is None else max(0.0, now_s - self._now_s)
        self._now_s = now_s
        residual, strength = self._residual(view, step_s) if self._residual_flow and self._follow else (None, 0.0)
        nearer = view.newer if view.fraction >= 0.5 else view.older
        return enlarged(self._draw(view, residual, strength), self.size), nearer.keyframe.scene

    def set_zoom_offset(self, octaves: float) -> None:
        """See ``FrameInterpolator``."""
        self._closer = octaves

    @property
    def shown_s(self) -> float | None:
        """See ``FrameInterpolator``."""
        return self._playhead.camera_s

    def tune(self, config: Config) -> None:
        """See ``FrameInterpolator``."""
        self._residual_flow = config.video.residual_flow

    @property
    def can_skip_flow(self) -> bool:
        """See ``FrameInterpolator``."""
        return self._residual_flow

    def reduce_load(self, *, follow: bool, part: float) -> None:
        """See ``FrameInterpolator``."""
        self._follow = follow
        size = reduced(self.size, part)
        if size != self._blend.size:
            self._blend = Blend(size)

    def skip(self, now_s: float) -> None:
        """Advance without drawing, so that the timing of the keyframes stays known."""
        self._view(now_s)

    def close(self) -> None:
        """End the thread that compares keyframes; a second call does nothing."""
        if self._worker is not None:
            self._worker.shutdown(wait=True, cancel_futures=True)
            self._worker = None

    def _view(self, now_s: float) -> View[np.ndarray] | None:
        with self._lock:
            arrived, self._pushed = self._pushed, []
        for keyframe, picture in arrived:
            self._playhead.add(keyframe, picture, now_s)
        view = self._playhead.at(now_s)
        if view is None or not self._closer:
            return view
        return replace(view, pose=Pose(view.pose.log_zoom + self._closer, view.pose.rotation))

    def _draw(self, view: View[np.ndarray], residual: Residual | None, strength: float) -> np.ndarray:
        older, newer, fraction = view.older, view.newer, view.fraction
        if older is newer or fraction == 0.0:
            return self._blend.one(older.payload, older.pose, view.pose)
        if fraction == 1.0:
            return self._blend.one(newer.payload, newer.pose, view.pose)
        pair = (older.payload, older.pose), (newer.payload, newer.pose)
        if newer.time_s - older.time_s < SPARSE_S:
            return self._blend.dense(*pair, view.pose, fraction)
        return self._blend.sparse(*pair, view.pose, fraction, residual, strength)

    def _residual(self, view: View[np.ndarray], step_s: float) -> tuple[Residual | None, float]:
        """Return the residual flow of the pair on screen and its weight; also schedule the comparison of the next pairs."""
        pairs = [pair for pair in self._playhead.pairs() if pair[1].time_s - pair[0].time_s >= SPARSE_S]
        keys = [(a.keyframe.number, b.keyframe.number) for a, b in pairs]
        self._comparisons = {key: known for key, known in self._comparisons.items() if key in keys}
        for key, (older, newer) in zip(keys, pairs, strict=True):
            if key not in self._comparisons and (not self._offline or newer is view.newer):
                self._comparisons[key] = _Comparison(self._compare(older, newer))
        known = self._comparisons.get((view.older.keyframe.number, view.newer.keyframe.number))
        if known is None or not known.future.done():
            return None, 0.0
        if known.strength is None:
            known.strength = 1.0 if self._offline or view.fraction <= AT_ONCE else 0.0
        known.strength = min(1.0, known.strength + step_s / RAMP_S)
        return known.future.result(), known.strength

    def _compare(self, older: Shot[np.ndarray], newer: Shot[np.ndarray]) -> Future[Residual | None]:
        arguments = older.keyframe.image, older.pose, newer.keyframe.image, newer.pose
        if self._offline:
            done: Future[Residual | None] = Future()
            done.set_result(compare(*arguments))
            return done
        if self._worker is None:
            self._worker = ThreadPoolExecutor(1, thread_name_prefix="compare")
        return self._worker.submit(compare, *arguments)
