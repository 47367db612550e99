"""Status types of the live controls; the other types that packages exchange are in ``messages``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Side = Literal["a", "b"]
"""One of the two sets of changes that the controls compare."""


@dataclass(frozen=True, slots=True)
class Switching:
    """Status of a switch to other settings that takes a new worker."""

    busy: str = ""
    """The target of the switch, for example ``googlenet, deepdream``; empty when there is none."""
    error: str = ""
    """Why the last switch failed, in one line; empty if it did not."""
    failures: int = 0
    """Number of failed switches."""


@dataclass(frozen=True, slots=True)
class OscStatus:
    """Status of the OSC listener."""

    address: str
    """The address it listens on, for example ``127.0.0.1:9000``."""
    heard: int = 0
    """Number of messages that were applied."""
    ignored: int = 0
    """Number of datagrams and messages that were ignored because they are invalid."""
    last_mistake: str = ""
    """Why the last of them was ignored; empty before the first."""


@dataclass(frozen=True, slots=True)
class PresetEntry:
    """A preset as the control page lists it."""

    name: str
    about: str
    """Its description, in one line."""
    own: bool
    """Whether it is the operator's; else it comes with the program."""
    switches: bool
    """Whether it needs another network or algorithm than the current one."""
    at_start: tuple[str, ...]
    """Dotted settings that differ from the running ones and take effect only at a start."""
    mistakes: tuple[str, ...]
    """Why it cannot be used, one line each; empty if it can."""


@dataclass(frozen=True, slots=True, eq=False)
class ControlsStatus:
    """Status of the live controls, at one moment."""

    settings: Mapping[str, Any]
    """The dotted settings that the controls can change, with their target values."""
    file: Mapping[str, Any]
    """The same settings without the changes of the controls."""
    changed: tuple[str, ...]
    """The settings that the controls have changed."""
    preset: str
    """The latest preset; empty if none was applied."""
    preset_changed: bool
    """Whether settings have changed since it was applied."""
    presets: tuple[PresetEntry, ...]
    side: Side
    """The current side of A/B."""
    sides_differ: bool
    """Whether the two sides of A/B differ."""
    fading_s: float
    """Seconds until numbers have reached their target values."""
    switching: Switching
    osc: OscStatus | None
    """None if OSC is off."""
    folder: str
    """The folder in which presets are saved."""
