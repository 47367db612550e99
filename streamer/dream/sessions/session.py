"""One dream from start to end: its events, in order, and its keyframes.

A driver decides which events come and when a keyframe is due: the live worker by the clock, a script by times of a video, a
replay by a journal, a picture and a film by their own count. The same events give the same pixels.

The camera moves at the first step of each keyframe, by all the time since it last moved. Resampling the picture takes a quarter
of the time of a small network and blurs the picture a little, and between keyframes it would not be visible.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from streamer import zoom
from streamer.config import Config
from streamer.dream.interface import Copy, DreamError, Dreaming, VideoRider
from streamer.dream.sessions.convergence import ConvergenceDetector
from streamer.dream.sources.noise import noise
from streamer.dream_state import DreamState
from streamer.events import UNTUNED, Bump, DreamEvent, DreamStarted, Idle, Reseeded, Resized, StepFailed, ThreadsChanged, Tuned
from streamer.messages.keyframes import Keyframe, SourcePicture
from streamer.messages.motion import Motion, Pose
from streamer.messages.scenes import Scene
from streamer.settings_live import IncompatibleSettings, laid_over

log = logging.getLogger(__name__)

NOTHING = Scene(0, ())
"""The scene of keyframes before the first scene."""
BLUR = 40
"""Divides the picture's height to give the blur radius of a restart, which keeps shapes and colours but not detail."""


@dataclass(frozen=True, slots=True, eq=False)
class PendingKeyframe:
    """A keyframe whose picture is being copied. For its other fields see ``Keyframe``."""

    copy: Copy
    """The copy of its picture."""
    pose: Pose
    time_s: float
    scene: Scene
    number: int
    steps: int
    source_picture: SourcePicture | None
    events: tuple[DreamEvent, ...]
    """The events since the previous keyframe."""


class Session:
    """A dream in progress. Not thread-safe.

    Args:
        make: Builds the dream; called for each ``DreamStarted``.
        motion: The camera's motion at first.
        config: The settings that the dream is built with; the defaults if not given.
        at_s: Start of the dream, on the driver's clock.
        latest: The last keyframe of an earlier session, for a ``DreamStarted`` that resumes from it.
        kept: The dream's state at that keyframe, for a ``DreamStarted`` that resumes with it.
        detector: Detects that the dream has converged; None never wakes it.
        sizes: Whether the canvas takes the sizes of the events; else it keeps its own.
        compute_with: Sets the number of threads that the dream computes with.
    """

    CHANGES = (
        *("_moved_ms", "_posed_ms", "_waiting_ms", "_motion", "_scene", "_steps", "_number", "_reseeds"),
        *("_dreamer", "_detector"),
    )
    """The state saved by offline renders, which do not record events."""

    def __init__(
        self,
        make: Callable[[], Dreaming],
        motion: Motion,
        config: Config | None = None,
        *,
        at_s: float = 0.0,
        latest: Keyframe | None = None,
        kept: DreamState | None = None,
        detector: ConvergenceDetector | None = None,
        sizes: bool = True,
        compute_with: Callable[[int], None] = lambda threads: None,
    ) -> None:
        self._compute_with = compute_with
        self._make, self._motion_at_first, self._detector, self._sizes = make, motion, detector, sizes
        self._latest, self._kept, self._motion = latest, kept, motion
        self._config_at_first = self._config = config or Config()
        self._tuned = UNTUNED
        self._origin_s = at_s
        self._moved_ms = self._posed_ms = self._waiting_ms = 0.0
        self._dreamer: Dreaming | None = None
        self._scene: Scene | None = None
        self._size: tuple[int, int] | None = None
        self._steps = self._number = self._reseeds = 0
        self._coming: list[DreamEvent] = []
        self.events: tuple[DreamEvent, ...] = ()
        """The events between the last two keyframes."""

    @property
    def dreamer(self) -> Dreaming:
        """The dream itself, from the first ``DreamStarted`` on."""
        assert self._dreamer is not None, "every dream begins with a DreamStarted"
        return self._dreamer

    @property
    def rider(self) -> VideoRider | None:
        """The dream if it follows a moving source, else None."""
        return self._dreamer if isinstance(self._dreamer, VideoRider) else None

    @property
    def scene(self) -> Scene | None:
        """The current scene; None before the first."""
        return self._scene

    @property
    def config(self) -> Config:
        """The current settings."""
        return self._config

    @property
    def time_s(self) -> float:
        """The dream's time, on the driver's clock."""
        return self._origin_s + self._moved_ms / 1000

    def start_at(self, at_s: float) -> None:
        """Set the start of the dream to now, so that the time before does not count."""
        self._origin_s, self._moved_ms, self._posed_ms, self._waiting_ms = at_s, 0.0, 0.0, 0.0

    def apply(self, event: DreamEvent) -> None:
        """Apply an event to the dream.

        Raises:
            DreamError: the network does not have one of a scene's targets, or settings contradict each other; the dream
                continues as before.
            Exception: raised by a step; the step is not counted.
        """
        match event:
            case int() | float():
                self._step(event)
            case DreamStarted():
                self._begin(event)
            case Scene():
                self._coming.append(event)
                self._show(event)
                return
            case Motion():
                self._motion = event
                self.dreamer.motion(event)
            case Bump():
                self._bump(event)
            case Resized():
                if self._sizes:
                    self.dreamer.resize(event.size)
            case Idle():
                self._moved_ms += event.ms
                self._posed_ms, self._waiting_ms = self._moved_ms, 0.0
            case Tuned():
                self._coming.append(event)
                self._tune(event)
                return
            case ThreadsChanged():
                self._compute_with(event.threads)
            case Reseeded():
                self._reseed(event)
            case StepFailed():
                pass  # its effect on the picture is unknown
        self._coming.append(event)

    def skip(self, event: DreamEvent) -> None:
        """Apply only what matters later of an event, without rendering."""
        match event:
            case int() | float():
                self._moved_ms += event
            case Idle():
                self._moved_ms += event.ms
            case DreamStarted():
                self._motion, self._size, self._tuned = self._motion_at_first, event.size, UNTUNED
            case Tuned():
                self._tuned = event
            case Motion():
                self._motion = event
            case Scene():
                self._scene = event
            case Resized():
                self._size = event.size
        self._posed_ms = self._moved_ms

    def ride(self, picture: SourcePicture, dt_s: float) -> None:
        """Move the dream onto a picture of a moving source, the same or a newer one, ``dt_s`` seconds after the last call."""
        assert self.rider is not None, "only dreams with a moving source can do this"
        self.rider.ride(picture, dt_s)

    def restore(self, picture: np.ndarray, pose: Pose) -> None:
        """Continue from another picture, (H, W, 3) 0..255, and its pose."""
        self.dreamer.restore(picture, pose)

    def keep(self) -> DreamState:
        """Save and return the dream's state at the last keyframe, for a ``DreamStarted`` that resumes with it."""
        self._kept = self.dreamer.keep()
        return self._kept

    @property
    def fault(self) -> str:
        """Why the picture is unusable as a keyframe; empty if it is usable."""
        return self.dreamer.fault()

    def keyframe(self, *, watch: bool = True) -> Keyframe:
        """Return a keyframe of the dream as it is now; wake the dream if it has converged.

        Args:
            watch: whether the dream may be woken.
        """
        return self.finish(self.begin(), watch=watch)

    def begin(self) -> PendingKeyframe:
        """Begin a keyframe of the dream as it is now; steps may be taken before it is finished."""
        rider = self.rider
        pending = PendingKeyframe(
            self.dreamer.copy(),
            self.dreamer.pose,
            self._origin_s + self._posed_ms / 1000,
            self._scene or NOTHING,
            self._number,
            self._steps,
            None if rider is None else rider.source_picture,
            tuple(self._coming),
        )
        self._number, self._steps, self._coming = self._number + 1, 0, []
        return pending

    def finish(self, pending: PendingKeyframe, *, watch: bool = True) -> Keyframe:
        """Wait for a keyframe that was begun and return it; wake the dream if it has converged.

        Args:
            watch: whether the dream may be woken.
        """
        self._latest = keyframe = Keyframe(
            pending.copy.array(),
            pending.pose,
            pending.time_s,
            pending.scene,
            pending.number,
            pending.steps,
            source_picture=pending.source_picture,
        )
        self.events = pending.events
        pose = keyframe.pose
        if self._detector is not None and watch and (bump := self._detector.check(keyframe.time_s, pose, keyframe.image)):
            log.info("the dream had converged: woken by %s", "a twist" if bump.twist else "noise")
            self.apply(bump)
        return keyframe

    def start_midway(self) -> None:
        """Start in the middle of a run, with the state that the skipped events lead to."""
        self._dreamer = self._make()
        if self._sizes and self._size is not None:
            self._dreamer.resize(self._size)
        self._dreamer.motion(self._motion)
        if self._tuned != UNTUNED:
            self._tune(self._tuned)
        if self._scene is not None:
            self._show(self._scene)

    @classmethod
    def of(
        cls,
        make: Callable[[], Dreaming],
        motion: Motion,
        started: DreamStarted,
        scene: Scene,
        detector: ConvergenceDetector | None = None,
    ) -> Session:
        """Return a session that has started, with its first scene; its times count from 0.

        Raises:
            DreamError: the network does not have one of the scene's targets.
        """
        session = cls(make, motion, detector=detector)
        session.apply(started)
        session.apply(scene)
        return session

    def _begin(self, started: DreamStarted) -> None:
        self._dreamer, self._motion, self._config = self._make(), self._motion_at_first, self._config_at_first
        own = self._dreamer.size
        self._waiting_ms, self._moved_ms = 0.0, self._posed_ms  # time after the last keyframe's move was never visible
        if started.resumed and self._latest is not None:
            if self.rider is not None and self._latest.source_picture is not None:
                self.rider.ride(self._latest.source_picture, 0.0)
            kept = None if started.kept is None else self._kept
            self._dreamer.restore(self._latest.image, self._latest.pose, kept)
        self._dreamer.resize(started.size if self._sizes else own)

    def _step(self, ms: float) -> None:
        before, waiting_ms, first = self.dreamer.pose, self._waiting_ms + ms, self._steps == 0
        self.dreamer.step(ms / 1000, waiting_ms / 1000 if first else 0.0)
        self._waiting_ms = 0.0 if first else waiting_ms
        self._moved_ms += ms
        self._steps += 1
        still = self.rider is not None or (self._motion.speed == 1 and self._motion.rotation == 0)
        if still or self.dreamer.pose != before:  # the camera moves once for several steps
            self._posed_ms = self._moved_ms

    def _reseed(self, event: Reseeded) -> None:
        """Restart at the current pose. The random state continues, since the same numbers would fail again."""
        size, pose, latest = self.dreamer.size, self.dreamer.pose, self._latest
        self._reseeds += 1
        if event.noise or latest is None:
            picture = noise(size, np.random.default_rng(self._reseeds))
        else:
            blurred = cv2.GaussianBlur(latest.image, (0, 0), max(1.0, latest.image.shape[0] / BLUR))
            matrix = zoom.sampling_matrix(latest.pose, pose, latest.image.shape[:2], size)
            flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
            picture = cv2.warpAffine(blurred, matrix, size[::-1], flags=flags, borderMode=cv2.BORDER_REFLECT)
        self.dreamer.restore(picture, pose)

    def _bump(self, bump: Bump) -> None:
        if bump.twist:
            self.dreamer.twist()
        else:
            self.dreamer.bump()

    def _tune(self, tuned: Tuned) -> None:
        try:
            config = laid_over(self._config_at_first, tuned)
        except IncompatibleSettings as error:
            raise DreamError(str(error)) from None
        self._config = config
        self.dreamer.tune(config)
        if self._detector is not None:
            self._detector.tune(config.dream)

    def _show(self, scene: Scene) -> None:
        try:
            self.dreamer.scene(scene)
        except DreamError:
            self._scene = self._scene or scene  # a picture without the target is better than none
            raise
        self._scene = scene
        if self._detector is not None:
            self._detector.reset()
