"""Types of responses about the queue, rules, outputs, settings, controls and dreams; see ``response_schemas``."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, with_config
from typing_extensions import TypedDict

from streamer.web.response_schemas import Target, exact_schema


@exact_schema
class Removed(TypedDict):
    """Requests were removed."""

    removed: int
    """Id of the request, or the number of requests if the call can remove several."""


@exact_schema
class RemovedNamed(TypedDict):
    """Something was removed."""

    removed: str
    """Its name or id."""


@exact_schema
class Moved(TypedDict):
    """The request was moved."""

    position: int
    """Its position now; 1 is next."""


@exact_schema
class Skipped(TypedDict):
    """The scene was skipped."""

    skipped: bool


@exact_schema
class Bumped(TypedDict):
    """Noise is added to the image."""

    bumped: bool


@exact_schema
class Twisted(TypedDict):
    """The image is swirled."""

    twisted: bool


@exact_schema
class Paused(TypedDict):
    """Whether the scene on air is held."""

    paused: bool


@exact_schema
class Motion(TypedDict):
    """How the camera moves."""

    speed: float
    """Zoom factor per second."""
    rotation: float
    """Degrees per second, counter-clockwise."""


@exact_schema
class BlockedClass(TypedDict):
    """A blocked class."""

    wnid: str
    label: str


@exact_schema
class Blocked(TypedDict):
    """All blocks."""

    words: list[str]
    users: list[str]
    classes: list[BlockedClass]


@exact_schema
class BlocksChanged(TypedDict):
    """All blocks after the change."""

    blocked: Blocked
    removed: int
    """How many waiting requests were removed by the block."""


@with_config(ConfigDict(extra="allow", use_attribute_docstrings=True))
class Rules(TypedDict):
    """The rules of the queue: the settings of `queue` by name, and these keys."""

    changed: list[str]
    """Settings that moderators have changed; they override the config."""
    blocked: Blocked | None
    """All blocks; null unless a moderator calls."""


@exact_schema
class Output(TypedDict):
    """The state of an output."""

    name: str
    kind: str
    enabled: bool
    public: bool
    """Whether viewers elsewhere can see it."""
    state: str
    """`connecting`, `waiting`, `live`, `retrying`, `failed`, `stopped` or `disabled`."""
    reason: str
    """Why it is not live; empty if it is."""
    target: str
    """Where it goes, without stream keys."""
    delivered_bytes: int
    dropped: int
    """Frames dropped because it was too slow."""
    failures: int
    since_s: float
    """Seconds in this state."""
    retry_in_s: float | None
    """Seconds until it is tried again; null if that is not planned."""


@exact_schema
class Outputs(TypedDict):
    """All outputs."""

    outputs: list[Output]


@exact_schema
class OutputAdded(TypedDict):
    """The output was added."""

    name: str


@exact_schema
class OutputEnabled(TypedDict):
    """The output was started or stopped."""

    name: str
    enabled: bool


@exact_schema
class SettingsStanding(TypedDict):
    """The config file, compared with the settings in use."""

    file: str
    """Its path; empty without a config file."""
    mistakes: list[str]
    """Mistakes because of which the file is not used; empty if it is."""
    at_next_start: list[str]
    """Settings that differ from those in use, and change at the next start."""
    reloads: int
    """How often it was reloaded."""
    revision: int
    """Rises whenever any of this changes."""


@exact_schema
class SettingsChanged(TypedDict):
    """Settings were changed."""

    changed: list[str]
    """Dotted names of the settings whose value changed."""


@exact_schema
class Reloaded(TypedDict):
    """Settings were changed."""

    changed: list[str]
    """Dotted names of the settings whose value changed."""
    at_next_start: list[str]
    """Dotted names of the settings that need a restart."""


@exact_schema
class Preset(TypedDict):
    """A preset."""

    name: str
    about: str
    """Its description."""
    own: bool
    """Whether the operator saved it; otherwise it comes with the program."""
    switches: bool
    """Whether it switches to another network or algorithm."""
    at_next_start: list[str]
    """Dotted names of its settings that need a restart."""
    mistakes: list[str]
    """Why it cannot be used; empty if it can."""


@exact_schema
class PresetSaved(TypedDict):
    """The preset was saved."""

    name: str
    file: str
    """Path of its file."""


@exact_schema
class SideNow(TypedDict):
    """The side of A/B in use."""

    side: Literal["a", "b"]


@exact_schema
class Osc(TypedDict):
    """The state of the OSC listener."""

    address: str
    heard: int
    """Messages that took effect."""
    ignored: int
    """Messages that were ignored."""
    last_mistake: str
    """Why the last one was ignored; empty if none was."""


@exact_schema
class Controls(TypedDict):
    """The live controls."""

    settings: dict[str, Any]
    """The settings that can be changed, by dotted name, with their values."""
    file: dict[str, Any]
    """Their values without the changes made here."""
    changed: list[str]
    """Dotted names of the settings that were changed here."""
    preset: str
    """The preset applied last; empty for none."""
    preset_changed: bool
    """Whether settings were changed since then."""
    presets: list[Preset]
    side: Literal["a", "b"]
    """The side of A/B in use."""
    sides_differ: bool
    """Whether the other side has different settings."""
    fading_s: float
    """Seconds until numbers have reached their new values."""
    switching: str
    """The network or algorithm being prepared; empty for none."""
    switch_error: str
    """Why the last switch failed; empty if it did not."""
    networks: list[str]
    algorithms: list[str]
    osc: Osc | None
    folder: str
    """The folder in which presets are saved."""


@exact_schema
class Dream(TypedDict):
    """A past dream."""

    id: str
    title: str
    targets: list[Target]
    user: str
    """Who requested it; empty if nobody did."""
    clipped_by: str
    """Who saved it as a clip while it was on air; empty if it was saved at its end."""
    at_s: float
    """When it was saved, in Unix time."""
    path: str
    """Path of its page."""
    url: str | None
    """Public address of its page; null without `web.public_url`."""
    picture: str
    """Path of its picture."""
    small: str
    """Path of a small picture."""
    width: int
    height: int
    clip: str | None
    """Path of its clip; null without one."""
    clip_s: float | None
    """Length of the clip in seconds."""
    gif: str | None
    """Path of the clip as a GIF; null if that is not offered."""


@exact_schema
class Dreams(TypedDict):
    """Past dreams, newest first."""

    dreams: list[Dream]
