"""The current settings, and their changes while the stream runs: by an edited config file, and by the live controls.

A file is applied completely or not at all. Live settings take effect immediately; others are named in the log and wait for the
next start. If the file has mistakes, the previous settings stay; the log and the page show the mistakes.

Changes of the controls override the file until the stream ends or they are undone. If both change a setting, the last change
counts: editing a setting in the file removes its override, other overrides stay.
"""

from __future__ import annotations

import contextlib
import logging
import stat
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic_core import to_json, to_jsonable_python

from streamer.config import Config
from streamer.messages.status import Reloaded, SettingsStatus
from streamer.settings_file import ConfigError, ConfigGone, load, read_changes
from streamer.settings_live import AT_DESK, LIVE, SettingsRefused, changes, value_of, with_settings_of, with_values
from streamer.settings_rules import setting_keys
from streamer.settings_transition import STEP_S, SettingsTransition, interpolable_keys
from streamer.settings_yaml import cut

log = logging.getLogger(__name__)

Take = Callable[[Config, Collection[str]], None]
"""Applies another config, in which the named settings differ; or raises ``SettingsRefused`` and changes nothing."""
NAMED = 8
"""Most settings that a log line names; the others are counted."""


class Reload:
    """Holds the settings, and applies changes. Thread-safe; one change at a time."""

    def __init__(
        self,
        config: Config,
        path: Path | None = None,
        overrides: Sequence[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start with a config as it was read.

        Args:
            path: the file; None if none was given.
            overrides: the command line's overrides, which apply each time.
            clock: monotonic seconds.
        """
        self.path = path
        self._overrides, self._clock = tuple(overrides), clock
        self._lock = threading.RLock()
        self._config = self._target = self._file = config
        self._desk: dict[str, Any] = {}
        self._transition: SettingsTransition | None = None
        self._glided_s = 0.0
        self._takers: list[Take] = []
        self._status = SettingsStatus(str(path or ""))

    @property
    def config(self) -> Config:
        """The current settings; some may be fading to those of ``target``."""
        return self._config

    @property
    def target(self) -> Config:
        """The target settings."""
        return self._target

    @property
    def file(self) -> Config:
        """The settings without the changes of the controls."""
        return self._file

    @property
    def desk(self) -> Mapping[str, Any]:
        """The changes of the controls: dotted keys, and values as the config holds them."""
        return dict(self._desk)

    @property
    def transition_left_s(self) -> float:
        """Seconds until the latest change is complete."""
        transition = self._transition
        return 0.0 if transition is None else transition.left_s(self._clock())

    @property
    def status(self) -> SettingsStatus:
        """Status of the config file."""
        return self._status

    def taken_by(self, take: Take) -> None:
        """Register a receiver of changes. One that may refuse them must come first: there is no rollback for earlier ones."""
        self._takers.append(take)

    # The file

    def try_reload(self) -> None:
        """Read the file if it changed, and apply it. The result goes to the log and to ``status``."""
        with contextlib.suppress(ConfigError):  # already reported
            self.reload()

    def reload(self) -> Reloaded:
        """Read the file and apply it.

        Raises:
            ConfigError: it is not applied, with all its mistakes; ``ConfigGone`` when it is missing.
        """
        with self._lock:
            try:
                self._check_file()
                return self._apply(load(self.path, self._overrides))
            except ConfigError as error:
                self._report(error)
                raise

    def _check_file(self) -> None:
        """Refuse a missing file, an empty one, which would mean all defaults, and a pipe, whose reading may never end."""
        if self.path is None:
            return
        try:
            found = self.path.stat()
        except FileNotFoundError:
            raise ConfigGone([f"{self.path}: the file is gone"]) from None
        except (OSError, ValueError):
            return  # reading it reports what is wrong
        if not stat.S_ISREG(found.st_mode) and not stat.S_ISDIR(found.st_mode):
            raise ConfigError([f"{self.path}: is a pipe or a device, which is only read at start"])
        if not found.st_size:
            raise ConfigError([f"{self.path}: is empty, like a half-written file; write {{}} for a config without changes"])

    def _apply(self, config: Config) -> Reloaded:
        different = changes(self._file, config)
        changed = tuple(key for key in different if key in LIVE)
        waiting = tuple(key for key in different if key not in LIVE)
        file = with_settings_of(self._file, config, changed)
        if changed:
            desk = {key: value for key, value in self._desk.items() if key not in changed}
            try:
                target = _laid(file, desk)
            except ConfigError as error:
                log.warning("the changes of the controls contradict the config and are undone: %s", error.problems[0])
                desk, target = {}, file
            try:
                self._go_to(target, 0.0)
            except SettingsRefused as error:
                raise ConfigError([f"{self.path or 'the default config'}: {error}"]) from None
            self._file, self._desk = file, desk
            log.info("settings changed: %s", ", ".join(f"{key} = {_shown(value_of(file, key))}" for key in changed))
        elif self._status.mistakes:
            log.info("the config has no mistakes any more")
        if waiting and waiting != self._status.at_next_start:
            *firsts, last = (f"'{key}'" for key in waiting)
            names = f"{', '.join(firsts)} and {last} change" if firsts else f"{last} changes"
            log.warning("%s at the next start", names)
        self._set_status(
            replace(self._status, mistakes=(), at_next_start=waiting, reloads=self._status.reloads + bool(changed))
        )
        return Reloaded(changed, waiting)

    # The controls

    def change(self, values: Mapping[str, Any], fade_s: float = 0.0, *, reset_others: bool = False) -> tuple[str, ...]:
        """Change settings with the controls, all or none.

        Args:
            values: dotted keys, and values as in JSON or as a config holds them.
            fade_s: seconds in which numbers fade to their new values.
            reset_others: whether to undo all other changes of the controls.

        Returns:
            The settings that have changed, in the order of the reference.

        Raises:
            ConfigError: with all mistakes found, or with the reason why they cannot be applied; nothing is changed.
        """
        return self._change(values, fade_s, reset_others=reset_others, keeps=not reset_others)

    def _change(self, values: Mapping[str, Any], fade_s: float, *, reset_others: bool, keeps: bool) -> tuple[str, ...]:
        if at_start := [key for key in values if key in _ALL and key not in AT_DESK]:
            raise ConfigError([f"'{key}' only changes at a start" for key in at_start])
        with self._lock:
            desk = {**({} if reset_others else self._desk), **values}
            target = _laid(self._file, desk)
            changed = changes(self._target, target)
            try:
                self._go_to(target, fade_s, keeps=keeps)
            except SettingsRefused as error:
                raise ConfigError([str(error)]) from None
            kept = {key: value_of(target, key) for key in desk}
            self._desk = {key: value for key, value in kept.items() if value != value_of(self._file, key)}
            if changed:
                named = ", ".join(f"{key} = {_shown(value_of(target, key))}" for key in changed[:NAMED])
                more = f" and {len(changed) - NAMED} more" if len(changed) > NAMED else ""
                log.info("changed by the controls: %s%s", named, more)
            self.touch()
            return changed

    def reset(self, keys: Collection[str] | None = None, fade_s: float = 0.0) -> tuple[str, ...]:
        """Undo all changes of the controls, or those of some settings; see ``change``."""
        with self._lock:
            left = {} if keys is None else {key: value for key, value in self._desk.items() if key not in keys}
            return self._change(left, fade_s, reset_others=True, keeps=keys is not None)

    def resume(self, values: Mapping[str, Any]) -> None:
        """Restore changes of the controls from an earlier run, which were checked then. Call this before settings are used."""
        self._desk = {key: value for key, value in values.items() if value != value_of(self._file, key)}
        self._config = self._target = with_values(self._file, self._desk)

    def touch(self) -> None:
        """Increase the revision of ``status``, because something about the controls has changed besides the settings."""
        with self._lock:
            self._set_status(self._status, force=True)

    def advance(self) -> None:
        """Continue a transition; call this several times a second."""
        if self._transition is None:
            return
        with self._lock:
            transition, now_s = self._transition, self._clock()
            over = transition is not None and transition.left_s(now_s) <= 0
            if transition is None or (now_s - self._glided_s < STEP_S and not over):
                return
            self._glided_s = now_s
            if over:
                self._transition = None
            self._hand_on(transition.at(now_s))

    def _go_to(self, target: Config, fade_s: float, *, keeps: bool = True) -> None:
        """Apply other settings; numbers fade to their new values in ``fade_s``.

        Args:
            keeps: whether a transition of other settings continues.
        """
        now_s, transition = self._clock(), self._transition
        if fade_s > 0:
            transition = SettingsTransition(
                self._config, target, interpolable_keys(self._config, target, changes(self._config, target)), now_s, fade_s
            )
            self._glided_s = now_s
        elif transition is not None:
            keys = tuple(key for key in transition.keys if keeps and value_of(transition.after, key) == value_of(target, key))
            transition = replace(transition, after=target, keys=keys)
        smooth = () if transition is None else transition.keys
        self._hand_on(with_settings_of(target, self._config, smooth))
        self._transition, self._target = transition if smooth else None, target

    def _hand_on(self, config: Config) -> None:
        if different := changes(self._config, config):
            for take in self._takers:
                take(config, different)
            self._config = config

    # Status

    def _report(self, error: ConfigError) -> None:
        if error.problems == self._status.mistakes:
            return
        for problem in error.problems:
            log.warning("the config has mistakes, so the previous settings stay in force: %s", problem)
        self._set_status(replace(self._status, mistakes=error.problems))

    def _set_status(self, status: SettingsStatus, *, force: bool = False) -> None:
        if force or status != self._status:
            self._status = replace(status, revision=self._status.revision + 1)


_ALL = frozenset(setting_keys())


def _laid(file: Config, desk: Mapping[str, Any]) -> Config:
    """Return the file's settings with the controls' values on top.

    Raises:
        ConfigError: with all mistakes found.
    """
    return read_changes(file, {key: to_jsonable_python(value) for key, value in desk.items()}) if desk else file


def _shown(value: Any) -> str:
    """Return a setting's value roughly as it is written in a file."""
    return cut(value if isinstance(value, str) else to_json(value).decode())
