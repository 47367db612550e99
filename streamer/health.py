"""Whether the stream is well, and if not, why: one line for each thing that an operator should look at."""

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
"""Seconds without a keyframe that are a problem, unless keyframes are known to take long…"""
STILL_INTERVALS = 4.0
"""…then so many of their intervals."""
START_S = 60.0
"""Seconds from start to the first keyframe that are a problem, besides the time allowed for a download."""
RATE_S = 5.0
"""Seconds over which the frame rate is measured."""
RATE_LEAST = 0.95
"""Part of the frame rate below which viewers notice."""
RATE_SLOW_S = 3.0
"""Seconds below it that are a problem…"""
RATE_WELL, RATE_WELL_S = 0.98, 10.0
"""…which is over when the rate was at least this part for so many seconds."""
CHAT_S = 60.0
"""Seconds without the chat that are a problem."""
SPOILT_S = 60.0
"""Seconds for which a picture that was not fit to be shown is a problem."""
DISK_LEAST = 200 * 2**20
"""Free bytes below which the queue and recordings are in danger."""
DISK_S = 10.0
"""Seconds between two looks at the disk."""


class SustainedCondition:
    """Something that is bad once it was so for a while without a pause, and good again likewise. Not thread-safe."""

    def __init__(self, bad_s: float, good_s: float) -> None:
        """``bad_s`` and ``good_s``: for how long."""
        self.is_bad = False
        self._needed_s = {True: bad_s, False: good_s}
        self._since_s: float | None = None

    def see(self, now_s: float, *, bad: bool, good: bool) -> None:
        """Take note of how it is now: bad, good, or neither."""
        turns = good if self.is_bad else bad
        if not turns:
            self._since_s = None
            return
        self._since_s = now_s if self._since_s is None else self._since_s
        if now_s - self._since_s >= self._needed_s[not self.is_bad]:
            self.is_bad, self._since_s = not self.is_bad, None


class Health:
    """Collects signs of life and judges them. Thread-safe."""

    def __init__(self, config: Config, state_folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin to watch; ``state_folder`` is where the queue lies."""
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
        """The patience that had run out when keyframes stopped coming; None while they come."""
        self._spoilt: deque[tuple[float, int]] = deque()  # when how many more had been told of, lately
        self._spoilt_before = 0
        self._disk: tuple[str, ...] = ()
        self._disk_s: float | None = None

    def keyframe(self, keyframe: Keyframe) -> None:
        """A keyframe came."""
        with self._lock:
            self._keyframe_s, self._still_s = self._clock(), None

    def sample(self, frames: FrameCounters) -> None:
        """Take note of the frames so far; to be called a few times a second."""
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
        """Frames per second over the last seconds; 0 before that can be told."""
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
        """Why the stream is unwell, most urgent first; empty when all is well. The words stay the same while the reason does.

        Args:
            encoder: what went wrong with the encoding last; empty when nothing did.
            outputs: how each does.
            sound: why there is none though there should be; empty when there is.
            source: the film or the camera that the dream rides on; None where there is none.
            queue: why requests are not kept on disk; empty when they are.
            chat: what the chat bot told last.
            snapshot: as ``queue``, why a restart would not go on from this dream.
            slate: whether viewers see that the dream is being repaired.
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
        """What viewers see, by the same signs as ``problems``: what is not as it should be is among those."""
        still = bool(self._standstill(renderer) or self._interruption(renderer))
        with self._lock:
            if self._keyframe_s is None:
                return PictureState.STARTING
            if slate or still:
                return PictureState.INTERRUPTED
            return PictureState.SLOW if self._slow.is_bad else PictureState.LIVE

    def _interruption(self, renderer: RendererStatus) -> str:
        """Whether a dream that was there is being started again."""
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
        """How many pictures were not fit to be shown lately."""
        with self._lock:
            now_s = self._clock()
            if more := renderer.spoilt - self._spoilt_before:
                self._spoilt_before += more
                self._spoilt.append((now_s, more))
            while self._spoilt and now_s - self._spoilt[0][0] >= SPOILT_S:
                self._spoilt.popleft()
            lately = sum(count for _, count in self._spoilt)
        return f"{lately} pictures of the dream were not fit to be shown in the last minute" if lately else ""

    def _slowness(self) -> str:
        with self._lock:
            return f"frames come slower than the {self._config.video.fps} a second asked for" if self._slow.is_bad else ""

    def _silence(self, chat: ChatReport | None) -> str:
        """What is wrong with the chat that the settings ask for."""
        if self._config.twitch.channel is None:
            return ""
        if chat is None:
            return "nothing has been heard from the chat bot yet" if self._clock() - self._started_s > CHAT_S else ""
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
    """Why this machine dreams although a cluster is to; empty where it does not."""
    link = renderer.link
    if link is None or link.node or not renderer.network or renderer.activity:
        return ""
    return f"this machine dreams in place of the cluster: {link.why}"


def nearest(folder: Path) -> Path:
    """The folder itself, or what is there of it if it is yet to be made."""
    folder = folder.absolute()
    return next((path for path in (folder, *folder.parents) if path.exists()), folder)


def _shortage(folder: Path) -> str:
    try:
        free = shutil.disk_usage(nearest(folder)).free
    except OSError as error:
        return f"the folder '{folder}' cannot be looked at: {error.strerror}"
    return f"less than {DISK_LEAST / 2**20:.0f} MB are free in '{folder}'" if free < DISK_LEAST else ""
