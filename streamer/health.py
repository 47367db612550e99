"""Checks the health of the stream: one line for each problem that an operator should look at."""

from __future__ import annotations

import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from streamer.config import Config, FileOutput, HlsOutput
from streamer.messages.chat_status import ChatReport, ChatState
from streamer.messages.keyframes import Keyframe
from streamer.messages.renderer_status import RendererStatus
from streamer.messages.status import FrameCounters, OutputStatus, PictureState, SourceStatus

STILL_S = 10.0
"""Seconds without a keyframe after which that is a problem, unless ``STILL_INTERVALS`` is longer."""
STILL_INTERVALS = 4.0
"""Number of keyframe intervals without a keyframe after which that is a problem."""
START_S = 60.0
"""Seconds from start to the first keyframe after which that is a problem, in addition to the time allowed for a download."""
RATE_S = 5.0
"""Seconds over which the frame rate is measured."""
RATE_LEAST = 0.95
"""Share of the frame rate below which viewers notice."""
RATE_SLOW_S = 3.0
"""Seconds below that rate after which it is a problem."""
RATE_WELL, RATE_WELL_S = 0.98, 10.0
"""Share of the frame rate, and for how many seconds it must be reached until the problem is over."""
CHAT_S = 60.0
"""Seconds without the chat after which that is a problem."""
SPOILT_S = 60.0
"""Seconds for which an unusable picture counts as a problem."""
DISK_LEAST = 200 * 2**20
"""Free bytes below which the queue and recordings are in danger."""
DISK_S = 10.0
"""Seconds between checks of the disk."""


class SustainedCondition:
    """A condition that turns bad or good only after it was so for some time without a break. Not thread-safe."""

    def __init__(self, bad_s: float, good_s: float) -> None:
        """Set the seconds after which it turns bad, and good again."""
        self.is_bad = False
        self._needed_s = {True: bad_s, False: good_s}
        self._since_s: float | None = None

    def see(self, now_s: float, *, bad: bool, good: bool) -> None:
        """Note the current observation: bad, good, or neither."""
        turns = good if self.is_bad else bad
        if not turns:
            self._since_s = None
            return
        self._since_s = now_s if self._since_s is None else self._since_s
        if now_s - self._since_s >= self._needed_s[not self.is_bad]:
            self.is_bad, self._since_s = not self.is_bad, None


class Health:
    """Collects signs of life and derives problems from them. Thread-safe."""

    def __init__(self, config: Config, state_folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        """Start watching; ``state_folder`` is the folder of the queue."""
        self._config, self._clock = config, clock
        recordings = [output.path.parent for output in config.outputs if isinstance(output, FileOutput)]
        lists = [output.folder for output in config.outputs if isinstance(output, HlsOutput)]
        logs = [] if config.log.file is None else [config.log.file.parent]
        self._folders = tuple(dict.fromkeys([state_folder, *recordings, *lists, *logs]))
        self._lock = threading.Lock()
        self._started_s = clock()
        self._keyframe_s: float | None = None
        self._samples: deque[tuple[float, int]] = deque()
        self._slow = SustainedCondition(RATE_SLOW_S, RATE_WELL_S)
        self._still_s: float | None = None
        """The time limit in seconds that was exceeded when keyframes stopped; None while they come."""
        self._spoilt: deque[tuple[float, int]] = deque()  # times and numbers of recent unusable pictures
        self._spoilt_before = 0
        self._disk: tuple[str, ...] = ()
        self._disk_s: float | None = None

    def keyframe(self, keyframe: Keyframe) -> None:
        """Note that a keyframe came."""
        with self._lock:
            self._keyframe_s, self._still_s = self._clock(), None

    def sample(self, frames: FrameCounters) -> None:
        """Note the frame counters; call this a few times a second."""
        with self._lock:
            now_s = self._clock()
            self._samples.append((now_s, frames.shown))
            while now_s - self._samples[0][0] > RATE_S and len(self._samples) > 2:
                self._samples.popleft()
            if now_s - self._samples[0][0] > RATE_S / 2:
                part = self._fps() / self._config.video.fps
                self._slow.see(now_s, bad=part < RATE_LEAST, good=part >= RATE_WELL)

    @property
    def fps(self) -> float:
        """Frames per second over the last ``RATE_S``; 0 before that is known."""
        with self._lock:
            return self._fps()

    def _fps(self) -> float:
        if len(self._samples) < 2:
            return 0.0
        (first_s, first), (last_s, last) = self._samples[0], self._samples[-1]
        return (last - first) / (last_s - first_s) if last_s > first_s else 0.0

    def problems(
        self,
        renderer: RendererStatus,
        encoder: str,
        outputs: Sequence[OutputStatus],
        sound: str = "",
        source: SourceStatus | None = None,
        queue: str = "",
        chat: ChatReport | None = None,
        snapshot: str = "",
        *,
        slate: bool = False,
    ) -> tuple[str, ...]:
        """Return the problems of the stream, most urgent first. The text of a problem stays the same while it lasts.

        Args:
            encoder: the last error of the encoder; empty if there was none.
            outputs: status of each output.
            sound: why there is no sound although there should be; empty if there is.
            source: status of the moving source; None without one.
            queue: why requests are not saved on disk; empty if they are.
            chat: latest report of the chat bot.
            snapshot: why a restart would not resume this dream; empty if it would.
            slate: whether viewers see the slate in place of the dream.
        """
        still = self._standstill(renderer) or self._interruption(renderer)
        found = [still, self._slowness(), f"encoding fails: {encoder}" if encoder else ""]
        found += ["viewers see a slate in place of the dream" if slate else "", self._unfit(renderer), queue, snapshot]
        found += [f"output {one.name} is {one.state}: {one.reason}" for one in outputs if one.failing]
        found += [_stand_in(renderer)]
        found += [f"no sound: {sound}" if sound else ""]
        found += [f"the {source.kind} is lost: {source.reason}" if source is not None and source.state == "lost" else ""]
        found += [self._silence(chat)]
        return tuple(problem for problem in (*found, *self._full_disks()) if problem)

    def picture(self, renderer: RendererStatus, *, slate: bool = False) -> PictureState:
        """Return what viewers see; any state except ``STARTING`` and ``LIVE`` also shows in ``problems``."""
        still = bool(self._standstill(renderer) or self._interruption(renderer))
        with self._lock:
            if self._keyframe_s is None:
                return PictureState.STARTING
            if slate or still:
                return PictureState.INTERRUPTED
            return PictureState.SLOW if self._slow.is_bad else PictureState.LIVE

    def _interruption(self, renderer: RendererStatus) -> str:
        """Return the problem that a dream is being restarted; empty if it is not."""
        with self._lock:
            began = self._keyframe_s is not None
        why = f": {renderer.error}" if renderer.error else ""
        return f"the dream is interrupted{why}" if began and renderer.activity else ""

    def _standstill(self, renderer: RendererStatus) -> str:
        with self._lock:
            last_s = self._keyframe_s
        why = f": {renderer.error}" if renderer.error else ""
        if last_s is None:
            waited_s = self._clock() - self._started_s
            allowed_s = START_S + self._config.network.download_s
            return f"no picture within {allowed_s:.0f} s of the start{why}" if waited_s > allowed_s else ""
        allowed_s = max(STILL_S, STILL_INTERVALS * (renderer.keyframe_s or 0.0))
        with self._lock:
            if self._clock() - last_s <= allowed_s:
                self._still_s = None
            elif self._still_s is None:
                self._still_s = allowed_s
            return "" if self._still_s is None else f"no new picture for more than {self._still_s:.0f} s{why}"

    def _unfit(self, renderer: RendererStatus) -> str:
        """Return the problem of recent unusable pictures; empty if there were none."""
        with self._lock:
            now_s = self._clock()
            if more := renderer.spoilt - self._spoilt_before:
                self._spoilt_before += more
                self._spoilt.append((now_s, more))
            while self._spoilt and now_s - self._spoilt[0][0] >= SPOILT_S:
                self._spoilt.popleft()
            lately = sum(count for _, count in self._spoilt)
        return f"{lately} pictures of the dream were unusable in the last minute" if lately else ""

    def _slowness(self) -> str:
        with self._lock:
            return f"frames come slower than the configured {self._config.video.fps} per second" if self._slow.is_bad else ""

    def _silence(self, chat: ChatReport | None) -> str:
        """Return the problem with the chat that the settings ask for; empty if there is none."""
        if self._config.twitch.channel is None:
            return ""
        if chat is None:
            return "the chat bot has not reported yet" if self._clock() - self._started_s > CHAT_S else ""
        if chat.state in (ChatState.CONNECTED, ChatState.READ_ONLY) or chat.since_s <= CHAT_S:
            return ""
        return f"the chat is not well ({chat.state}){f': {chat.detail}' if chat.detail else ''}"

    def _full_disks(self) -> tuple[str, ...]:
        with self._lock:
            now_s = self._clock()
            if self._disk_s is not None and now_s - self._disk_s < DISK_S:
                return self._disk
            self._disk_s = now_s
            self._disk = tuple(filter(None, map(_shortage, self._folders)))
            return self._disk


def _stand_in(renderer: RendererStatus) -> str:
    """Return the problem that this machine renders although a cluster should; empty if it does not."""
    link = renderer.link
    if link is None or link.node or not renderer.network or renderer.activity:
        return ""
    return f"this machine renders instead of the cluster: {link.why}"


def nearest(folder: Path) -> Path:
    """Return the folder, or its nearest parent that exists."""
    folder = folder.absolute()
    return next((path for path in (folder, *folder.parents) if path.exists()), folder)


def _shortage(folder: Path) -> str:
    try:
        free = shutil.disk_usage(nearest(folder)).free
    except OSError as error:
        return f"the folder '{folder}' cannot be checked: {error.strerror}"
    return f"less than {DISK_LEAST / 2**20:.0f} MB are free in '{folder}'" if free < DISK_LEAST else ""
