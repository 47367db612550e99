"""Messages between a relay and its host. Frozen and picklable."""

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
"""Part size: Ray sends results of up to 100 kB with its answer; larger ones take two more round trips."""
MOST_PARTS = 16
"""Most parts of a batch; larger batches are sent as one result."""


@dataclass(frozen=True, slots=True, eq=False)
class WorkerSpec:
    """Everything a host needs to start its worker."""

    config: Config
    seed: int
    factory: DreamFactory | None
    prepare_mode: PrepareMode
    threads: int = 0
    """Most threads for the worker to compute with; 0 for as many as suit the node."""
    feed: tuple[int, int] | None = None
    """(height, width) of the largest picture of the moving source; None without one."""
    picture: bytes | None = None
    """Contents of the file of the starting picture; None without one."""


@dataclass(frozen=True, slots=True, eq=False)
class RemoteBegin:
    """``Begin``, with the contents of the relay's shared memory; times are on the host's clock."""

    resume: Resume | None
    level: int

    @classmethod
    def of(cls, begin: Begin, frame_slots: FrameSlots, theirs: Callable[[float], float]) -> RemoteBegin:
        """Convert a ``Begin``, reading the shared memory that it refers to.

        Args:
            theirs: converts a time of our clock to the host's.
        """
        left = begin.left
        if left is None:
            return cls(None, begin.level)
        kept = None if left.kept is None else left.kept.get(frame_slots)
        resume = replace(left.opened(frame_slots), time_s=theirs(left.time_s), kept=kept, kept_ago=left.kept_ago)
        return cls(resume, begin.level)


RelayCommand = Command | RemoteBegin
"""From the relay to the host; each has a number, since calls may arrive out of order."""


@dataclass(frozen=True, slots=True)
class FetchRequest:
    """A relay's request for reports."""

    acknowledged: int
    """Total of pictures that have arrived."""
    coding: Coding
    """Coding of the next pictures."""
    window: int
    """Most pictures in flight."""
    keep_s: float
    """Seconds between transfers of the dream's state."""
    hold_s: float
    """Seconds to wait if there is nothing to report."""
    parts: int
    """Number of parts to split the answer into."""


@dataclass(frozen=True, slots=True, eq=False)
class SentKeyframe:
    """A keyframe in transit; its times are on the host's clock."""

    keyframe_ready: KeyframeReady
    """Its ``slot`` has no meaning, and ``kept`` below replaces its ``kept``."""
    picture: CodedPicture
    coding: Coding
    """The coding that was requested."""
    source_picture: CodedPicture | None = None
    kept: DreamState | None = None

    @property
    def bytes(self) -> int:
        """Size of its pictures on the network."""
        return len(self.picture.data) + (0 if self.source_picture is None else len(self.source_picture.data))


@dataclass(frozen=True, slots=True, eq=False)
class ReportBatch:
    """A host's answer to a ``FetchRequest``."""

    number: int | None
    """Number among the non-empty batches, from 0; None for an empty one."""
    sent_s: float
    """Time of departure, on the host's clock."""
    held: tuple[Report | SentKeyframe, ...] = ()
    """The worker's reports, in order; at most one keyframe."""

    def cut(self, parts: int) -> list[bytes]:
        """Pickle the batch and split it into parts; all of it is in the first if it is larger than ``parts`` parts."""
        data = pickle.dumps(self, pickle.HIGHEST_PROTOCOL)
        size = PART_BYTES if len(data) <= parts * PART_BYTES else len(data)
        return [data[number * size : (number + 1) * size] for number in range(parts)]

    @staticmethod
    def joined(parts: Sequence[bytes]) -> ReportBatch:
        """Return the batch that was split into these parts."""
        batch: ReportBatch = pickle.loads(b"".join(parts))
        return batch


@dataclass(frozen=True, slots=True, eq=False)
class SentSourcePicture:
    """A picture of the moving source, for the host's feed. Its time is on the relay's clock: the host does not use it."""

    picture: CodedPicture
    number: int
    time_s: float

    def opened(self) -> SourcePicture:
        """Return the decoded picture."""
        return SourcePicture(self.picture.opened(), self.number, self.time_s)
