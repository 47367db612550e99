"""Keeps track of a switch to a worker with other settings: which ones are requested, prepared and tried. No processes here.

The active worker keeps rendering until one with the new settings is prepared. The switch succeeds with the first keyframe of
that worker; if there is none, the old settings stay.
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
    """What the renderer should do about the spare worker."""

    NOTHING = auto()
    PREPARE = auto()
    """Prepare one with ``SettingsSwitch.next_config``, which then takes over."""
    STAY = auto()
    """Prepare one with the current settings, which waits."""


@dataclass(frozen=True, slots=True, eq=False)
class _Wanted:
    config: Config
    tuned: Tuned


class SettingsSwitch:
    """The settings that workers start with. ``ask``, ``tune`` and ``status`` are thread-safe; call the rest from one thread."""

    def __init__(self, config: Config) -> None:
        """Start with the settings of the first worker."""
        self._lock = threading.Lock()
        self._at_work = config
        self._wanted: _Wanted | None = None
        self._coming: Config | None = None  # what the spare is prepared with
        self._before: _Wanted | None = None  # what to go back to, until a picture has come
        self._error, self._failures = "", 0

    @property
    def at_work(self) -> Config:
        """The settings that the active worker was started with."""
        return self._at_work

    @property
    def next_config(self) -> Config:
        """The settings for the next worker."""
        return self._coming or self._at_work

    @property
    def coming(self) -> bool:
        """Whether a worker with other settings is being prepared."""
        return self._coming is not None

    @property
    def tried(self) -> bool:
        """Whether the active worker has new settings and has not sent a keyframe yet."""
        return self._before is not None

    @property
    def status(self) -> tuple[str, str, int]:
        """The target of the switch, the error of the last one and the number of failures; texts are empty if there is none."""
        with self._lock:
            config = self._wanted.config if self._wanted else self._at_work if self._before else None
            return "" if config is None else described(config), self._error, self._failures

    def ask(self, config: Config, tuned: Tuned) -> None:
        """Request a switch to these settings, with these live settings on top."""
        with self._lock:
            self._wanted = _Wanted(config, tuned)

    def tune(self, tuned: Tuned) -> bool:
        """Set the live settings of a requested switch; return whether there is one."""
        with self._lock:
            if self._wanted is None:
                return False
            self._wanted = _Wanted(self._wanted.config, tuned)
            return True

    def next_action(self) -> tuple[SpareAction, Tuned | None]:
        """Return what to do about the request; with ``STAY`` also the live settings to use."""
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
        """Note that the next worker starts; return its live settings, None to keep those of the previous worker.

        Args:
            tuned: live settings of the previous worker.
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
        """Note the first keyframe of the new worker: the switch has succeeded."""
        with self._lock:
            self._before, self._error = None, ""

    def fail(self, why: str) -> Tuned | None:
        """Note that the switch has failed; return the live settings to restore, None if no worker had started with others."""
        with self._lock:
            before, self._before = self._before, None
            self._wanted = self._coming = None
            self._error, self._failures = why, self._failures + 1
            if before is None:
                return None
            self._at_work = before.config
            return before.tuned


def described(config: Config) -> str:
    """Return the network and the algorithm of the settings, in a few words."""
    return f"{' + '.join(config.network.names) or 'the best network'}, {config.dream.algorithm}"


def shares_state(one: Config, other: Config) -> bool:
    """Return whether a dream with one config can use the saved state, such as momentum, of a dream with the other."""
    return (one.network.name, one.dream.algorithm) == (other.network.name, other.dream.algorithm)


def can_dream(ready: Ready, scene: Scene) -> bool:
    """Return whether the network of a worker that is ready has all of a scene's targets."""
    layers = {layer.name for layer in ready.layers}
    targets = [region.target for region in scene.regions]
    return all((not each.wnid or each.wnid in ready.wnids) and (not each.layer or each.layer in layers) for each in targets)
