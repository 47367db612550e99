"""Parses the script of an offline render: subjects with start times, for example ``0 volcano + layer fire5; 12 pizza``."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from streamer.commands import refusal
from streamer.dream.sources.picture import SourceError, read_image
from streamer.errors import ZoomdreamError
from streamer.messages.network_contents import LayerEntry
from streamer.messages.refused import Reason, Refused
from streamer.messages.scenes import Target
from streamer.requests.subjects import OPERATOR, Subjects
from streamer.requests.vocabulary import Vocabulary

log = logging.getLogger(__name__)

_SEPARATOR = re.compile(r"[;\n]")
_CUE = re.compile(
    r"(?:(?P<minutes>\d{1,4}):(?P<rest>[0-5]?\d(?:\.\d+)?)|(?P<seconds>\d{1,7}(?:\.\d+)?)s?)(?:\s+|$)(?P<words>.*)", re.S
)


@dataclass(frozen=True, slots=True)
class Cue:
    """One subject of a script, and when it starts."""

    start_s: float
    """Start within the video, in seconds."""
    targets: tuple[Target, ...]


class ScriptError(ZoomdreamError):
    """A malformed script; the message names the place in it."""

    wrong_call = True

    def __init__(self, message: str, *, suggestions: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.suggestions = suggestions
        """Known subjects, nearest first."""


def reader(words: Vocabulary, layers: Sequence[LayerEntry] | None = None) -> Callable[[str], tuple[Target, ...]]:
    """Return a parser for the words of a cue: classes, layers and guide pictures, see ``requests.subjects``.

    Args:
        layers: The network's layers; None before it is loaded, when any layer name is accepted.

    Returns:
        A function that raises Refused for unknown words and unreadable guide pictures. Once the network is loaded, it logs what
        was guessed or left out.
    """
    subjects = Subjects(words, layers)

    def read(text: str) -> tuple[Target, ...]:
        match = subjects.match(text, OPERATOR)
        if layers is not None and not match.exact:
            log.info("'%s' is read as %s (%s)", text, match.title, match.note)
        for target in match.targets:
            if target.guide:
                try:
                    read_image(Path(target.guide).expanduser())
                except SourceError as error:
                    raise Refused(Reason.BAD_INPUT, str(error)) from error
        return match.targets

    return read


def parse_script(script: str, seconds: float, match: Callable[[str], tuple[Target, ...]]) -> tuple[Cue, ...]:
    """Parse a script: cues separated by semicolons or line ends, each a start time and a subject.

    Times are seconds (``12``, ``7.5``, ``12s``) or minutes and seconds (``1:05``) and rise from 0; the first may be left out.

    Args:
        seconds: Length of the video.
        match: Parses the words of a cue; raises Refused.

    Raises:
        ScriptError: the script is empty; a time is missing, malformed, out of order or past the end; words are unknown.
    """
    if not script.strip(" \t\r\n;"):
        raise ScriptError("the script is empty; write for example '0 jellyfish + ladybug; 12 pizza'")
    cues: list[Cue] = []
    start = 0
    for piece in _SEPARATOR.split(script):
        place, start = start + len(piece) - len(piece.lstrip()), start + len(piece) + 1
        text = piece.strip()
        if text:
            where = f"script, character {place + 1}, '{_short(text)}'"
            cues.append(_parse_cue(text, where, cues[-1] if cues else None, seconds, match))
    return tuple(cues)


def _parse_cue(text: str, where: str, before: Cue | None, seconds: float, match: Callable[[str], tuple[Target, ...]]) -> Cue:
    found = _CUE.fullmatch(text)
    if found:
        words = found["words"].strip()
        start_s = float(found["seconds"]) if found["seconds"] else 60 * int(found["minutes"]) + float(found["rest"])
    elif before is None and text[0].isalpha():
        words, start_s = text, 0.0
    else:
        raise ScriptError(f"{where}: begins without a time; write seconds first, for example '12 pizza' or '1:05 pizza'")
    if not words:
        raise ScriptError(f"{where}: says when but not what to dream; write for example '{text} pizza'")
    if before is None and start_s != 0:
        raise ScriptError(f"{where}: the first subject must start at 0, not at {start_s:g} s")
    if before is not None and start_s <= before.start_s:
        raise ScriptError(f"{where}: begins at {start_s:g} s, not after the one before it ({before.start_s:g} s)")
    if start_s >= seconds:
        raise ScriptError(f"{where}: begins at {start_s:g} s, but the video ends at {seconds:g} s; give more --seconds")
    try:
        return Cue(start_s, match(words))
    except Refused as refused:
        raise ScriptError(f"{where}: {refusal(refused)}", suggestions=refused.suggestions) from None


def _short(text: str, limit: int = 40) -> str:
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"
