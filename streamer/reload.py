"""The config file read again while the stream runs: what changed is handed to those who go by it, or all stays as it was.

A file is heeded whole or not at all. What is live shows at once, what is not is named and waits for the next start; a mistake
leaves the settings from before, is told to the log and kept for the page.
"""

from __future__ import annotations

import contextlib
import logging
import stat
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic_core import to_json

from streamer.config import Config
from streamer.messages import Reloaded, SettingsStatus
from streamer.settings_file import ConfigError, ConfigGone, load
from streamer.settings_live import LIVE, Unwelcome, changes, value_of, with_settings_of
from streamer.settings_yaml import cut

log = logging.getLogger(__name__)

Take = Callable[[Config, Collection[str]], None]
"""Goes by another config from now on, in which the settings named differ; or raises ``Unwelcome`` and changes nothing."""


class Reload:
    """Reads a config again. Thread-safe; one reading at a time."""

    def __init__(self, config: Config, path: Path | None = None, overrides: Sequence[str] = ()) -> None:
        """Begin with a config as it was read.

        Args:
            path: the file; None where none was named.
            overrides: what the command line laid over it, and lays over it each time.
        """
        self.path = path
        self._overrides = tuple(overrides)
        self._lock = threading.Lock()
        self._config = config
        self._takers: list[Take] = []
        self._status = SettingsStatus(str(path or ""))

    @property
    def config(self) -> Config:
        """The settings that the stream goes by."""
        return self._config

    @property
    def status(self) -> SettingsStatus:
        """How the file stands to them."""
        return self._status

    def taken_by(self, take: Take) -> None:
        """Hand changes to somebody. Whoever may refuse them comes first: what others took before is not taken back."""
        self._takers.append(take)

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
        different = changes(self._config, config)
        changed = tuple(key for key in different if key in LIVE)
        waiting = tuple(key for key in different if key not in LIVE)
        after = with_settings_of(self._config, config, changed)
        if changed:
            try:
                for take in self._takers:
                    take(after, changed)
            except Unwelcome as error:
                raise ConfigError([f"{self.path or 'the default config'}: {error}"]) from None
            log.info("settings changed: %s", ", ".join(f"{key} = {_shown(value_of(after, key))}" for key in changed))
        elif self._status.mistakes:
            log.info("the config is in order again")
        if waiting and waiting != self._status.at_next_start:
            *firsts, last = (f"'{key}'" for key in waiting)
            names = f"{', '.join(firsts)} and {last} change" if firsts else f"{last} changes"
            log.warning("%s at the next start", names)
        self._config = after
        self._turn_to(replace(self._status, mistakes=(), at_next_start=waiting, reloads=self._status.reloads + bool(changed)))
        return Reloaded(changed, waiting)

    def _tell(self, error: ConfigError) -> None:
        if error.problems == self._status.mistakes:
            return
        for problem in error.problems:
            log.warning("the config has mistakes, so the previous settings stay in force: %s", problem)
        self._turn_to(replace(self._status, mistakes=error.problems))

    def _turn_to(self, status: SettingsStatus) -> None:
        if status != self._status:
            self._status = replace(status, revision=self._status.revision + 1)


def _shown(value: Any) -> str:
    """A setting's value about as it is written."""
    return cut(value if isinstance(value, str) else to_json(value).decode())
