"""Protocols for what the web server gets from other packages, which implement them without importing this one.

The methods are called from worker threads, several at a time, and may block for a moment.
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
    """Runs polls; the current one is part of the programme."""

    def begin_poll(self, user: str, text: str, seconds: float | None = None, role: Role = Role.MODERATOR) -> Poll:
        """Open a poll between things such as ``fox / pizza / castle``; raises Refused."""
        ...

    def vote(self, votes: Sequence[PollVote], source: str = "web", poll_id: str | None = None) -> tuple[Poll, int]:
        """Count votes, the last one of each viewer; returns the poll, and how many of the votes count; raises Refused."""
        ...

    def count_votes(self, source: str, counts: Sequence[int], poll_id: str) -> Poll:
        """Set the totals of votes that are cast elsewhere; raises Refused."""
        ...

    def end_poll(self, *, cancel: bool = False) -> Poll:
        """End the poll now, with its leader as the winner, or cancel it; raises Refused."""
        ...


class RequestService(PollService, Protocol):
    """Takes requests and runs the programme."""

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
        """Return how a text would be understood; raises Refused."""
        ...

    def standing(self, request_id: int) -> Standing:
        """Return the state of a request, also after it has been shown or removed; raises Refused."""
        ...

    def oops(self, user: str, source: str | None = None) -> Request:
        """Withdraw a viewer's latest waiting request; raises Refused."""
        ...

    def changes(self, since: int, source: str) -> tuple[Substitution, ...]:
        """Return changed requests from one source, after change number ``since``."""
        ...

    def voteskip(self, user: str, source: str = "web") -> SkipVote:
        """Count a viewer's vote to skip the scene on air; raises Refused."""
        ...

    def remove(self, request_id: int) -> None:
        """Remove a waiting request; raises Refused."""
        ...

    def remove_user(self, user: str) -> int:
        """Remove all waiting requests of a viewer; returns how many there were."""
        ...

    def move(self, request_id: int, position: int) -> int:
        """Move a waiting request to a position, 1 being next; returns its position now; raises Refused."""
        ...

    def rules(self) -> Rules:
        """Return the rules in force."""
        ...

    def change_rules(self, settings: Mapping[str, Setting]) -> Rules:
        """Change some settings, all or none; raises Refused."""
        ...

    def reset_rules(self, *, blocks: bool = False) -> Rules:
        """Reset the settings to the config's, and the blocks too if ``blocks``."""
        ...

    def block(self, kind: BlockKind, value: str) -> int:
        """Block something; returns how many waiting requests were removed; raises Refused."""
        ...

    def unblock(self, kind: BlockKind, value: str) -> None:
        """Unblock something; raises Refused."""
        ...

    def skip(self) -> None:
        """End the scene on air; raises Refused."""
        ...

    def clear(self) -> int:
        """Empty the queue; returns how many requests were waiting."""
        ...

    def pause(self, paused: bool) -> None:
        """Hold the scene on air, or release it."""
        ...

    def programme(self) -> Programme:
        """Return what is on air and what comes next."""
        ...


class Thumbnail(Protocol):
    """The thumbnail of a class."""

    @property
    def file(self) -> Path:
        """A WebP file."""
        ...

    @property
    def version(self) -> int:
        """Number of the picture; it changes when the picture does."""
        ...


class Catalogue(Protocol):
    """The vocabulary, with thumbnails."""

    @property
    def kinds(self) -> tuple[ClassKind, ...]:
        """All kinds of classes, in display order."""
        ...

    def search(self, query: str, limit: int = 20) -> tuple[ClassEntry, ...]:
        """Return the best matches first; all classes for an empty query, available ones first, then by name."""
        ...

    def like(self, wnid: str, limit: int = 20) -> tuple[ClassEntry, ...]:
        """Return the classes that the network in use finds most similar to one, best first; raises Refused."""
        ...

    def thumbnails(self) -> Mapping[str, Thumbnail]:
        """Return all thumbnails, by wnid."""
        ...

    def thumbnail(self, wnid: str) -> Thumbnail | None:
        """Return the thumbnail of a class; None if there is none."""
        ...


class Subscription(Protocol):
    """One viewer's subscription to the encoded video, with its own buffer, which drops when it is not read."""

    @property
    def closed(self) -> bool:
        """Whether it was closed, here or by the encoder."""
        ...

    def read(self, timeout: float) -> bytes | None:
        """Return the next piece, or None if there was none within ``timeout`` seconds; 0 does not block."""
        ...

    def close(self) -> None:
        """End the subscription; a second call does nothing."""
        ...


class Video(Protocol):
    """The encoder."""

    @property
    def mime(self) -> str:
        """Type and codec of the ``mp4`` kind, for example ``video/mp4; codecs="avc1.4d401f"``."""
        ...

    def subscribe(self, kind: str, *, on_ready: Callable[[], None]) -> Subscription:
        """Open a subscription.

        Args:
            kind: ``ts`` (MPEG-TS), ``ts+audio``, ``mp4`` (fragments; the first piece initialises) or ``jpeg`` (one picture per
                piece).
            on_ready: called from any thread when there may be something to read, or the subscription has ended.
        """
        ...

    def latest_jpeg(self) -> bytes | None:
        """Return the current frame as a JPEG file; None before the first."""
        ...


class Actions(Protocol):
    """Actions on the dream itself, and the chat bot's reports."""

    def bump(self) -> None:
        """Add noise to the image, to wake a dream that has converged."""
        ...

    def twist(self) -> None:
        """Swirl the image a little, to wake a dream that has converged."""
        ...

    def inspect(self) -> Inspection | None:
        """Return the latest pictures of a step, None before the first; also requests newer ones, at a bounded rate."""
        ...

    def move_camera(self, speed: float | None, rotation: float | None) -> Motion:
        """Change the camera's speed or rotation, None leaves it; returns the motion now."""
        ...

    def hear_chat(self, report: ChatReport) -> None:
        """Take a chat bot's report."""
        ...


class HttpOutput(Protocol):
    """Live video of an output that this server offers at its own address."""

    @property
    def kind(self) -> Literal["ts", "jpeg"]:
        """Kind of its pieces; see ``Video.subscribe``."""
        ...

    def subscribe(self, on_ready: Callable[[], None]) -> Subscription:
        """Open a subscription; for ``on_ready`` see ``Video.subscribe``."""
        ...


class Outputs(Protocol):
    """The outputs, which send the video elsewhere."""

    def status(self) -> tuple[OutputStatus, ...]:
        """Return the state of each output, without stream keys."""
        ...

    def add_block(self, block: Mapping[str, Any]) -> str:
        """Add an output while the stream runs, from a caller's block; returns its name.

        Raises:
            Refused: ``BAD_OUTPUT`` with every mistake in the block, ``DUPLICATE`` if the name or address is taken.
        """
        ...

    def remove(self, name: str) -> None:
        """Stop and remove an output; raises Refused."""
        ...

    def enable(self, name: str, enabled: bool) -> None:
        """Start or stop an output; raises Refused."""
        ...

    def http_output(self, path: str) -> HttpOutput | None:
        """Return the output at a path of this server, such as ``/obs.ts``; None if there is none or it is disabled."""
        ...


DreamFile = Literal["picture", "small", "clip"]
"""A file of a dream: its picture, a small one for the page's strip, or its clip."""


class Album(Protocol):
    """Past dreams."""

    @property
    def gifs(self) -> bool:
        """Whether clips are offered as GIFs."""
        ...

    @property
    def asks_again(self) -> bool:
        """Whether the page of a dream has a button to request it again."""
        ...

    def dreams(self, limit: int, before: str = "") -> tuple[AlbumEntry, ...]:
        """Return at most ``limit`` public dreams, newest first; with the id of one, only older ones."""
        ...

    def dream(self, dream_id: str) -> AlbumEntry:
        """Return a dream; raises Refused."""
        ...

    def file(self, dream_id: str, kind: DreamFile) -> Path:
        """Return the path of a file of a dream; raises Refused."""
        ...

    def gif(self, dream_id: str) -> Path | None:
        """Return the path of the clip as a GIF; the first call starts making it, None until it is done; raises Refused."""
        ...

    def remove(self, dream_id: str) -> None:
        """Delete a dream; raises Refused."""
        ...

    def clip(self, user: str) -> AlbumEntry:
        """Save the last seconds of the video as a clip for a viewer; raises Refused."""
        ...


class Settings(Protocol):
    """The config file, which may change while the stream runs."""

    @property
    def status(self) -> SettingsStatus:
        """The file compared with the settings in use."""
        ...

    def reload(self) -> Reloaded:
        """Read and apply the file; raises ``ConfigError`` with all its mistakes, ``ConfigGone`` if it is missing."""
        ...


class Controls(Protocol):
    """Live controls: change the dream's settings on air."""

    def status(self) -> ControlsStatus:
        """Return the settings that can be changed, with their values, and all presets."""
        ...

    def change(self, values: Mapping[str, Any], fade_s: float = 0.0) -> tuple[str, ...]:
        """Change settings by dotted name, all or none; returns those whose value changed; raises ``ConfigError``."""
        ...

    def reset(self, keys: Collection[str] | None = None) -> tuple[str, ...]:
        """Reset settings, all for None, to the config's; returns those whose value changed; raises ``ConfigError``."""
        ...

    def go_over(self, name: str, fade_s: float | None = None) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Apply a preset; returns the settings whose value changed, and those that need a restart.

        Raises:
            PresetError: there is none of that name, or it cannot be used.
            ConfigError: it cannot be applied now.
        """
        ...

    def save(self, name: str, *, replace: bool = False) -> str:
        """Save the current look as a preset; returns the path of its file; raises ``PresetError``."""
        ...

    def compare(self, side: Side | None = None) -> Side:
        """Switch to a side of A/B, None for the other one; returns the side; raises ``ConfigError``."""
        ...


StatusReader = Callable[[], StatusSnapshot]
