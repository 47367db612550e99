"""One dream from its beginning to its end: what happens to it, event by event, and its keyframes.

Who drives it only decides which events come, and when a keyframe is due: the live worker by the clock, a script by moments of a
video, a replay by a journal, a picture and a film by their own count. The same events give the same pixels.

The camera moves at the first step of each keyframe, by all the time since it last moved. To resample the picture takes a fourth
of the time of a small network and blurs it a little each time, and between keyframes nobody sees it.
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
"""What keyframes show before the first scene."""
BLUR = 40
"""A picture begun anew is blurred over one part of so many of its height: shapes and colours stay, detail is dreamt again."""


@dataclass(frozen=True, slots=True, eq=False)
class PendingKeyframe:
    """A keyframe whose picture is on its way."""

    copy: Copy
    """Its picture."""
    pose: Pose
    time_s: float
    scene: Scene
    number: int
    steps: int
    ridden: SourcePicture | None
    """As ``Keyframe`` has them."""
    events: tuple[DreamEvent, ...]
    """What led to it from the keyframe before."""


class Session:
    """A dream in progress. Not thread-safe.

    Args:
        make: Puts the dream together; called for each ``DreamStarted``.
        motion: How the camera moves at first.
        config: The settings that it is put together with; the usual ones if not given.
        at_s: When the dream begins, on the driver's clock.
        latest: What an earlier session's last keyframe showed, taken up by a ``DreamStarted`` that resumes.
        kept: What was kept of that session besides, for a ``DreamStarted`` that says so.
        sleep: Watches keyframes for a dream that has settled; None leaves it alone.
        sizes: Whether the canvas takes the sizes that events tell; else it keeps its own.
        compute_with: Has the dream compute with so many threads.
    """

    CHANGES = (
        *("_moved_ms", "_posed_ms", "_waiting_ms", "_motion", "_scene", "_steps", "_number", "_reseeds"),
        *("_dreamer", "_sleep"),
    )
    """Offline, where nothing is resumed by acts: what led to a keyframe is not asked for."""

    def __init__(
        self,
        make: Callable[[], Dreaming],
        motion: Motion,
        config: Config | None = None,
        *,
        at_s: float = 0.0,
        latest: Keyframe | None = None,
        kept: DreamState | None = None,
        sleep: ConvergenceDetector | None = None,
        sizes: bool = True,
        compute_with: Callable[[int], None] = lambda threads: None,
    ) -> None:
        self._compute_with = compute_with
        self._make, self._motion_at_first, self._sleep, self._sizes = make, motion, sleep, sizes
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
        """What led from the keyframe before the last to the last."""

    @property
    def dreamer(self) -> Dreaming:
        """The dream itself, from the first ``DreamStarted`` on."""
        assert self._dreamer is not None, "every dream begins with a Begun"
        return self._dreamer

    @property
    def rider(self) -> VideoRider | None:
        """The dream, where it rides on a moving picture."""
        return self._dreamer if isinstance(self._dreamer, VideoRider) else None

    @property
    def scene(self) -> Scene | None:
        """What is dreamt; None before the first."""
        return self._scene

    @property
    def config(self) -> Config:
        """The settings that it goes by."""
        return self._config

    @property
    def time_s(self) -> float:
        """How far the dream has got, on the driver's clock."""
        return self._origin_s + self._moved_ms / 1000

    def start_at(self, at_s: float) -> None:
        """Let the dream begin now: what was waited for before is not made up for."""
        self._origin_s, self._moved_ms, self._posed_ms, self._waiting_ms = at_s, 0.0, 0.0, 0.0

    def apply(self, event: DreamEvent) -> None:
        """Let something happen to the dream.

        Raises:
            DreamError: the network has not got one of a scene's targets, or settings do not go together; the dream goes on as
                before.
            Exception: what a step raises; it is not counted then.
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
                pass  # nobody can tell what it left behind
        self._coming.append(event)

    def skip(self, event: DreamEvent) -> None:
        """Keep of an event what counts later, without dreaming it."""
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
        """Go on upon a picture of a moving source, the same as before or a newer one, ``dt_s`` seconds after the last time."""
        assert self.rider is not None, "asked of dreams that ride"
        self.rider.ride(picture, dt_s)

    def restore(self, picture: np.ndarray, pose: Pose) -> None:
        """Go on from another picture, (H, W, 3) 0..255, and its pose."""
        self.dreamer.restore(picture, pose)

    def keep(self) -> DreamState:
        """Keep what it takes besides the last keyframe to go on from there, for a ``DreamStarted`` that says so."""
        self._kept = self.dreamer.keep()
        return self._kept

    @property
    def fault(self) -> str:
        """What is wrong with the picture so that it should be no keyframe; empty when nothing is."""
        return self.dreamer.fault()

    def keyframe(self, *, watch: bool = True) -> Keyframe:
        """The dream as it is now; it is woken where it has settled.

        Args:
            watch: whether it may be woken.
        """
        return self.finish(self.begin(), watch=watch)

    def begin(self) -> PendingKeyframe:
        """Begin a keyframe of the dream as it is now; steps may be taken before it is finished."""
        rider = self.rider
        begun = PendingKeyframe(
            self.dreamer.copy(),
            self.dreamer.pose,
            self._origin_s + self._posed_ms / 1000,
            self._scene or NOTHING,
            self._number,
            self._steps,
            None if rider is None else rider.ridden,
            tuple(self._coming),
        )
        self._number, self._steps, self._coming = self._number + 1, 0, []
        return begun

    def finish(self, begun: PendingKeyframe, *, watch: bool = True) -> Keyframe:
        """The keyframe that was begun, waited for; the dream is woken where it has settled.

        Args:
            watch: whether it may be woken.
        """
        self._latest = keyframe = Keyframe(
            begun.copy.array(), begun.pose, begun.time_s, begun.scene, begun.number, begun.steps, ridden=begun.ridden
        )
        self.events = begun.events
        pose = keyframe.pose
        if self._sleep is not None and watch and (bump := self._sleep.look(keyframe.time_s, pose, keyframe.image)):
            log.info("the dream had settled: woken by %s", "a twist" if bump.twist else "noise")
            self.apply(bump)
        return keyframe

    def start_midway(self) -> None:
        """Begin in the middle, with what counts of the events that were passed over."""
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
        begun: DreamStarted,
        scene: Scene,
        sleep: ConvergenceDetector | None = None,
    ) -> Session:
        """A session that has begun, with its first scene; its times count from 0.

        Raises:
            DreamError: the network has not got one of the scene's targets.
        """
        session = cls(make, motion, sleep=sleep)
        session.apply(begun)
        session.apply(scene)
        return session

    def _begin(self, begun: DreamStarted) -> None:
        self._dreamer, self._motion, self._config = self._make(), self._motion_at_first, self._config_at_first
        own = self._dreamer.size
        self._waiting_ms, self._moved_ms = 0.0, self._posed_ms  # what came after the latest keyframe's move nobody has seen
        if begun.resumed and self._latest is not None:
            if self.rider is not None and self._latest.ridden is not None:
                self.rider.ride(self._latest.ridden, 0.0)
            kept = None if begun.kept is None else self._kept
            self._dreamer.restore(self._latest.image, self._latest.pose, kept)
        self._dreamer.resize(begun.size if self._sizes else own)

    def _step(self, ms: float) -> None:
        before, waiting_ms, first = self.dreamer.pose, self._waiting_ms + ms, self._steps == 0
        self.dreamer.step(ms / 1000, waiting_ms / 1000 if first else 0.0)
        self._waiting_ms = 0.0 if first else waiting_ms
        self._moved_ms += ms
        self._steps += 1
        still = self.rider is not None or (self._motion.speed == 1 and self._motion.rotation == 0)
        if still or self.dreamer.pose != before:  # it moves once for several steps
            self._posed_ms = self._moved_ms

    def _reseed(self, event: Reseeded) -> None:
        """Begin anew where the camera stands, with chance as it is: the same again would only be spoilt again."""
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
        if self._sleep is not None:
            self._sleep.tune(config.dream)

    def _show(self, scene: Scene) -> None:
        try:
            self.dreamer.scene(scene)
        except DreamError:
            self._scene = self._scene or scene  # better a picture without it than none
            raise
        self._scene = scene
        if self._sleep is not None:
            self._sleep.reset()
