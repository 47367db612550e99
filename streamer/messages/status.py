"""Status of frames, outputs, sound, source and settings, and the snapshot of all that pages and metrics show."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from streamer.messages.chat_status import ChatReport
from streamer.messages.motion import Motion
from streamer.messages.network_contents import Knowledge
from streamer.messages.programme import Programme
from streamer.messages.renderer_status import RendererStatus


@dataclass(frozen=True, slots=True)
class FrameCounters:
    """Frames of the video since the start; each is counted once, save that a late frame is also shown."""

    shown: int = 0
    late: int = 0
    """Shown after their moment."""
    repeated: int = 0
    """The picture before once more, because no new one was ready."""
    dropped: int = 0
    """Left out, to keep the pace after a stall."""
    limited: int = 0
    """Changed so that they don't flash."""
    stopped: int = 0
    """Left out because the whole program did not run, as after SIGSTOP; not among the dropped."""
    unencoded: int = 0
    """Shown, and left out of the video by an encoder that was behind; counted once for each encode."""


class PictureState(StrEnum):
    """What viewers see, in one word; pages and ``/healthz`` go by the same one."""

    STARTING = "starting"
    """There is no dream yet."""
    LIVE = "live"
    SLOW = "slow"
    """Fewer frames a second than are asked for, for so long that viewers notice."""
    INTERRUPTED = "interrupted"
    """What was dreamt last goes on moving; the dream does not."""


@dataclass(frozen=True, slots=True)
class OutputStatus:
    """How one output does, at one moment; nothing in it is secret."""

    name: str
    kind: str
    """As in its block, for example ``rtmp``."""
    state: str
    """``connecting``, ``waiting``, ``live``, ``retrying``, ``failed``, ``stopped``, or ``disabled``."""
    reason: str
    """Why it is not live, in one line; empty when it is."""
    delivered_bytes: int
    """Since it was added."""
    dropped: int
    """Pictures left out because it was too slow."""
    failures: int
    since_s: float
    """Seconds it has been in this state."""
    retry_in_s: float | None
    """Seconds to the next try; None unless it is retrying."""
    target: str
    """Where it goes, in words for people, keys left out; of a recording the file, not the pattern that names it."""
    enabled: bool = True
    public: bool = False
    """Whether it brings the picture before viewers elsewhere, such as Twitch's."""

    @property
    def failing(self) -> bool:
        """Whether it cannot deliver, which somebody should look at."""
        return self.state in ("retrying", "failed")


@dataclass(frozen=True, slots=True)
class SoundStatus:
    """What is heard, at one moment."""

    source: str = "silence"
    """``silence``, ``music`` or ``radio``."""
    state: str = "silence"
    """``silence`` as configured; ``idle`` until somebody listens; ``waiting`` for sound that should be there; ``playing``."""
    playing: str = ""
    """The file, or what the station says it plays."""
    dropouts: int = 0
    """How often sound gave way to silence."""
    error: str = ""
    """Why there is no sound, in one line; empty while there is."""
    beats: int = 0
    """Beats that the picture has reacted to."""


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """How the moving source does that the dream rides on, at one moment."""

    kind: str
    """``video`` or ``camera``."""
    name: str
    """The file, the device, or the stream's URL without what is secret in it."""
    state: str
    """``connecting``, ``live``, ``lost`` while it is sought again, or ``ended``."""
    reason: str = ""
    """Why it is not live, in one line; empty when it is."""
    size: tuple[int, int] | None = None
    """(height, width) of the pictures it gives; None before the first."""
    fps: float = 0.0
    """Pictures a second lately."""
    losses: int = 0
    """How often it was lost."""


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What came of reading the config file again; settings are dotted keys, in the order of the reference."""

    changed: tuple[str, ...] = ()
    """Those that show now."""
    at_next_start: tuple[str, ...] = ()
    """Those that differ from what runs, and change at the next start."""


@dataclass(frozen=True, slots=True)
class SettingsStatus:
    """How the config file stands to what runs, at one moment."""

    file: str = ""
    """The file; empty where none was named."""
    mistakes: tuple[str, ...] = ()
    """Why it is not heeded as it is now, one line each; empty when it is."""
    at_next_start: tuple[str, ...] = ()
    """As in ``Reloaded``."""
    reloads: int = 0
    """How often something changed while the stream ran."""
    revision: int = 0
    """Counts the changes of all this."""


@dataclass(frozen=True, slots=True)
class StatusSnapshot:
    """Everything that pages, metrics and health checks tell, at one moment."""

    programme: Programme
    frames: FrameCounters
    fps: float
    """Frames per second asked for."""
    fps_measured: float
    """Frames per second lately; 0 before the first."""
    renderer: RendererStatus
    viewers: int
    """Open streams of live video."""
    uptime_s: float
    version: str
    problems: tuple[str, ...] = ()
    """Why the stream is unhealthy, one line each; empty when all is well."""
    motion: Motion = Motion()
    """How the camera is to move."""
    chat: ChatReport | None = None
    """What the chat bot last told; None before it told anything."""
    outputs: tuple[OutputStatus, ...] = ()
    """In the order in which they were added."""
    picture: PictureState = PictureState.LIVE
    """What viewers see; where it is slow or interrupted, ``problems`` says so, too."""
    frame_number: int | None = None
    """``Frame.number`` of the frame on air; None before the first."""
    longest_gap_s: float = 0.0
    """Most seconds from one frame of the video to the next within the last ten, or a little more."""
    slate: bool = False
    """Whether viewers see the slate in place of the dream, which is gone for long."""
    sound: SoundStatus = SoundStatus()
    encoder: str = ""
    """What encodes, and how, for example ``libx264 veryfast``."""
    source: SourceStatus | None = None
    """The film or the camera that the dream rides on; None where there is none."""
    settings: SettingsStatus = SettingsStatus()
    knowledge: Knowledge = Knowledge()
    unwritten: str = ""
    """Why requests are not kept on disk, and what that means, in one line; empty while they are."""
    given_up: tuple[str, ...] = ()
    """What the stream does without while other programs take the machine, first given up first."""
    chat_restarts: int = 0
    """Times the chat bot that the stream started ended or hung, and was started again."""
    dreamt: int = 0
    """Counts the changes of what is kept of past dreams, and of what of it is shown."""
