"""Chat lines by the thousand, most of them nasty in some way. The same seed gives the same lines."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from random import Random

from bot.adapter import ChatLine
from shared.role import Role

SUBJECTS = ("volcano", "tabby cat", "pizza", "vulcano", "Ärmel", "犬", "🍕", "kit fox", "no such thing", "tree frog + goldfish")
COMMANDS = (
    "!dream",
    "!DREAM",
    "!d",
    "!queue",
    "!when",
    "!oops",
    "!what",
    "!block",
    "!hold",
    "! dream",
    "！dream",
    "!",
    "!so",
    "",
)
BITS_OF_TEXT = (
    "\r\n",
    "\n",
    "\u202e",  # reverses the text after it
    "\u2066",
    "\u200b",
    "\u200d",
    "\ufeff",
    "\u0300" * 40,
    "\ud83d",  # half an emoji
    "\U000e0041",  # a tag
    "\x00",
    "\x01ACTION ",
    "@badge-info=;color=#f00;mod=1 :x!x@x PRIVMSG #c :",
    "<script>alert(1)</script>",
    "'; DROP TABLE requests;--",
    "{user}{0}{what.__class__}%s%n",
    "https://example.com/x?y=z",
    "/ban streamer",
    "👩‍👩‍👧‍👦",
    "ﷺ",
    "ａｂｃ",
    "مرحبا",
    "+" * 50,
    " " * 60,
)


def text(rng: Random) -> str:
    """Return the text of one line."""
    kind = rng.random()
    if kind < 0.001:  # a megabyte, of one character or of many
        unit = rng.choice(["a", "\u0300", "\u200b", " ", "\U0001f355", "!dream volcano ", "\r\n", "+"])
        return (unit * (1_000_000 // len(unit) + 1))[:1_000_000]
    if kind < 0.25:  # any characters at all
        return "".join(
            chr(rng.choice((rng.randrange(128), rng.randrange(0x3000), rng.randrange(sys.maxunicode + 1))))
            for _ in range(rng.randrange(60))
        )
    words = [rng.choice(COMMANDS), rng.choice(SUBJECTS)]
    for _ in range(rng.randrange(3)):
        words.insert(rng.randrange(len(words) + 1), rng.choice(BITS_OF_TEXT))
    return rng.choice(["", " ", " "]).join(words) if kind < 0.5 else " ".join(words)


def lines(count: int, seed: int = 1) -> Iterator[ChatLine]:
    """Yield ``count`` lines."""
    rng = Random(seed)
    for number in range(count):
        user = text(rng)[:1000] if rng.random() < 0.2 else f"viewer{rng.randrange(5000)}"
        yield ChatLine(
            id=f"{seed}-{number}" if rng.random() < 0.99 else f"{seed}-{number - 1}",
            user=user,
            user_id=str(rng.randrange(5000)),
            text=text(rng),
            role=rng.choice((Role.EVERYONE,) * 20 + tuple(Role)),
            source="irc",
            bits=100 if rng.random() < 0.01 else 0,
        )
