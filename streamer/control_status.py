"""The frozen types that tell how the live controls stand; what else the rooms exchange is in ``messages``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Side = Literal["a", "b"]
"""One of the two sets of changes that the desk compares."""


@dataclass(frozen=True, slots=True)
class Switching:
    """How a change stands that takes a new worker."""

    busy: str = ""
    """What is being gone over to, for example ``googlenet, deepdream``; empty while nothing is."""
    error: str = ""
    """Why the last one failed, in one line; empty when it did not."""
    failures: int = 0
    """How many failed so far."""


@dataclass(frozen=True, slots=True)
class OscStatus:
    """How the listener for OSC does."""

    address: str
    """Where it listens, for example ``127.0.0.1:9000``."""
    heard: int = 0
    """Messages that were heeded."""
    ignored: int = 0
    """Datagrams and messages that were not, for they make no sense here."""
    last_mistake: str = ""
    """Why the last of those was not; empty before the first."""


@dataclass(frozen=True, slots=True)
class PresetEntry:
    """A preset as the desk offers it."""

    name: str
    about: str
    own: bool
    """Whether it is the operator's; else it comes with the program."""
    switches: bool
    """Whether it takes another network or algorithm than the one at work."""
    at_start: tuple[str, ...]
    """Settings, dotted, in which it differs from what runs and which only a start can change."""
    mistakes: tuple[str, ...]
    """Why it cannot be used, one line each; empty where it can."""


@dataclass(frozen=True, slots=True, eq=False)
class ControlsStatus:
    """How the live controls stand, at one moment."""

    settings: Mapping[str, Any]
    """What the desk can change, dotted, with the values that the stream is to go by."""
    file: Mapping[str, Any]
    """The same without the desk's changes."""
    changed: tuple[str, ...]
    """Those that the desk changed."""
    preset: str
    """The latest preset; empty for none."""
    preset_changed: bool
    """Whether something was changed since."""
    presets: tuple[PresetEntry, ...]
    side: Side
    sides_differ: bool
    """Whether the other side of A/B has anything else."""
    fading_s: float
    """Seconds until numbers have gone over to the latest values."""
    switching: Switching
    osc: OscStatus | None
    """None where nobody listens for OSC."""
    folder: str
    """Where presets are saved."""
