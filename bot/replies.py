"""Makes replies: chooses a template, never the same twice in a row, and fills it in, with numbers and places in words.

The texts are in the commands' files, in ``all_replies.py`` and, for an operator who prefers others, in the config.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from bot.adapter import MAX_REPLY
from bot.all_replies import ALL_REPLIES
from bot.api_answers import RequestChange, labels_of
from bot.config import ChatConfig
from shared.clean import clean_name, quote

NOW_S = 5.0
"""A shorter wait is not worth mentioning."""
LISTED = MAX_REPLY - 60
"""Characters of a list; the rest is for the text around it."""
_NOBODY = "you"


class Replies:
    """Chooses templates and fills them in."""

    def __init__(self, config: ChatConfig, rng: Random, layout: str = "auto") -> None:
        """``layout`` is the streamer's ``dream.layout``: how several subjects share the picture."""
        self._rng = rng
        self.configure(config, layout)

    def configure(self, config: ChatConfig, layout: str) -> None:
        """Use other settings from now on; arguments as for a new object."""
        self._texts = {key: config.replies.get(key, said.templates) for key, said in ALL_REPLIES.items()}
        self._prefix, self._layout = config.prefix, layout
        self._last: dict[str, int] = {}
        """The number of the template that was used last, by key."""

    def say(self, key: str, user: str = "", **values: object) -> str:
        """One line of at most 450 characters.

        Args:
            key: as in ``ALL_REPLIES``; ``values`` are its placeholders.
            user: who is answered.
        """
        text = self._fill(key, user, values)
        # Chats treat a text that starts so as a command of their own.
        return _cut(" ".join(text.split()).lstrip("/.\\ "), MAX_REPLY)

    def _fill(self, key: str, user: str, values: dict[str, object]) -> str:
        filled = {name: "" if value is None else str(value) for name, value in values.items()}
        return self._choose(key).format(**filled, user=clean_name(user) or _NOBODY, prefix=self._prefix)

    def _choose(self, key: str) -> str:
        texts = self._texts[key]
        others = [number for number in range(len(texts)) if number != self._last.get(key)]
        chosen = self._rng.choice(others or [0])
        self._last[key] = chosen
        return texts[chosen]

    # Words for things

    def subjects(self, labels: Sequence[str]) -> str:
        """Subjects and their places, for example ``tabby cat on top, pizza below``."""
        labels = list(dict.fromkeys(quote(label) for label in labels))
        if len(labels) < 2 or self._layout == "whole":
            return labels[0] if labels else ""
        if len(labels) == 2 and self._layout in ("auto", "top_bottom", "left_right"):
            key = "left_right" if self._layout == "left_right" else "top_bottom"
            return self._fill(key, "", {"first": labels[0], "second": labels[1]})
        if self._layout in ("top_bottom", "left_right"):
            return self.subjects(labels[:2])
        return self._fill("corners", "", {"things": ", ".join(labels[:-1]), "last": labels[-1]})

    def place(self, position: int) -> str:
        """A position, for example ``third``."""
        places = self._texts["places"]
        if 1 <= position <= len(places):
            return places[position - 1]
        return self._fill("place_far", "", {"n": position})

    def wait(self, seconds: float | None) -> str:
        """A wait, for example ``in about 2 minutes``."""
        if seconds is None:
            return self._fill("wait_unknown", "", {})
        if seconds < NOW_S:
            return self._fill("wait_now", "", {})
        if seconds < 50:
            return self._fill("wait_seconds", "", {"n": 5 * round(seconds / 5)})
        if seconds < 90:
            return self._fill("wait_minute", "", {})
        if seconds < 50 * 60:
            return self._fill("wait_minutes", "", {"n": round(seconds / 60)})
        if seconds < 90 * 60:
            return self._fill("wait_hour", "", {})
        return self._fill("wait_hours", "", {"n": round(seconds / 3600)})

    def again(self, seconds: float | None) -> str:
        """When another try may succeed, for example ``in about 2 minutes``; None: unknown."""
        if seconds is None:
            return self._fill("again_unknown", "", {})
        return self.wait(seconds) if seconds >= NOW_S else self._fill("again_now", "", {})

    def changes(self, changes: Sequence[RequestChange]) -> list[str]:
        """What some requests will show instead, in as few lines as possible."""
        entries = []
        for change in changes:
            heard, name = self.subjects(labels_of(change.asked)), clean_name(change.user) or _NOBODY
            if change.title:
                what = self.subjects(labels_of(change.title))
                entries.append(self._fill("changed_entry", "", {"name": name, "what": what, "heard": heard}))
            else:
                entries.append(self._fill("changed_none", "", {"name": name, "heard": heard}))
        lines: list[list[str]] = []
        for entry in entries:
            if lines and sum(map(len, lines[-1])) + 2 * len(lines[-1]) + len(entry) <= LISTED:
                lines[-1].append(entry)
            else:
                lines.append([entry])
        return [self.say("changed", list="; ".join(line)) for line in lines]

    def choices(self, words: Sequence[str]) -> str:
        """Choices, for example ``lion, candle or umbrella``."""
        *firsts, last = map(quote, words)
        return f"{', '.join(firsts)} {self._fill('or', '', {})} {last}" if firsts else last

    def page(self, path: str) -> str:
        """A page of which only the last part of the address is known."""
        return self._fill("page_path", "", {"path": path})

    def examples(self, labels: Sequence[str]) -> dict[str, str]:
        """Placeholders with one or two subjects, chosen at random each time.

        Args:
            labels: at least one.
        """
        some = [quote(label) for label in self._rng.sample(list(labels), min(2, len(labels)))]
        return {"example": some[0], "pair": " + ".join(some)}

    def note(self, text: str) -> str:
        """What was guessed, as it follows what was understood; empty for nothing."""
        return self._fill("note", "", {"note": quote(text)}) if text else ""


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1].rstrip()}…"
