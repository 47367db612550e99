"""Presets: configs that can be applied while the stream runs, both shipped ones and the operator's own.

A preset defines a look: all settings of ``zoom``, ``dream`` and ``ink``, including defaults. It changes other settings only if
it names them.
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
"""Shipped configs that are documentation, not presets."""
MOST = 200
"""Most presets per folder; the first by name are listed."""
SAFE = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
"""Names that are valid file names on every system and cannot be mistaken for a path."""
DEVICES = frozenset({"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(10))})
"""Names that Windows reserves."""


class PresetError(ZoomdreamError):
    """A preset cannot be used or saved; the message, one line, says why."""


class PresetExists(PresetError):
    """There is already a preset of that name."""


class PresetNotFound(PresetError):
    """There is no preset of that name."""


@dataclass(frozen=True, slots=True)
class Preset:
    """A preset as it was read."""

    name: str
    about: str
    """First line of the file's leading comment; empty if it has none."""
    own: bool
    """Whether it is the operator's; else it comes with the program."""
    values: Mapping[str, Any]
    """The settings that it changes: dotted keys, and values as the config holds them. Empty if it cannot be used."""
    at_start: Mapping[str, Any]
    """The other settings that it names, which take effect only at a start."""
    mistakes: tuple[str, ...] = ()
    """Why it cannot be used, one line each; empty if it can."""


class Presets:
    """The presets of two folders. Thread-safe: it only caches what it has read."""

    def __init__(self, folder: Path, shipped: Path | None = None) -> None:
        """Set the folders.

        Args:
            folder: the operator's folder; it may not exist.
            shipped: the program's folder; None for the usual one.
        """
        self.folder = folder
        self._shipped = shipped or shipped_configs()
        self._read: dict[Path, tuple[tuple[int, int], Preset]] = {}

    def all(self) -> tuple[Preset, ...]:
        """Return the current presets, the program's first, by name."""
        found = [*self._of(self._shipped, own=False)]
        taken = {preset.name for preset in found}
        found += [preset for preset in self._of(self.folder, own=True) if preset.name not in taken]
        return tuple(found)

    def get(self, name: str) -> Preset:
        """Return a preset by name.

        Raises:
            PresetNotFound: there is no preset of that name.
            PresetError: it cannot be used.
        """
        for preset in self.all():
            if preset.name == name:
                if preset.mistakes:
                    raise PresetError(preset.mistakes[0])
                return preset
        raise PresetNotFound(f"there is no preset '{name[:60]}'")

    def save(self, name: str, config: Config, keys: Collection[str], *, replace: bool = False) -> Path:
        """Save the look of a config as a preset; return its file.

        Args:
            keys: dotted settings outside the look to include.
            replace: whether to overwrite an existing preset of that name.

        Raises:
            PresetExists: there is a preset of that name, and ``replace`` is false.
            PresetError: it cannot be written, or the name is not allowed.
        """
        if not SAFE.fullmatch(name) or name in DEVICES:
            raise PresetError(
                "a preset's name has 1 to 40 lower-case letters, digits, - and _, and starts with a letter or digit"
            )
        if name in NO_PRESETS or any(preset.name == name for preset in self._of(self._shipped, own=False)):
            raise PresetError(f"'{name}' comes with the program; choose another name")
        path = self.folder / f"{name}.yaml"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            _write(path, _text(name, config, keys), replace=replace)
        except FileExistsError:
            raise PresetExists(f"there is already a preset '{name}'") from None
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
        """Return the preset in a file, cached until the file changes; None if there is no file."""
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
            raise ConfigError([f"{path}: is not a file"])
        config, named = read_preset(path)
    except ConfigError as error:
        return Preset(path.stem, "", own, {}, {}, error.problems)
    values = {key: value_of(config, key) for key in setting_keys() if key in _LOOK or (key in named and key in AT_DESK)}
    at_start = {key: value_of(config, key) for key in named if key not in values}
    if named and at_start.keys() == set(named):  # it has nothing that the controls can change
        return Preset(path.stem, "", own, {}, at_start)
    return Preset(path.stem, _about(path), own, values, at_start)


_LOOK = expanded(LOOK) & AT_DESK


def _about(path: Path) -> str:
    """Return the first line of the comment that a file starts with, without the ``#``."""
    with suppress(OSError, UnicodeDecodeError), path.open(encoding="utf-8-sig") as file:
        first = file.readline(400).strip()
        if first.startswith("#"):
            return first.lstrip("# ").strip()
    return ""


def _text(name: str, config: Config, keys: Collection[str]) -> str:
    """Return the text of a preset's file, with the differences from the defaults."""
    blocks_by_name: dict[str, Any] = {}
    usual = Config()
    named = {key: value_of(config, key) for key in setting_keys() if key in _LOOK or key in keys}
    for key, value in named.items():
        if key in keys or value != value_of(usual, key):
            *blocks, last = key.split(".")
            inner = blocks_by_name
            for block in blocks:
                inner = inner.setdefault(block, {})
            inner[last] = to_jsonable_python(value)
    head = f"# {name}: saved on the control page on {date.today():%Y-%m-%d}.\n#\n#     zoomdream run {name}.yaml\n\n"
    return head + (yaml.safe_dump(blocks_by_name, sort_keys=False, allow_unicode=True) if blocks_by_name else "{}\n")


def _write(path: Path, text: str, *, replace: bool) -> None:
    """Write a file; an existing one is replaced atomically.

    Raises:
        FileExistsError: the file exists, and ``replace`` is false.
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
