"""What a relay and its host tell each other. Frozen and picklable."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from streamer.config import Config
from streamer.dream.interface import DreamFactory
from streamer.dream.worker.frame_slots import FrameSlots
from streamer.dream.worker.protocol import Begin, Command, KeyframeReady, PrepareMode, Report, Resume
from streamer.dream.worker.remote.picture_coding import CodedPicture, Coding
from streamer.dream_state import DreamState
from streamer.messages.keyframes import SourcePicture

PART_BYTES = 96 * 1024
"""What is no larger than 100 kB comes with Ray's answer itself. All else is fetched then, which takes two more round trips."""
MOST_PARTS = 16
"""Larger parcels come whole all the same."""


@dataclass(frozen=True, slots=True, eq=False)
class WorkerSpec:
    """All a host needs to start its worker."""

    config: Config
    seed: int
    factory: DreamFactory | None
    prepare_mode: PrepareMode
    threads: int = 0
    """That the worker computes with, at most; 0 for as many as suit the node."""
    feed: tuple[int, int] | None = None
    """(height, width) of the largest picture to ride on; None where nothing is ridden on."""
    picture: bytes | None = None
    """The file of the picture that the dream starts from."""


@dataclass(frozen=True, slots=True, eq=False)
class RemoteBegin:
    """``WorkStarter``, with what lies in the relay's memory; times are on the host's clock."""

    resume: Resume | None
    level: int

    @classmethod
    def of(cls, begin: Begin, frame_slots: FrameSlots, theirs: Callable[[float], float]) -> RemoteBegin:
        """What an order says, with what lies in the memory that belongs to it.

        Args:
            theirs: tells a time of ours on the host's clock.
        """
        left = begin.left
        if left is None:
            return cls(None, begin.level)
        kept = None if left.kept is None else left.kept.get(frame_slots)
        resume = replace(left.opened(frame_slots), time_s=theirs(left.time_s), kept=kept, kept_ago=left.kept_ago)
        return cls(resume, begin.level)


RelayCommand = Command | RemoteBegin
"""From the relay to the host; each has a number, since calls may overtake one another."""


@dataclass(frozen=True, slots=True)
class FetchRequest:
    """A relay asks for what there is."""

    acknowledged: int
    """Pictures that it has so far."""
    coding: Coding
    """How the next ones are to come."""
    window: int
    """Pictures that may be under way."""
    keep_s: float
    """Seconds from one time that what is kept of the dream comes to the next."""
    hold_s: float
    """Seconds to wait where there is nothing."""
    parts: int
    """Into how many the answer is to be cut."""


@dataclass(frozen=True, slots=True, eq=False)
class SentKeyframe:
    """A keyframe on its way: its times are on the host's clock."""

    keyframe_ready: KeyframeReady
    """Its slot means nothing, and what was kept stands below."""
    picture: CodedPicture
    coding: Coding
    """How that was asked for."""
    ridden: CodedPicture | None = None
    kept: DreamState | None = None

    @property
    def bytes(self) -> int:
        """What its pictures take on the network."""
        return len(self.picture.data) + (0 if self.ridden is None else len(self.ridden.data))


@dataclass(frozen=True, slots=True, eq=False)
class ReportBatch:
    """What a host answers."""

    number: int | None
    """Its place among those that hold something, from 0; None where it holds nothing."""
    sent_s: float
    """When it left, on the host's clock."""
    held: tuple[Report | SentKeyframe, ...] = ()
    """In the order in which the worker said it; one keyframe at most."""

    def cut(self, parts: int) -> list[bytes]:
        """It in so many parts; all in the first where they would be too large to come at once."""
        data = pickle.dumps(self, pickle.HIGHEST_PROTOCOL)
        size = PART_BYTES if len(data) <= parts * PART_BYTES else len(data)
        return [data[number * size : (number + 1) * size] for number in range(parts)]

    @staticmethod
    def joined(parts: Sequence[bytes]) -> ReportBatch:
        """A parcel out of its parts."""
        parcel: ReportBatch = pickle.loads(b"".join(parts))
        return parcel


@dataclass(frozen=True, slots=True, eq=False)
class SentSourcePicture:
    """A picture to ride on, for the host's feed. Its time stays on the relay's clock: nobody there looks at it."""

    picture: CodedPicture
    number: int
    time_s: float

    def opened(self) -> SourcePicture:
        """The picture itself."""
        return SourcePicture(self.picture.opened(), self.number, self.time_s)
