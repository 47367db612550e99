"""The rules in force: the config, overridden by what moderators changed at run time, which is kept in the queue's file.

A setting changed at run time overrides the config until it is reset. Blocks are kept one by one: each is an addition to the
config's blocks, or lifts one of them.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from pydantic import ValidationError

from streamer.config import QueueConfig
from streamer.messages.queue_rules import Blocked, BlockKind, Rules, Setting
from streamer.messages.refused import Reason, Refused
from streamer.messages.scenes import Target
from streamer.requests.blocks import Blocks, comparable_name, comparable_word, family_unsafe
from streamer.requests.schema import QueueError
from streamer.requests.store import Store
from streamer.settings_rules import allowed

logger = logging.getLogger(__name__)

SETTINGS = tuple(
    name
    for name in QueueConfig.model_fields
    if name not in ("path", "wander_among", "blocked_words", "blocked_users", "blocked_classes")
)
"""Settings that moderators can change at run time."""
MAX_BLOCKS = 10_000
"""Most blocks of a kind; when full, another is refused."""

ClassesOf = Callable[[str], tuple[Target, ...]]
"""Returns the classes that a word or a wnid means; raises Refused if there are none."""


@dataclass(frozen=True, slots=True)
class ActiveRules:
    """A snapshot of the rules."""

    config: QueueConfig
    blocks: Blocks


@dataclass(frozen=True, slots=True)
class _Changes:
    """Differences from the config."""

    settings: Mapping[str, Setting] = field(default_factory=dict)
    blocks: Mapping[tuple[BlockKind, str], bool] = field(default_factory=dict)
    """True for added blocks, False for lifted ones."""


class Rulebook:
    """Keeps and changes the rules. Not thread-safe: its owner holds a lock."""

    def __init__(self, config: QueueConfig, store: Store, classes_of: ClassesOf) -> None:
        """Read earlier changes from the file.

        Raises:
            QueueError: the config blocks an unknown class, or the file cannot be read.
        """
        self._config, self._store, self._classes_of = config, store, classes_of
        self._given = self._blocks_of(config)
        self._changes = self._load()
        self._now = self._lay_over(self._changes)

    @property
    def now(self) -> ActiveRules:
        """The rules in force; the same object until something changes."""
        return self._now

    def configure(self, config: QueueConfig) -> tuple[str, ...]:
        """Use another config; moderators' changes still override it.

        Returns:
            The settings that the new config changes without effect, because moderators' changes override them.

        Raises:
            QueueError: it blocks an unknown class; nothing is changed then.
        """
        given, before = self._blocks_of(config), self._config
        self._given, self._config = given, config
        self._turn_to(self._changes)
        return tuple(name for name in self._changes.settings if getattr(config, name) != getattr(before, name))

    def told(self) -> Rules:
        """Return the rules for the API."""
        config, blocks = self._now.config, self._now.blocks
        changed = tuple(name for name in SETTINGS if name in self._changes.settings)
        found = {wnid: self._classes_of(wnid)[0] for wnid in blocks.wnids}
        classes = tuple(sorted(found.values(), key=lambda target: (target.label.casefold(), target.wnid)))
        blocked = Blocked(tuple(sorted(blocks.words)), tuple(sorted(blocks.users)), classes)
        return Rules({name: getattr(config, name) for name in SETTINGS}, changed, blocked)

    def change(self, settings: Mapping[str, Setting]) -> None:
        """Change settings, all or none; they stay changed after a restart.

        Raises:
            Refused: ``BAD_INPUT``, with every mistake.
        """
        if unknown := sorted(settings.keys() - set(SETTINGS)):
            raise Refused(Reason.BAD_INPUT, f"there is no rule '{unknown[0][:60]}'; the rules are {', '.join(SETTINGS)}")
        try:
            checked = QueueConfig.model_validate(dict(settings))
        except ValidationError as error:
            parts = {str(part["loc"][0]): part["input"] for part in error.errors()}
            raise Refused(Reason.BAD_INPUT, "; ".join(_mistake(name, found) for name, found in parts.items())) from None
        settings = {name: getattr(checked, name) for name in settings}
        self._turn_to(replace(self._changes, settings={**self._changes.settings, **settings}))
        self._store.note(
            *(("INSERT OR REPLACE INTO rules VALUES (?, ?)", (name, json.dumps(value))) for name, value in settings.items()),
        )

    def reset(self, *, blocks: bool = False) -> None:
        """Drop all changes of settings, and those of blocks if ``blocks``."""
        self._turn_to(_Changes(blocks={} if blocks else self._changes.blocks))
        forget = ("DELETE FROM rules", "DELETE FROM blocks") if blocks else ("DELETE FROM rules",)
        self._store.note(*((statement, ()) for statement in forget))

    def block(self, kind: BlockKind, value: str) -> None:
        """Block something.

        Raises:
            Refused: ``BAD_INPUT``, nothing readable; ``UNKNOWN_WORD``, no such class; ``LIMIT``, too many blocks.
        """
        self._set(kind, value, True)

    def unblock(self, kind: BlockKind, value: str) -> None:
        """Unblock something.

        Raises:
            Refused: ``NOT_FOUND``, it is not blocked; ``BAD_INPUT``, nothing readable; ``UNKNOWN_WORD``, no such class.
        """
        self._set(kind, value, False)

    def _set(self, kind: BlockKind, value: str, blocked: bool) -> None:
        values = self._values(kind, value)
        blocks = self._now.blocks
        current = {BlockKind.WORD: blocks.words, BlockKind.USER: blocks.users, BlockKind.CLASS: blocks.wnids}[kind]
        if not blocked and not current.intersection(values):
            raise Refused(Reason.NOT_FOUND, f"the {kind} '{value.strip()[:100]}' is not blocked")
        if blocked and len(current.union(values)) > MAX_BLOCKS:
            raise Refused(Reason.LIMIT, f"there are {len(current)} blocks of this kind already; lift some first")
        given = {
            BlockKind.WORD: self._given.words,
            BlockKind.USER: self._given.users,
            BlockKind.CLASS: self._given.wnids | self._sensitive(self._now.config),
        }[kind]
        changed = dict(self._changes.blocks)
        notes: list[tuple[str, tuple[object, ...]]] = []
        for each in values:
            if not blocked and each not in given:  # it was added at run time, so the addition is dropped
                changed.pop((kind, each), None)
                notes.append(("DELETE FROM blocks WHERE kind = ? AND value = ?", (kind, each)))
            else:
                changed[kind, each] = blocked
                notes.append(("INSERT OR REPLACE INTO blocks VALUES (?, ?, ?)", (kind, each, int(blocked))))
        self._turn_to(replace(self._changes, blocks=changed))
        self._store.note(*notes)

    def _values(self, kind: BlockKind, value: str) -> tuple[str, ...]:
        if kind is BlockKind.CLASS:
            return tuple(target.wnid for target in self._classes_of(value))
        plain = comparable_word(value) if kind is BlockKind.WORD else comparable_name(value)
        if not plain:
            raise Refused(Reason.BAD_INPUT, f"say which {kind} to block")
        return (plain,)

    def _turn_to(self, changes: _Changes) -> None:
        self._changes = changes
        self._now = self._lay_over(changes)

    def _lay_over(self, changes: _Changes) -> ActiveRules:
        config = self._config.model_copy(update=dict(changes.settings))

        def over(kind: BlockKind, given: frozenset[str]) -> frozenset[str]:
            mine = {value: blocked for (of, value), blocked in changes.blocks.items() if of is kind}
            lifted = {value for value, blocked in mine.items() if not blocked}
            return (given - lifted) | (mine.keys() - lifted)

        blocks = Blocks(
            over(BlockKind.WORD, self._given.words),
            over(BlockKind.USER, self._given.users),
            over(BlockKind.CLASS, self._given.wnids | self._sensitive(config)),
        )
        return ActiveRules(config, blocks)

    @staticmethod
    def _sensitive(config: QueueConfig) -> frozenset[str]:
        return family_unsafe() if config.family_safe else frozenset()

    def _blocks_of(self, config: QueueConfig) -> Blocks:
        return Blocks(
            frozenset(filter(None, map(comparable_word, config.blocked_words))),
            frozenset(filter(None, map(comparable_name, config.blocked_users))),
            frozenset(self._given_classes(config.blocked_classes)),
        )

    def _given_classes(self, words: Iterable[str]) -> Iterable[str]:
        for word in words:
            try:
                yield from (target.wnid for target in self._classes_of(word))
            except Refused as refused:
                raise QueueError(f"'queue.blocked_classes' holds '{word}', which is no class: {refused}") from None

    def _load(self) -> _Changes:
        try:
            with self._store.lock:
                rules = self._store.connection.execute("SELECT name, value FROM rules ORDER BY name").fetchall()
                blocks = self._store.connection.execute("SELECT kind, value, blocked FROM blocks").fetchall()
        except sqlite3.Error as error:
            raise QueueError(f"{self._store.name}: its rules cannot be read: {error}") from error
        settings: dict[str, Setting] = {}
        for name, packed in rules:
            try:
                settings[name] = _setting(name, json.loads(packed))
            except (ValueError, KeyError):
                logger.warning(
                    "%s: the rule %s = %s is left out, this version does not take it", self._store.name, name, packed
                )
        kept: dict[tuple[BlockKind, str], bool] = {}
        for kind, value, blocked in blocks:
            try:
                if (of := BlockKind(kind)) is BlockKind.CLASS:
                    self._classes_of(value)
                kept[of, value] = bool(blocked)
            except (ValueError, Refused):
                logger.warning(
                    "%s: the block of %s '%s' is left out, this version does not know it", self._store.name, kind, value
                )
        if settings:
            logger.info("rules changed while it ran still hold: %s", ", ".join(f"{k} = {v}" for k, v in settings.items()))
        return _Changes(settings, kept)


def _setting(name: str, value: Setting) -> Setting:
    """Validate a setting's value; raises ValueError or KeyError."""
    if name not in SETTINGS:
        raise KeyError(name)
    checked: Setting = getattr(QueueConfig.model_validate({name: value}), name)
    return checked


def _mistake(name: str, found: object) -> str:
    """The message about an invalid setting, for moderators."""
    return f"{name} is {str(found)[:40]}; must be {allowed(QueueConfig.model_fields[name], found)}"
