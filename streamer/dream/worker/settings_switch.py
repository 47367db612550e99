"""Going over to a worker with other settings: which ones are asked for, prepared, tried. No processes here.

The worker at work dreams on until one with the new settings is prepared. What was asked for counts as reached with the first
picture of that one; when it does not come so far, the old settings hold.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from enum import Enum, auto

from streamer.config import Config
from streamer.dream.worker.protocol import Ready
from streamer.events import Tuned
from streamer.messages.scenes import Scene


class SpareAction(Enum):
    """What is to be done about the spare worker."""

    NOTHING = auto()
    PREPARE = auto()
    """One with ``SettingsSwitch.next_config`` is to be prepared, and to take over."""
    STAY = auto()
    """One for the settings at work is to wait again."""


@dataclass(frozen=True, slots=True, eq=False)
class _Wanted:
    config: Config
    tuned: Tuned


class SettingsSwitch:
    """Keeps what workers are begun with. ``ask``, ``tune`` and ``told`` may be called from any thread, the rest from one."""

    def __init__(self, config: Config) -> None:
        """Begin with the settings of the first worker."""
        self._lock = threading.Lock()
        self._at_work = config
        self._wanted: _Wanted | None = None
        self._coming: Config | None = None  # what the spare is prepared with
        self._before: _Wanted | None = None  # what to go back to, until a picture has come
        self._error, self._failures = "", 0

    @property
    def at_work(self) -> Config:
        """What the worker at work was begun with."""
        return self._at_work

    @property
    def next_config(self) -> Config:
        """What the next worker is to be begun with."""
        return self._coming or self._at_work

    @property
    def coming(self) -> bool:
        """Whether a worker with other settings is to take over."""
        return self._coming is not None

    @property
    def tried(self) -> bool:
        """Whether the worker at work has other settings than the one before, and has yet to show a picture."""
        return self._before is not None

    @property
    def told(self) -> tuple[str, str, int]:
        """What is being gone over to, why the last try failed, and how many did; texts are empty where there is nothing."""
        with self._lock:
            config = self._wanted.config if self._wanted else self._at_work if self._before else None
            return "" if config is None else described(config), self._error, self._failures

    def ask(self, config: Config, tuned: Tuned) -> None:
        """Go over to these settings, and to others of those that are live with them."""
        with self._lock:
            self._wanted = _Wanted(config, tuned)

    def tune(self, tuned: Tuned) -> bool:
        """Take live settings for the worker to come; returns whether one is to come."""
        with self._lock:
            if self._wanted is None:
                return False
            self._wanted = _Wanted(self._wanted.config, tuned)
            return True

    def look(self) -> tuple[SpareAction, Tuned | None]:
        """What is to be done for what is asked; and with ``STAY`` the live settings to go by."""
        with self._lock:
            wanted = self._wanted
            if wanted is None or wanted.config is self._coming:
                return SpareAction.NOTHING, None
            if wanted.config == self._at_work:
                self._wanted = self._coming = None
                self._error = ""
                return SpareAction.STAY, wanted.tuned
            self._coming = wanted.config
            return SpareAction.PREPARE, None

    def begin(self, tuned: Tuned) -> Tuned | None:
        """The next worker begins; returns the live settings that it is to go by, None for those of the one before.

        Args:
            tuned: those of the one before.
        """
        with self._lock:
            if self._coming is None:
                return None
            self._before = self._before or _Wanted(self._at_work, tuned)
            self._at_work, self._coming, wanted = self._coming, None, self._wanted
            if wanted is not None and wanted.config is self._at_work:
                self._wanted = None
            return tuned if wanted is None else wanted.tuned

    def reached(self) -> None:
        """A picture came."""
        with self._lock:
            self._before, self._error = None, ""

    def fail(self, why: str) -> Tuned | None:
        """What was asked for cannot be; returns the live settings to go by, where a worker had begun with others."""
        with self._lock:
            before, self._before = self._before, None
            self._wanted = self._coming = None
            self._error, self._failures = why, self._failures + 1
            if before is None:
                return None
            self._at_work = before.config
            return before.tuned


def described(config: Config) -> str:
    """The network and the algorithm of some settings, in a few words."""
    return f"{' + '.join(config.network.names) or 'the best network'}, {config.dream.algorithm}"


def shares_state(one: Config, other: Config) -> bool:
    """Whether what a dream of some settings kept, such as momentum, is of use to one of others."""
    return (one.network.name, one.dream.algorithm) == (other.network.name, other.dream.algorithm)


def can_dream(ready: Ready, scene: Scene) -> bool:
    """Whether the network of a worker that is ready has all of a scene's subjects."""
    layers = {layer.name for layer in ready.layers}
    targets = [region.target for region in scene.regions]
    return all((not each.wnid or each.wnid in ready.wnids) and (not each.layer or each.layer in layers) for each in targets)
