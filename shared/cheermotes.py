"""Twitch's cheermotes: words such as ``Cheer100`` in a message with which bits were cheered."""

from __future__ import annotations

import re

NAMES = (
    "Cheer", "DoodleCheer", "HolidayCheer", "RIPCheer", "BibleThump", "cheerwhal", "Corgo", "Scoops", "uni", "ShowLove",
    "Party", "SeemsGood", "Pride", "Kappa", "FrankerZ", "HeyGuys", "DansGame", "EleGiggle", "TriHard", "Kreygasm", "4Head",
    "SwiftRage", "NotLikeThis", "FailFish", "VoHiYo", "PJSalt", "MrDestructoid", "bday", "Shamrock", "BitBoss", "Streamlabs",
    "Muxy", "Goal", "Anon", "Charity", "PogChamp",
)  # fmt: skip
"""Global cheermotes, current and past, in any case; channels may have their own besides."""
CHEER = rf"(?<!\w)(?:{'|'.join(NAMES)})\d{{1,7}}(?!\w)"
"""A regular expression for one of them with its bits; use it ignoring case."""

_IN_FRONT = re.compile(r"(?:(?=\w*[a-z])\w{1,25}?\d{1,7}(?:\s+|$))+", re.IGNORECASE)
"""Words at the start of a message with bits that are cheermotes, including the channel's own."""


def strip_cheermotes(text: str) -> str:
    """Return a message with bits without the cheermotes at its start: ``Cheer100 !dream jellyfish``."""
    text = text.lstrip()
    return text[found.end() :] if (found := _IN_FRONT.match(text)) else text
