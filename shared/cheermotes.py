"""Twitch's cheermotes: words such as ``Cheer100`` that stand in a message where bits were cheered."""

from __future__ import annotations

import re

NAMES = (
    "Cheer", "DoodleCheer", "HolidayCheer", "RIPCheer", "BibleThump", "cheerwhal", "Corgo", "Scoops", "uni", "ShowLove",
    "Party", "SeemsGood", "Pride", "Kappa", "FrankerZ", "HeyGuys", "DansGame", "EleGiggle", "TriHard", "Kreygasm", "4Head",
    "SwiftRage", "NotLikeThis", "FailFish", "VoHiYo", "PJSalt", "MrDestructoid", "bday", "Shamrock", "BitBoss", "Streamlabs",
    "Muxy", "Goal", "Anon", "Charity", "PogChamp",
)  # fmt: skip
"""Those that work in every channel, now or once, in any case; channels may have more of their own."""
CHEER = rf"(?<!\w)(?:{'|'.join(NAMES)})\d{{1,7}}(?!\w)"
"""A regular expression, to be used without regard to case: one of them with its bits."""

_IN_FRONT = re.compile(r"(?:(?=\w*[a-z])\w{1,25}?\d{1,7}(?:\s+|$))+", re.IGNORECASE)
"""Of a message with bits, each word of this kind in front is a cheermote, the channel's own ones too."""


def strip_cheermotes(text: str) -> str:
    """A message with bits, without the cheermotes in front of it: ``Cheer100 !dream jellyfish``."""
    text = text.lstrip()
    return text[found.end() :] if (found := _IN_FRONT.match(text)) else text
