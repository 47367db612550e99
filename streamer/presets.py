"""Presets: configs that can be gone over to while the stream runs. Those that come with the program, and the operator's own.

A preset stands for a look: its camera, dream and ink as the file has them, defaults included. Of all other settings it changes
those that it names.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import yaml
from pydantic_core import to_jsonable_python

from streamer.config import Config
from streamer.errors import ZoomdreamError
from streamer.settings_file import ConfigError, read_preset, shipped_configs
from streamer.settings_live import AT_DESK, LOOK, expanded, value_of
from streamer.settings_rules import setting_keys

NO_PRESETS = frozenset({"reference", "wording"})
"""Configs that come with the program to be read, not run."""
MOST = 200
"""Presets of one folder that are offered, the first by name."""
SAFE = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
"""Names that files have on every system, and that nobody takes for a path."""
DEVICES = frozenset({"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(10))})
"""Names that Windows keeps for itself."""


class PresetError(ZoomdreamError):
    """A preset that cannot be had or made; one line says why."""


class PresetExists(PresetError):
    """A preset has that name already."""


class PresetNotFound(PresetError):
    """No preset has that name."""


@dataclass(frozen=True, slots=True)
class Preset:
    """A preset as it is offered."""

    name: str
    about: str
    """The first line of the file's comment; empty where it has none."""
    own: bool
    """Whether it is the operator's."""
    values: Mapping[str, Any]
    """What it changes: dotted keys and values, as the config holds them. Empty where it cannot be used."""
    at_start: Mapping[str, Any]
    """What it names besides and only a start can change."""
    mistakes: tuple[str, ...] = ()
    """Why it cannot be used, one line each; empty where it can."""


class Presets:
    """The presets of two folders. Thread-safe: it only keeps what it has read."""

    def __init__(self, folder: Path, shipped: Path | None = None) -> None:
        """Look into a folder.

        Args:
            folder: the operator's; it need not be there.
            shipped: that of the program; None for where that is.
        """
        self.folder = folder
        self._shipped = shipped or shipped_configs()
        self._read: dict[Path, tuple[tuple[int, int], Preset]] = {}

    def all(self) -> tuple[Preset, ...]:
        """Those that there are now, the program's first, by name."""
        found = [*self._of(self._shipped, own=False)]
        taken = {preset.name for preset in found}
        found += [preset for preset in self._of(self.folder, own=True) if preset.name not in taken]
        return tuple(found)

    def get(self, name: str) -> Preset:
        """One by its name.

        Raises:
            PresetNotFound: there is none.
            PresetError: it cannot be used.
        """
        for preset in self.all():
            if preset.name == name:
                if preset.mistakes:
                    raise PresetError(preset.mistakes[0])
                return preset
        raise PresetNotFound(f"there is no preset '{name[:60]}'")

    def save(self, name: str, config: Config, keys: Collection[str], *, replace: bool = False) -> Path:
        """Write a preset that looks as a config does.

        Args:
            keys: settings outside of the look, dotted, that it is to name.
            replace: whether one of that name is written over.

        Raises:
            PresetExists: there is one, and it is to stay.
            PresetError: it cannot be written, or not under that name.
        """
        if not SAFE.fullmatch(name) or name in DEVICES:
            raise PresetError("a preset's name has 1 to 40 small letters, digits, - and _, and begins with a letter or a digit")
        if name in NO_PRESETS or any(preset.name == name for preset in self._of(self._shipped, own=False)):
            raise PresetError(f"'{name}' comes with the program; take another name")
        path = self.folder / f"{name}.yaml"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            _write(path, _text(name, config, keys), replace=replace)
        except FileExistsError:
            raise PresetExists(f"there is a preset '{name}' already") from None
        except OSError as error:
            raise PresetError(f"'{path}' cannot be written: {error.strerror or error}") from error
        return path

    def _of(self, folder: Path, *, own: bool) -> list[Preset]:
        try:
            files = sorted(path for path in folder.iterdir() if path.suffix in (".yaml", ".yml") and path.name[0] != ".")
        except OSError:
            return []
        found: dict[str, Preset] = {}
        for path in files:
            if path.stem in NO_PRESETS or path.stem in found or len(found) == MOST:
                continue
            preset = self._look_at(path, own)
            if preset is not None and (preset.mistakes or preset.values):
                found[path.stem] = preset
        return list(found.values())

    def _look_at(self, path: Path, own: bool) -> Preset | None:
        """What is in a file; None where there is none."""
        try:
            stat = path.stat()
        except OSError:
            return None
        mark = stat.st_mtime_ns, stat.st_size
        known = self._read.get(path)
        if known is None or known[0] != mark:
            known = self._read[path] = mark, _preset(path, own)
        return known[1]


def _preset(path: Path, own: bool) -> Preset:
    try:
        if not path.is_file():
            raise ConfigError([f"{path}: is no file"])
        config, named = read_preset(path)
    except ConfigError as error:
        return Preset(path.stem, "", own, {}, {}, error.problems)
    values = {key: value_of(config, key) for key in setting_keys() if key in _LOOK or (key in named and key in AT_DESK)}
    at_start = {key: value_of(config, key) for key in named if key not in values}
    if named and at_start.keys() == set(named):  # there is nothing in it for the desk
        return Preset(path.stem, "", own, {}, at_start)
    return Preset(path.stem, _about(path), own, values, at_start)


_LOOK = expanded(LOOK) & AT_DESK


def _about(path: Path) -> str:
    """The first line of the comment that a file begins with, without its sign."""
    with suppress(OSError, UnicodeDecodeError), path.open(encoding="utf-8-sig") as file:
        first = file.readline(400).strip()
        if first.startswith("#"):
            return first.lstrip("# ").strip()
    return ""


def _text(name: str, config: Config, keys: Collection[str]) -> str:
    """A preset's file: what differs from the defaults."""
    told: dict[str, Any] = {}
    usual = Config()
    named = {key: value_of(config, key) for key in setting_keys() if key in _LOOK or key in keys}
    for key, value in named.items():
        if key in keys or value != value_of(usual, key):
            *blocks, last = key.split(".")
            inner = told
            for block in blocks:
                inner = inner.setdefault(block, {})
            inner[last] = to_jsonable_python(value)
    head = f"# {name}: saved at the desk on {date.today():%Y-%m-%d}.\n#\n#     zoomdream run {name}.yaml\n\n"
    return head + (yaml.safe_dump(told, sort_keys=False, allow_unicode=True) if told else "{}\n")


def _write(path: Path, text: str, *, replace: bool) -> None:
    """Put a file in its place; one that was there stays whole until then.

    Raises:
        FileExistsError: there is one, and it is to stay.
        OSError: it cannot be written.
    """
    beside = path.with_name(f".{path.stem}.new")
    target = beside if replace else path
    try:
        with target.open("w" if replace else "x", encoding="utf-8") as file:
            file.write(text)
        if replace:
            beside.replace(path)
    except FileExistsError:
        raise
    except OSError:
        with suppress(OSError):
            target.unlink()
        raise
