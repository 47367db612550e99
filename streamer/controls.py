"""The live controls: changes of settings from the control page and OSC controllers while the stream runs.

All changes go through ``Reload``, which checks and applies them. This module adds presets, the two sides of A/B, and a status.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Mapping
from typing import Any

from streamer.control_status import ControlsStatus, OscStatus, PresetEntry, Side, Switching
from streamer.presets import Preset, Presets
from streamer.reload import Reload
from streamer.settings_file import ConfigError
from streamer.settings_live import AT_DESK, SWITCH, among, value_of
from streamer.settings_rules import setting_keys

log = logging.getLogger(__name__)

Look = tuple[Mapping[str, Any], tuple[str, Mapping[str, Any]] | None]
"""The changed settings, and the latest preset with its changes."""
SIDES_S = 0.5
"""Seconds for numbers to fade from one side of A/B to the other: short enough to compare."""


class Controls:
    """Changes the settings on behalf of the control page and OSC. Thread-safe.

    Args:
        reload: Holds the settings.
        presets: The available presets.
        switching: Returns the status of a switch that takes a new worker.
        osc: Returns the status of the OSC listener; None without one.
    """

    def __init__(
        self,
        reload: Reload,
        presets: Presets,
        switching: Callable[[], Switching],
        osc: Callable[[], OscStatus | None] = lambda: None,
    ) -> None:
        self._reload, self._presets, self._switching, self._osc = reload, presets, switching, osc
        self._lock = threading.Lock()
        self._preset: tuple[str, Mapping[str, Any]] | None = None
        self._side: Side = "a"
        self._other: Look | None = None  # the other side; None if it is the same
        self._settled: Look = ({}, None)  # restored when a switch fails
        self._told = Switching()

    def change(self, values: Mapping[str, Any], fade_s: float = 0.0) -> tuple[str, ...]:
        """Change settings, all or none; return the dotted settings that have changed.

        Raises:
            ConfigError: with all mistakes found, or with the reason why they cannot be applied.
        """
        if excluded := [key for key in values if key in _ALL and key not in _OFFERED]:
            raise ConfigError([f"'{key}' cannot be changed here" for key in excluded])
        with self._lock:
            self._settle()
            return self._reload.change(values, fade_s)

    def reset(self, keys: Collection[str] | None = None) -> tuple[str, ...]:
        """Undo all changes of the controls, or those of some settings; return the dotted settings that have changed.

        Raises:
            ConfigError: the result is not valid now.
        """
        with self._lock:
            self._settle()
            changed = self._reload.reset(keys, self._reload.target.controls.crossfade_s if keys is None else 0.0)
            if keys is None:
                self._preset = None
                self._reload.touch()
            return changed

    def go_over(self, name: str, fade_s: float | None = None) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Apply a preset.

        Args:
            fade_s: seconds for numbers to fade; None for ``controls.crossfade_s``.

        Returns:
            The settings that have changed, and those that still differ from the preset because only a start changes them.

        Raises:
            PresetError: there is no preset of that name, or it cannot be used.
            ConfigError: it cannot be applied now.
        """
        preset = self._presets.get(name)
        with self._lock:
            self._settle()
            fade_s = self._reload.target.controls.crossfade_s if fade_s is None else fade_s
            changed = self._reload.change(preset.values, fade_s, reset_others=True)
            self._preset = name, self._reload.desk
            self._reload.touch()
            log.info("applied the preset %s", name)
            return changed, self._lacking(preset)

    def save(self, name: str, *, replace: bool = False) -> str:
        """Save the current look as a preset; return its file.

        Raises:
            PresetExists: there is a preset of that name, and ``replace`` is false.
            PresetError: it cannot be written, or the name is not allowed.
        """
        with self._lock:
            desk = self._reload.desk
            path = self._presets.save(name, self._reload.target, desk, replace=replace)
            self._preset = name, desk
            self._reload.touch()
        log.info("saved as the preset %s", path)
        return str(path)

    def compare(self, side: Side | None = None) -> Side:
        """Go to a side of A/B, None for the other one, with its last settings; return the side.

        Raises:
            ConfigError: its settings are not valid any more.
        """
        with self._lock:
            self._settle()
            side = side or ("b" if self._side == "a" else "a")
            if side != self._side:
                here = self._reload.desk, self._preset
                desk, preset = self._other or here
                self._reload.change(desk, SIDES_S, reset_others=True)
                self._side, self._other, self._preset = side, here, preset
                self._reload.touch()
            return self._side

    def undo_failed_switch(self) -> None:
        """Undo a switch that has failed; call this several times a second."""
        with self._lock:
            now = self._switching()
            before, self._told = self._told, now
            if now != before:
                self._reload.touch()
            if now.failures != before.failures:
                desk, self._preset = self._settled
                try:
                    self._reload.change(desk, reset_others=True)
                except ConfigError as error:
                    log.warning("the changes of the controls cannot be undone: %s", error.problems[0])
            elif not now.busy:
                self._settled = self._reload.desk, self._preset

    def _settle(self) -> None:
        """Before a change, remember the current settings for a switch that fails, unless one is in progress."""
        now = self._switching()
        if not now.busy and now.failures == self._told.failures:
            self._settled = self._reload.desk, self._preset

    def status(self) -> ControlsStatus:
        """Return the status of the controls."""
        reload = self._reload
        target, file, desk = reload.target, reload.file, reload.desk
        preset = self._preset
        return ControlsStatus(
            settings={key: value_of(target, key) for key in _SHOWN},
            file={key: value_of(file, key) for key in _SHOWN},
            changed=tuple(key for key in _SHOWN if key in desk),
            preset="" if preset is None else preset[0],
            preset_changed=preset is not None and preset[1] != desk,
            presets=tuple(self._entry(each) for each in self._presets.all()),
            side=self._side,
            sides_differ=self._other is not None and self._other[0] != desk,
            fading_s=reload.transition_left_s,
            switching=self._switching(),
            osc=self._osc(),
            folder=str(self._presets.folder),
        )

    def _entry(self, preset: Preset) -> PresetEntry:
        now = self._reload.target
        switches = among((key for key, value in preset.values.items() if value_of(now, key) != value), SWITCH)
        return PresetEntry(preset.name, preset.about, preset.own, bool(switches), self._lacking(preset), preset.mistakes)

    def _lacking(self, preset: Preset) -> tuple[str, ...]:
        """Return the settings of a preset that differ from the running ones and take effect only at a start."""
        now = self._reload.target
        return tuple(key for key, value in preset.at_start.items() if value_of(now, key) != value)


_ALL = tuple(setting_keys())
_SHOWN = tuple(key for key in _ALL if key in AT_DESK and key.partition(".")[0] not in ("queue", "chat"))
"""Settings that the status lists; the queue's rules and the chat have their own API calls."""
_OFFERED = frozenset(_SHOWN) - {"network.weights"}
"""Settings that callers may change: only operators name files, in presets."""
