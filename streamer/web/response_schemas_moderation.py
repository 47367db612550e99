"""What the JSON API answers to moderators: the line, rules, outputs, settings, controls, dreams. As in ``response_schemas``."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, with_config
from typing_extensions import TypedDict

from streamer.web.response_schemas import Target, exact_schema


@exact_schema
class Removed(TypedDict):
    """What was removed: a request's id, or how many requests."""

    removed: int


@exact_schema
class RemovedNamed(TypedDict):
    """What was removed, by its name or id."""

    removed: str


@exact_schema
class Moved(TypedDict):
    """Where a request stands in line now; 1 is next."""

    position: int


@exact_schema
class Skipped(TypedDict):
    """What was on air has ended."""

    skipped: bool


@exact_schema
class Bumped(TypedDict):
    """The dream was shaken awake."""

    bumped: bool


@exact_schema
class Twisted(TypedDict):
    """The dream was twisted awake."""

    twisted: bool


@exact_schema
class Paused(TypedDict):
    """Whether what is on air is held."""

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
    """A class that is kept out."""

    wnid: str
    label: str


@exact_schema
class Blocked(TypedDict):
    """What is kept out."""

    words: list[str]
    users: list[str]
    classes: list[BlockedClass]


@exact_schema
class BlocksChanged(TypedDict):
    """What is kept out now."""

    blocked: Blocked
    removed: int
    """How many requests left the line for it."""


@with_config(ConfigDict(extra="allow", use_attribute_docstrings=True))
class Rules(TypedDict):
    """The queue's rules: each setting by its name in the config's `queue`, and these."""

    changed: list[str]
    """Settings that moderators changed, and that differ from the config for that."""
    blocked: Blocked | None
    """What is kept out; null for those who do not moderate."""


@exact_schema
class Output(TypedDict):
    """How an output does."""

    name: str
    kind: str
    enabled: bool
    public: bool
    """Whether it brings the picture before viewers elsewhere."""
    state: str
    """`connecting`, `waiting`, `live`, `retrying`, `failed`, `stopped` or `disabled`."""
    reason: str
    """Why it is not live; empty when it is."""
    target: str
    """Where it goes, keys left out."""
    delivered_bytes: int
    dropped: int
    """Pictures left out because it was too slow."""
    failures: int
    since_s: float
    """Seconds it has been in this state."""
    retry_in_s: float | None


@exact_schema
class Outputs(TypedDict):
    """All outputs."""

    outputs: list[Output]


@exact_schema
class OutputAdded(TypedDict):
    """An output was added."""

    name: str


@exact_schema
class OutputEnabled(TypedDict):
    """An output was started or stopped."""

    name: str
    enabled: bool


@exact_schema
class SettingsStanding(TypedDict):
    """How the config file stands to what runs."""

    file: str
    """Empty where none was named."""
    mistakes: list[str]
    """Why it is not used as it is now; empty when it is."""
    at_next_start: list[str]
    """Settings that differ from what runs, and change at the next start."""
    reloads: int
    revision: int
    """Rises with each change of all this."""


@exact_schema
class SettingsChanged(TypedDict):
    """Settings that differ from before, dotted."""

    changed: list[str]


@exact_schema
class Reloaded(TypedDict):
    """Settings that differ from before, dotted."""

    changed: list[str]
    at_next_start: list[str]
    """Those that only a start can change."""


@exact_schema
class Preset(TypedDict):
    """A preset."""

    name: str
    about: str
    own: bool
    """Whether it is the operator's; else it comes with the program."""
    switches: bool
    """Whether it takes another network or algorithm."""
    at_next_start: list[str]
    mistakes: list[str]
    """Why it cannot be used; empty where it can."""


@exact_schema
class PresetSaved(TypedDict):
    """A preset was saved."""

    name: str
    file: str


@exact_schema
class SideNow(TypedDict):
    """The side of A/B that is on."""

    side: Literal["a", "b"]


@exact_schema
class Osc(TypedDict):
    """How the listener for OSC does."""

    address: str
    heard: int
    ignored: int
    last_mistake: str


@exact_schema
class Controls(TypedDict):
    """How the live controls stand."""

    settings: dict[str, Any]
    """What can be changed, dotted, with its values."""
    file: dict[str, Any]
    """The same without what was changed here."""
    changed: list[str]
    preset: str
    """The latest preset; empty for none."""
    preset_changed: bool
    presets: list[Preset]
    side: Literal["a", "b"]
    sides_differ: bool
    fading_s: float
    """Seconds until numbers have gone over to the latest values."""
    switching: str
    """What is being gone over to; empty while nothing is."""
    switch_error: str
    """Why the last switch failed; empty when it did not."""
    networks: list[str]
    algorithms: list[str]
    osc: Osc | None
    folder: str
    """Where presets are saved."""


@exact_schema
class Dream(TypedDict):
    """A dream that is kept."""

    id: str
    title: str
    targets: list[Target]
    user: str
    """Who asked for it; empty when nobody did."""
    clipped_by: str
    """Who had it kept while it was on air; empty: it left the air."""
    at_s: float
    """Unix time."""
    path: str
    """Its page on this server."""
    url: str | None
    """Its page for people elsewhere, where that is known."""
    picture: str
    small: str
    width: int
    height: int
    clip: str | None
    clip_s: float | None
    gif: str | None


@exact_schema
class Dreams(TypedDict):
    """Dreams that are kept, newest first."""

    dreams: list[Dream]
