"""What the web is handed: the least that it needs of the other rooms, which satisfy it without knowing it.

All of these are called from worker threads, several at a time, and may block for a moment.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

from shared.role import Role
from streamer.control_status import ControlsStatus, Side
from streamer.messages.album_entry import AlbumEntry
from streamer.messages.chat_status import ChatReport
from streamer.messages.motion import Motion
from streamer.messages.network_contents import ClassEntry, ClassKind
from streamer.messages.programme import Programme
from streamer.messages.queue_rules import BlockKind, Rules, Setting
from streamer.messages.requests import Match, Priority, Receipt, Request, Standing, Substitution
from streamer.messages.status import OutputStatus, Reloaded, SettingsStatus, StatusSnapshot
from streamer.messages.step_view import Inspection
from streamer.messages.viewer_polls import Poll, PollVote, SkipVote


class PollService(Protocol):
    """Keeps polls; the one that is on is in the programme."""

    def begin_poll(self, user: str, text: str, seconds: float | None = None, role: Role = Role.MODERATOR) -> Poll:
        """Open a poll between things such as ``fox / pizza / castle``; raises Refused."""
        ...

    def vote(self, votes: Sequence[PollVote], source: str = "web", poll_id: str | None = None) -> tuple[Poll, int]:
        """Count votes, of each viewer the last one; returns the poll, and how many of them count; raises Refused."""
        ...

    def count_votes(self, source: str, counts: Sequence[int], poll_id: str) -> Poll:
        """Take the sums of votes that are cast elsewhere; raises Refused."""
        ...

    def end_poll(self, *, cancel: bool = False) -> Poll:
        """End the poll now, with whoever leads, or for nothing; raises Refused."""
        ...


class RequestService(PollService, Protocol):
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

    def changes(self, since: int, source: str) -> tuple[Substitution, ...]:
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


class Thumbnail(Protocol):
    """A small picture of a class."""

    @property
    def file(self) -> Path:
        """A WebP file."""
        ...

    @property
    def version(self) -> int:
        """Another number for another picture of the same class."""
        ...


class Catalogue(Protocol):
    """The vocabulary, and what there is to show of it."""

    @property
    def kinds(self) -> tuple[ClassKind, ...]:
        """What kinds of things there are, in the order in which they are shown."""
        ...

    def search(self, query: str, limit: int = 20) -> tuple[ClassEntry, ...]:
        """Return the best matches first; all classes for an empty query, available ones first, then by name."""
        ...

    def like(self, wnid: str, limit: int = 20) -> tuple[ClassEntry, ...]:
        """Return what the network at work finds most like a class, best first; raises Refused."""
        ...

    def thumbnails(self) -> Mapping[str, Thumbnail]:
        """Return the pictures there are, by wnid."""
        ...

    def thumbnail(self, wnid: str) -> Thumbnail | None:
        """Return the picture of a class; None if there is none."""
        ...


class Subscription(Protocol):
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

    def subscribe(self, kind: str, *, on_ready: Callable[[], None]) -> Subscription:
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


class HttpOutput(Protocol):
    """Live video of an output's own, at an address of its own on this server."""

    @property
    def kind(self) -> Literal["ts", "jpeg"]:
        """What its pieces are, as in ``Video.subscribe``."""
        ...

    def subscribe(self, on_ready: Callable[[], None]) -> Subscription:
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

    def http_output(self, path: str) -> HttpOutput | None:
        """The live video at that address of this server, ``/obs.ts`` for example; None if there is none, or it is disabled."""
        ...


DreamFile = Literal["picture", "small", "clip"]
"""A file of a dream: its picture, large or for the strip, or its clip."""


class Album(Protocol):
    """What was dreamt."""

    @property
    def gifs(self) -> bool:
        """Whether clips are offered as GIFs."""
        ...

    @property
    def asks_again(self) -> bool:
        """Whether the page of a dream offers to ask for the same again."""
        ...

    def dreams(self, limit: int, before: str = "") -> tuple[AlbumEntry, ...]:
        """What may be shown, newest first, at most so many; with the id of one, only older ones."""
        ...

    def dream(self, dream_id: str) -> AlbumEntry:
        """One of them; raises Refused."""
        ...

    def file(self, dream_id: str, kind: DreamFile) -> Path:
        """A file of it; raises Refused."""
        ...

    def gif(self, dream_id: str) -> Path | None:
        """Its clip as a GIF; None while that is being made, which begins with the first call; raises Refused."""
        ...

    def remove(self, dream_id: str) -> None:
        """Remove it for good; raises Refused."""
        ...

    def clip(self, user: str) -> AlbumEntry:
        """Keep the last seconds of what is on air, as somebody asks; raises Refused."""
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


class Controls(Protocol):
    """What changes the dream's settings while it is on air."""

    def status(self) -> ControlsStatus:
        """How they stand."""
        ...

    def change(self, values: Mapping[str, Any], fade_s: float = 0.0) -> tuple[str, ...]:
        """Change settings, dotted, all or none; returns those that differ from before; raises ``ConfigError``."""
        ...

    def reset(self, keys: Collection[str] | None = None) -> tuple[str, ...]:
        """Take back what was changed, None for all of it; returns what differs from before; raises ``ConfigError``."""
        ...

    def go_over(self, name: str, fade_s: float | None = None) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Go over to a preset; returns what differs from before, and what of it only a start can change.

        Raises:
            PresetError: there is none of that name, or it cannot be used.
            ConfigError: it cannot be gone over to now.
        """
        ...

    def save(self, name: str, *, replace: bool = False) -> str:
        """Keep how it looks now as a preset; returns its file; raises ``PresetError``."""
        ...

    def compare(self, side: Side | None = None) -> Side:
        """Go to one side of A/B, None for the other one; returns the side; raises ``ConfigError``."""
        ...


StatusReader = Callable[[], StatusSnapshot]
