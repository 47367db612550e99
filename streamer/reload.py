"""The settings that the stream goes by, and how they change while it runs: by the config file read again, and by the desk.

A file is heeded whole or not at all. What is live shows at once, what is not is named and waits for the next start; a mistake
leaves the settings from before, is told to the log and kept for the page.

What the desk changes is laid over the file until the stream ends, or is taken back. Of a setting that both change the last word
counts: an edit of the file takes the desk's value away, and leaves it where it left the setting alone.
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
"""Goes by another config from now on, in which the settings named differ; or raises ``SettingsRefused`` and changes nothing."""
NAMED = 8
"""Settings that a line of the log names; the others are counted."""


class Reload:
    """Keeps the settings, and hands on what changes. Thread-safe; one change at a time."""

    def __init__(
        self,
        config: Config,
        path: Path | None = None,
        overrides: Sequence[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin with a config as it was read.

        Args:
            path: the file; None where none was named.
            overrides: what the command line laid over it, and lays over it each time.
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
        """The settings that the stream goes by; some may be on their way to those of ``target``."""
        return self._config

    @property
    def target(self) -> Config:
        """The settings that it is to go by."""
        return self._target

    @property
    def file(self) -> Config:
        """Those that it would go by if nothing had been changed at the desk."""
        return self._file

    @property
    def desk(self) -> Mapping[str, Any]:
        """What the desk changed: dotted keys and values, as the config holds them."""
        return dict(self._desk)

    @property
    def transition_left_s(self) -> float:
        """Seconds until the latest change is complete."""
        transition = self._transition
        return 0.0 if transition is None else transition.left_s(self._clock())

    @property
    def status(self) -> SettingsStatus:
        """How the file stands to them."""
        return self._status

    def taken_by(self, take: Take) -> None:
        """Hand changes to somebody. Whoever may refuse them comes first: what others took before is not taken back."""
        self._takers.append(take)

    # The file

    def look(self) -> None:
        """The file may have changed: heed it. What comes of it is told to the log, and by ``status``."""
        with contextlib.suppress(ConfigError):  # told
            self.reload()

    def reload(self) -> Reloaded:
        """Read the file and heed it.

        Raises:
            ConfigError: it is not heeded, with all its mistakes; ``ConfigGone`` when it is not there.
        """
        with self._lock:
            try:
                self._refuse_what_is_no_config()
                return self._heed(load(self.path, self._overrides))
            except ConfigError as error:
                self._tell(error)
                raise

    def _refuse_what_is_no_config(self) -> None:
        """Refuse what is not there, what would be read as a config of nothing but defaults, and what would never end."""
        if self.path is None:
            return
        try:
            found = self.path.stat()
        except FileNotFoundError:
            raise ConfigGone([f"{self.path}: the file is gone"]) from None
        except (OSError, ValueError):
            return  # whoever reads it says what is wrong
        if not stat.S_ISREG(found.st_mode) and not stat.S_ISDIR(found.st_mode):
            raise ConfigError([f"{self.path}: is a pipe or a device, which is read at the start only"])
        if not found.st_size:
            raise ConfigError([f"{self.path}: is empty, as a file half written is; a config that changes nothing is {{}}"])

    def _heed(self, config: Config) -> Reloaded:
        different = changes(self._file, config)
        changed = tuple(key for key in different if key in LIVE)
        waiting = tuple(key for key in different if key not in LIVE)
        file = with_settings_of(self._file, config, changed)
        if changed:
            desk = {key: value for key, value in self._desk.items() if key not in changed}
            try:
                target = _laid(file, desk)
            except ConfigError as error:
                log.warning("what the desk changed does not go with the config, and is taken back: %s", error.problems[0])
                desk, target = {}, file
            try:
                self._go_to(target, 0.0)
            except SettingsRefused as error:
                raise ConfigError([f"{self.path or 'the default config'}: {error}"]) from None
            self._file, self._desk = file, desk
            log.info("settings changed: %s", ", ".join(f"{key} = {_shown(value_of(file, key))}" for key in changed))
        elif self._status.mistakes:
            log.info("the config is in order again")
        if waiting and waiting != self._status.at_next_start:
            *firsts, last = (f"'{key}'" for key in waiting)
            names = f"{', '.join(firsts)} and {last} change" if firsts else f"{last} changes"
            log.warning("%s at the next start", names)
        self._turn_to(replace(self._status, mistakes=(), at_next_start=waiting, reloads=self._status.reloads + bool(changed)))
        return Reloaded(changed, waiting)

    # The desk

    def change(self, values: Mapping[str, Any], fade_s: float = 0.0, *, anew: bool = False) -> tuple[str, ...]:
        """Change settings at the desk, all or none.

        Args:
            values: dotted keys, and values as JSON has them or as a config holds them.
            fade_s: seconds in which numbers go over to theirs.
            anew: whether all else that the desk changed before is taken back.

        Returns:
            The settings that differ from before, in the order of the reference.

        Raises:
            ConfigError: with all mistakes found, or with why they cannot be; nothing is changed.
        """
        return self._change(values, fade_s, anew=anew, keeps=not anew)

    def _change(self, values: Mapping[str, Any], fade_s: float, *, anew: bool, keeps: bool) -> tuple[str, ...]:
        if strange := [key for key in values if key in _ALL and key not in AT_DESK]:
            raise ConfigError([f"'{key}' changes at a start only" for key in strange])
        with self._lock:
            desk = {**({} if anew else self._desk), **values}
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
                log.info("changed at the desk: %s%s", named, more)
            self.touch()
            return changed

    def reset(self, keys: Collection[str] | None = None, fade_s: float = 0.0) -> tuple[str, ...]:
        """Take back what the desk changed, or of that some settings; arguments and returns as ``change`` has them."""
        with self._lock:
            left = {} if keys is None else {key: value for key, value in self._desk.items() if key not in keys}
            return self._change(left, fade_s, anew=True, keeps=keys is not None)

    def resume(self, values: Mapping[str, Any]) -> None:
        """Begin with what the desk had changed in an earlier run, checked then; before anybody goes by the settings."""
        self._desk = {key: value for key, value in values.items() if value != value_of(self._file, key)}
        self._config = self._target = with_values(self._file, self._desk)

    def touch(self) -> None:
        """Have those who follow ``status`` look again: something about the controls has changed besides the settings."""
        with self._lock:
            self._turn_to(self._status, anew=True)

    def advance(self) -> None:
        """Move on with what is on its way; to be called several times a second."""
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
        """Have everybody go by other settings, numbers in so many seconds.

        Args:
            keeps: whether what else is on its way stays so.
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

    # What is told

    def _tell(self, error: ConfigError) -> None:
        if error.problems == self._status.mistakes:
            return
        for problem in error.problems:
            log.warning("the config has mistakes, so the previous settings stay in force: %s", problem)
        self._turn_to(replace(self._status, mistakes=error.problems))

    def _turn_to(self, status: SettingsStatus, *, anew: bool = False) -> None:
        if anew or status != self._status:
            self._status = replace(status, revision=self._status.revision + 1)


_ALL = frozenset(setting_keys())


def _laid(file: Config, desk: Mapping[str, Any]) -> Config:
    """The desk's values over those of the file.

    Raises:
        ConfigError: with all mistakes found.
    """
    return read_changes(file, {key: to_jsonable_python(value) for key, value in desk.items()}) if desk else file


def _shown(value: Any) -> str:
    """A setting's value about as it is written."""
    return cut(value if isinstance(value, str) else to_json(value).decode())
