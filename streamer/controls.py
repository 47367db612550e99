"""The live controls: what the desk and a controller do to the settings while the stream runs, and how these stand.

Everything goes through ``Reload``, which checks it and hands it on. Here are presets, the two sides of A/B, and what is told.
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
"""What the desk has changed, and the latest preset with what it changed."""
SIDES_S = 0.5
"""Seconds in which numbers go from one side of A/B to the other: soon enough to compare."""


class Controls:
    """Changes the settings for whoever sits at the desk. Thread-safe.

    Args:
        reload: Keeps the settings.
        presets: What can be gone over to.
        switching: Tells how a change stands that takes a new worker.
        osc: Tells how the listener for OSC does; None where there is none.
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
        self._other: Look | None = None  # what is on the other side; None for the same
        self._settled: Look = ({}, None)  # what a switch that fails is taken back to
        self._told = Switching()

    def change(self, values: Mapping[str, Any], fade_s: float = 0.0) -> tuple[str, ...]:
        """Change settings, all or none; returns those that differ from before, dotted.

        Raises:
            ConfigError: with all mistakes found, or with why they cannot be.
        """
        if strange := [key for key in values if key in _ALL and key not in _OFFERED]:
            raise ConfigError([f"'{key}' is not changed here" for key in strange])
        with self._lock:
            self._settle()
            return self._reload.change(values, fade_s)

    def reset(self, keys: Collection[str] | None = None) -> tuple[str, ...]:
        """Take back what was changed at the desk, or of that some settings; returns those that differ from before, dotted.

        Raises:
            ConfigError: they cannot be so now.
        """
        with self._lock:
            self._settle()
            changed = self._reload.reset(keys, self._reload.target.controls.crossfade_s if keys is None else 0.0)
            if keys is None:
                self._preset = None
                self._reload.touch()
            return changed

    def go_over(self, name: str, fade_s: float | None = None) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Go over to a preset.

        Args:
            fade_s: seconds for its numbers; None for those of the settings.

        Returns:
            The settings that differ from before, and those that differ from the preset, for only a start can change them.

        Raises:
            PresetError: there is none of that name, or it cannot be used.
            ConfigError: it cannot be gone over to now.
        """
        preset = self._presets.get(name)
        with self._lock:
            self._settle()
            fade_s = self._reload.target.controls.crossfade_s if fade_s is None else fade_s
            changed = self._reload.change(preset.values, fade_s, anew=True)
            self._preset = name, self._reload.desk
            self._reload.touch()
            log.info("went over to the preset %s", name)
            return changed, self._lacking(preset)

    def save(self, name: str, *, replace: bool = False) -> str:
        """Keep how it looks now as a preset; returns its file.

        Raises:
            PresetExists: there is one of that name, and it is to stay.
            PresetError: it cannot be written, or not under that name.
        """
        with self._lock:
            desk = self._reload.desk
            path = self._presets.save(name, self._reload.target, desk, replace=replace)
            self._preset = name, desk
            self._reload.touch()
        log.info("saved as the preset %s", path)
        return str(path)

    def compare(self, side: Side | None = None) -> Side:
        """Go to one side of A/B, None for the other one; it is as it was left. Returns the side.

        Raises:
            ConfigError: it cannot be so any more.
        """
        with self._lock:
            self._settle()
            side = side or ("b" if self._side == "a" else "a")
            if side != self._side:
                here = self._reload.desk, self._preset
                desk, preset = self._other or here
                self._reload.change(desk, SIDES_S, anew=True)
                self._side, self._other, self._preset = side, here, preset
                self._reload.touch()
            return self._side

    def look(self) -> None:
        """Take back what could not be switched to; to be called several times a second."""
        with self._lock:
            told = self._switching()  # as it is with the desk as it is
            before, self._told = self._told, told
            if told != before:
                self._reload.touch()
            if told.failures != before.failures:
                desk, self._preset = self._settled
                try:
                    self._reload.change(desk, anew=True)
                except ConfigError as error:
                    log.warning("what the desk changed cannot be taken back: %s", error.problems[0])
            elif not told.busy:
                self._settled = self._reload.desk, self._preset

    def _settle(self) -> None:
        """Before the desk changes: what it shows now is what a switch that fails is taken back to, unless one is under way."""
        now = self._switching()
        if not now.busy and now.failures == self._told.failures:
            self._settled = self._reload.desk, self._preset

    def status(self) -> ControlsStatus:
        """How the controls stand."""
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
        """What of a preset only a start can change, and differs from what runs."""
        now = self._reload.target
        return tuple(key for key, value in preset.at_start.items() if value_of(now, key) != value)


_ALL = tuple(setting_keys())
_SHOWN = tuple(key for key in _ALL if key in AT_DESK and key.partition(".")[0] not in ("queue", "chat"))
"""Settings that are told of; rules of the queue and the chat have calls of their own."""
_OFFERED = frozenset(_SHOWN) - {"network.weights"}
"""Those that callers may set: files are for operators to name, in presets."""
