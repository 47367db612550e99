"""What the web is handed: the least that it needs of the other rooms, which satisfy it without knowing it.

All of these are called from worker threads, several at a time, and may block for a moment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol

from streamer.messages import (
    BlockKind,
    Change,
    ChatReport,
    ClassEntry,
    Inspection,
    Match,
    Motion,
    OutputStatus,
    Priority,
    Programme,
    Receipt,
    Reloaded,
    Request,
    Role,
    Rules,
    Setting,
    SettingsStatus,
    SkipVote,
    Standing,
    StatusSnapshot,
)


class Desk(Protocol):
    """Takes requests and keeps the programme."""

    def submit(
        self,
        user: str,
        text: str = "",
        *,
        message_id: str | None = None,
        role: Role = Role.EVERYONE,
        source: str = "web",
        priority: Priority = Priority.NONE,
        amount: int = 0,
        anything: bool = False,
    ) -> Receipt:
        """Take a request; raises Refused."""
        ...

    def match(self, text: str, role: Role = Role.EVERYONE) -> Match:
        """What somebody's words would be understood as; raises Refused."""
        ...

    def standing(self, request_id: int) -> Standing:
        """Where a request stands, whatever became of it; raises Refused."""
        ...

    def oops(self, user: str, source: str | None = None) -> Request:
        """Take back a viewer's latest waiting request; raises Refused."""
        ...

    def changes(self, since: int, source: str) -> tuple[Change, ...]:
        """Requests from one place that are dreamt as something else than was answered, after the change of that number."""
        ...

    def voteskip(self, user: str, source: str = "web") -> SkipVote:
        """Count a viewer's vote to end what is on air; raises Refused."""
        ...

    def remove(self, request_id: int) -> None:
        """Take a waiting request out of the queue; raises Refused."""
        ...

    def remove_user(self, user: str) -> int:
        """Take all waiting requests of a viewer out; returns how many there were."""
        ...

    def move(self, request_id: int, position: int) -> int:
        """Put a waiting request elsewhere in the line, 1 being next; returns where it stands now; raises Refused."""
        ...

    def rules(self) -> Rules:
        """The rules as they are now."""
        ...

    def change_rules(self, settings: Mapping[str, Setting]) -> Rules:
        """Change some settings, all or none; raises Refused."""
        ...

    def reset_rules(self, *, blocks: bool = False) -> Rules:
        """Go back to the config's settings, and to its blocks if asked to."""
        ...

    def block(self, kind: BlockKind, value: str) -> int:
        """Keep something out; returns how many requests left the line for it; raises Refused."""
        ...

    def unblock(self, kind: BlockKind, value: str) -> None:
        """Let something in again; raises Refused."""
        ...

    def skip(self) -> None:
        """End what is on air; raises Refused."""
        ...

    def clear(self) -> int:
        """Empty the queue; returns how many requests were waiting."""
        ...

    def pause(self, paused: bool) -> None:
        """Hold what is on air, or let the programme go on."""
        ...

    def programme(self) -> Programme:
        """What is on air and what comes next."""
        ...


class Classes(Protocol):
    """The vocabulary."""

    def search(self, query: str, limit: int = 20) -> tuple[ClassEntry, ...]:
        """Return the best matches first; all classes for an empty query, available ones first, then by name."""
        ...


class Feed(Protocol):
    """One viewer's share of the encoded video, with a buffer of its own that drops when it is not read."""

    @property
    def closed(self) -> bool:
        """Whether it has ended, here or because the encoder has."""
        ...

    def read(self, timeout: float) -> bytes | None:
        """Return the next piece, or None if there was none within ``timeout`` seconds; 0 does not block."""
        ...

    def close(self) -> None:
        """Give up the share; a second call does nothing."""
        ...


class Video(Protocol):
    """The encoder."""

    @property
    def mime(self) -> str:
        """Type and codec of the ``mp4`` kind, for example ``video/mp4; codecs="avc1.4d401f"``."""
        ...

    def subscribe(self, kind: str, *, on_ready: Callable[[], None]) -> Feed:
        """Open a share.

        Args:
            kind: ``ts`` (MPEG-TS), ``ts+audio``, ``mp4`` (fragments; the first piece initialises) or ``jpeg`` (a picture a
                piece).
            on_ready: called from any thread when there may be something to read, or the share has ended.
        """
        ...

    def latest_jpeg(self) -> bytes | None:
        """Return the picture on air as a JPEG file, or None before the first."""
        ...


class Actions(Protocol):
    """What can be done to the dream itself, and what the stream is told besides requests."""

    def bump(self) -> None:
        """Shake the dream awake by noise."""
        ...

    def twist(self) -> None:
        """Wake the dream by a slight twist."""
        ...

    def inspect(self) -> Inspection | None:
        """What a step of the dream is made of, as it was shown last; None before the first. Asking has a newer one made, at a
        bounded rate.
        """
        ...

    def move_camera(self, speed: float | None, rotation: float | None) -> Motion:
        """Move the camera differently from now on, None for as before; returns how it moves now."""
        ...

    def hear_chat(self, report: ChatReport) -> None:
        """Take what a chat bot tells of itself."""
        ...


class Channel(Protocol):
    """Live video of an output's own, at an address of its own on this server."""

    @property
    def kind(self) -> Literal["ts", "jpeg"]:
        """What its pieces are, as in ``Video.subscribe``."""
        ...

    def subscribe(self, on_ready: Callable[[], None]) -> Feed:
        """Open a share; ``on_ready`` as in ``Video.subscribe``."""
        ...


class Outputs(Protocol):
    """Where the video goes besides these pages."""

    def status(self) -> tuple[OutputStatus, ...]:
        """How each output does, keys left out."""
        ...

    def add_block(self, block: Mapping[str, Any]) -> str:
        """Add an output while the stream runs, from a block as callers send it; returns its name.

        Raises:
            Refused: ``BAD_OUTPUT`` with every mistake in the block, ``DUPLICATE`` for a name or an address that is taken.
        """
        ...

    def remove(self, name: str) -> None:
        """Stop and forget an output; raises Refused."""
        ...

    def enable(self, name: str, enabled: bool) -> None:
        """Start or stop an output; raises Refused."""
        ...

    def channel(self, path: str) -> Channel | None:
        """The live video at that address of this server, ``/obs.ts`` for example; None if there is none, or it is disabled."""
        ...


class Settings(Protocol):
    """The config file, which may change while the stream runs."""

    @property
    def status(self) -> SettingsStatus:
        """How it stands to what runs."""
        ...

    def reload(self) -> Reloaded:
        """Read it and heed it; raises ``ConfigError`` with all its mistakes, ``ConfigGone`` when it is not there."""
        ...


StatusReader = Callable[[], StatusSnapshot]
