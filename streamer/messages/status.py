"""Status of frames, outputs, sound, source and settings, and the snapshot that pages and metrics show."""

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
    """Numbers of video frames since the start. Each frame is counted once, but late frames also count as shown."""

    shown: int = 0
    late: int = 0
    """Shown after their time."""
    repeated: int = 0
    """Repeats of the previous picture, because no new one was ready."""
    dropped: int = 0
    """Skipped to catch up after a stall."""
    limited: int = 0
    """Changed by the flash limiter."""
    stopped: int = 0
    """Skipped because the whole program was stopped, as by SIGSTOP; not counted as dropped."""
    unencoded: int = 0
    """Shown, but dropped by an encoder that was behind; counted once per encoder."""


class PictureState(StrEnum):
    """What viewers see, in one word; pages and ``/healthz`` use the same state."""

    STARTING = "starting"
    """There is no dream yet."""
    LIVE = "live"
    SLOW = "slow"
    """The frame rate has been too low for so long that viewers notice."""
    INTERRUPTED = "interrupted"
    """The last picture keeps moving, but the dream does not change."""


@dataclass(frozen=True, slots=True)
class OutputStatus:
    """Status of one output, at one moment; it contains no secrets."""

    name: str
    kind: str
    """Kind as in its config block, for example ``rtmp``."""
    state: str
    """``connecting``, ``waiting``, ``live``, ``retrying``, ``failed``, ``stopped``, or ``disabled``."""
    reason: str
    """Why it is not live, in one line; empty when it is."""
    delivered_bytes: int
    """Bytes delivered since it was added."""
    dropped: int
    """Number of pictures dropped because it was too slow."""
    failures: int
    since_s: float
    """Seconds it has been in this state."""
    retry_in_s: float | None
    """Seconds until the next attempt; None unless it is retrying."""
    target: str
    """Where it goes, for people, without keys; for a recording the file, not the name pattern."""
    enabled: bool = True
    public: bool = False
    """Whether it shows the picture to viewers elsewhere, such as on Twitch."""

    @property
    def failing(self) -> bool:
        """Whether it cannot deliver, which needs attention."""
        return self.state in ("retrying", "failed")


@dataclass(frozen=True, slots=True)
class SoundStatus:
    """Status of the sound, at one moment."""

    source: str = "silence"
    """``silence``, ``music`` or ``radio``."""
    state: str = "silence"
    """``silence`` as configured; ``idle`` until somebody listens; ``waiting`` for missing sound; ``playing``."""
    playing: str = ""
    """The file, or the title that the station reports."""
    dropouts: int = 0
    """Number of times that sound was interrupted by silence."""
    error: str = ""
    """Why there is no sound, in one line; empty while there is."""
    beats: int = 0
    """Number of beats that the picture has reacted to."""


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """Status of the moving source, at one moment."""

    kind: str
    """``video`` or ``camera``."""
    name: str
    """The file, the device, or the stream's URL without secrets."""
    state: str
    """``connecting``, ``live``, ``lost`` while it reconnects, or ``ended``."""
    reason: str = ""
    """Why it is not live, in one line; empty when it is."""
    size: tuple[int, int] | None = None
    """(height, width) of its pictures; None before the first."""
    fps: float = 0.0
    """Recent pictures per second."""
    losses: int = 0
    """Number of times it was lost."""


@dataclass(frozen=True, slots=True)
class Reloaded:
    """The result of reading the config file again; settings are dotted keys, in the order of the reference."""

    changed: tuple[str, ...] = ()
    """Settings that have taken effect."""
    at_next_start: tuple[str, ...] = ()
    """Settings that differ from the running ones and take effect at the next start."""


@dataclass(frozen=True, slots=True)
class SettingsStatus:
    """Status of the config file, at one moment."""

    file: str = ""
    """The file; empty if none was given."""
    mistakes: tuple[str, ...] = ()
    """Why its current contents are not applied, one line each; empty if they are."""
    at_next_start: tuple[str, ...] = ()
    """See ``Reloaded``."""
    reloads: int = 0
    """Number of reloads that changed settings."""
    revision: int = 0
    """Increases with every change of this status."""


@dataclass(frozen=True, slots=True)
class StatusSnapshot:
    """Everything that pages, metrics and health checks show, at one moment."""

    programme: Programme
    frames: FrameCounters
    fps: float
    """Configured frames per second."""
    fps_measured: float
    """Recent frames per second; 0 before the first."""
    renderer: RendererStatus
    viewers: int
    """Open streams of live video."""
    uptime_s: float
    version: str
    problems: tuple[str, ...] = ()
    """Why the stream is unhealthy, one line each; empty when all is well."""
    motion: Motion = Motion()
    """The camera's motion."""
    chat: ChatReport | None = None
    """Latest report of the chat bot; None before the first."""
    outputs: tuple[OutputStatus, ...] = ()
    """In the order in which they were added."""
    picture: PictureState = PictureState.LIVE
    """What viewers see; if it is slow or interrupted, ``problems`` says so, too."""
    frame_number: int | None = None
    """``Frame.number`` of the frame on air; None before the first."""
    longest_gap_s: float = 0.0
    """Longest time in seconds between two frames within about the last ten seconds."""
    slate: bool = False
    """Whether viewers see the slate, because the dream has been interrupted for long."""
    sound: SoundStatus = SoundStatus()
    encoder: str = ""
    """Encoder and preset, for example ``libx264 veryfast``."""
    source: SourceStatus | None = None
    """Status of the moving source; None without one."""
    settings: SettingsStatus = SettingsStatus()
    knowledge: Knowledge = Knowledge()
    unwritten: str = ""
    """Why requests are not saved on disk, and what that means, in one line; empty if they are."""
    given_up: tuple[str, ...] = ()
    """Features given up while other programs use the machine, in the order in which they were given up."""
    chat_restarts: int = 0
    """Number of times the stream restarted its chat bot because it ended or hung."""
    album_revision: int = 0
    """Increases with every change of the album, or of what it shows."""
