"""Parses subjects of every kind, in requests, scripts and settings, into targets. Pure.

A subject is one of

    volcano                     a class, in words that ``Vocabulary`` understands
    layer fire5                 a layer of the network
    layer fire5:3,17-20         some of its channels
    guide flowers.jpg           a picture to imitate; operators only. "In quotes" if the name has no extension
    guide flowers.jpg at fire6  the same, as a chosen layer sees it

Several are joined by ``+``, ``&``, ``and``, ``plus``, ``vs``, ``with`` or commas; for more between classes see ``phrases``.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from shared.role import Role
from streamer.messages.network_contents import LayerEntry
from streamer.messages.refused import Reason, Refused
from streamer.messages.requests import Match
from streamer.messages.scenes import MAX_TARGETS, Kind, Target
from streamer.requests.phrase_meaning import one_of
from streamer.requests.phrases import JOINING_WORDS
from streamer.requests.spelling import fold, key
from streamer.requests.vocabulary import LOADING_S, Vocabulary

SUGGESTIONS = 5
"""Layers suggested instead of an unknown one."""
ALIKE = 0.6
"""Similarity from which a layer is suggested, 0 to 1."""

_JOINT = re.compile(rf"(?:\s*(?:[+&,;|]|(?<!\S)(?:{JOINING_WORDS}|[-–—])(?=\s))\s*)+", re.IGNORECASE)
"""Separates subjects."""
_BEHIND_NAME = rf"(?=\s*(?:$|[+&,;|:])|\s+(?:{JOINING_WORDS}|[-–—])\s"
"""Matches after the name of a layer or a file."""
_LAYER = re.compile(rf"layers?\s+(?P<name>[^\s+&,;|:][^+&,;|:]*?){_BEHIND_NAME}|\s+channels?(?:\s|$))", re.IGNORECASE)
_CHANNELS = re.compile(
    r"\s*(?::|channels?\b)\s*(?P<list>(?:\d{1,6}(?:\s*[-–]\s*\d{1,6})?(?:\s*,\s*(?=\d))?)*)(?P<rest>[^+&,;|]*)", re.IGNORECASE
)
_CHANNELS_END = re.compile(rf"\s(?:{JOINING_WORDS}|[-–—])\s", re.IGNORECASE)
_GUIDE = re.compile(
    r"""guide\s+(?:"(?P<double>[^"]+)"|'(?P<single>[^']+)'|(?P<bare>\S(?:.*?\S)??\.[a-z]\w{1,4}))"""
    rf"(?:\s+at\s+(?P<name>[^\s+&,;|][^+&,;|]*?))?{_BEHIND_NAME})",
    re.IGNORECASE,
)
_OTHER_KIND = re.compile(rf"{_JOINT.pattern}(?=(?:layers?|guide)\s)", re.IGNORECASE)
"""Matches between class words and a subject of another kind."""


@dataclass(frozen=True, slots=True)
class ClassWords:
    """Words for one or several classes, as typed."""

    said: str


@dataclass(frozen=True, slots=True)
class LayerSubject:
    """A layer, not yet looked up."""

    said: str
    """The whole subject."""
    name: str
    channels: str | None
    """As typed; None for all."""


@dataclass(frozen=True, slots=True)
class GuideSubject:
    """A guide picture."""

    said: str
    file: str
    layer: str
    """As typed; empty for none."""


@dataclass(frozen=True, slots=True)
class Rights:
    """The kinds of subjects that somebody may name besides classes."""

    layers: bool = False
    guides: bool = False
    """Files of this machine: never from chat or the web."""


VIEWER, MODERATOR, OPERATOR = Rights(), Rights(layers=True), Rights(layers=True, guides=True)


def rights_of(role: Role) -> Rights:
    """Return what a viewer with a role may name."""
    return MODERATOR if role.moderates else VIEWER


def parse(text: str) -> tuple[ClassWords | LayerSubject | GuideSubject, ...]:
    """Split a line into subjects; runs of class words stay together, since only a vocabulary can split them."""
    return tuple(_parts(text.strip()))


def _parts(text: str) -> Iterator[ClassWords | LayerSubject | GuideSubject]:
    place = 0
    while place < len(text):
        if joint := _JOINT.match(text, place):
            place = joint.end()
            continue
        if found := _GUIDE.match(text, place):
            file = found["double"] or found["single"] or found["bare"]
            yield GuideSubject(found[0], file.strip(), found["name"] or "")
            place = found.end()
        elif found := _LAYER.match(text, place):
            place = found.end()
            said = _CHANNELS.match(text, place)
            if said is None:
                yield LayerSubject(found[0], found["name"], None)
            else:
                rest = _CHANNELS_END.split(said["rest"], maxsplit=1)[0].rstrip()
                place = said.start("rest") + len(rest)
                yield LayerSubject(found[0] + text[found.end() : place], found["name"], f"{said['list']}{rest}".strip())
        else:
            end = other.start() if (other := _OTHER_KIND.search(text, place)) else len(text)
            yield ClassWords(text[place:end])
            place = end


class Subjects:
    """All subjects of a network. Immutable, except for the turns of the vocabulary."""

    def __init__(self, vocabulary: Vocabulary, layers: Sequence[LayerEntry] | None = ()) -> None:
        """Set up for a network's classes and layers.

        Args:
            layers: None while the network is unknown: any name and any channels are accepted then.
        """
        self.vocabulary = vocabulary
        self.layers = None if layers is None else tuple(layers)

    def match(self, text: str, rights: Rights = VIEWER, *, peek: bool = False) -> Match:
        """Understand a line.

        Args:
            rights: what the author may name. Class words that look like another kind, such as ``layer cake``, need none.
            peek: do not advance turns, so that the next call understands the same words alike.

        Raises:
            Refused: see ``Vocabulary.match``; also ``FORBIDDEN`` for a kind outside the rights, ``UNKNOWN_WORD`` for an unknown
                layer, with suggestions, and ``BAD_INPUT`` for channels that the layer does not have.
        """
        parts = parse(text)
        if all(isinstance(part, ClassWords) for part in parts):
            return self.vocabulary.match(text, peek=peek)
        targets: list[Target] = []
        notes: list[str] = []
        exact = True
        for part in parts:
            match = self._understand(part, rights, peek)
            targets.extend(target for target in match.targets if target not in targets)
            notes.extend([match.note] if match.note else [])
            exact = exact and match.exact
        if len(targets) > MAX_TARGETS:
            notes.append(f"only the first {MAX_TARGETS} fit")
        return Match(tuple(targets[:MAX_TARGETS]), "; ".join(dict.fromkeys(notes)), exact)

    def nearest_available(self, target: Target) -> Target | None:
        """Return a target that the network has, else the nearest relative of its class; None without one, or if blocked."""
        if target.kind is Kind.CLASS:
            return self.vocabulary.nearest_available(target)
        if not target.layer or self.layers is None:
            return target
        entry = next((entry for entry in self.layers if entry.name == target.layer), None)
        return target if entry is not None and all(channel < entry.channels for channel in target.channels) else None

    def layer(self, name: str) -> LayerEntry:
        """Return the layer with a name; case, spaces and signs do not matter.

        Raises:
            Refused: ``UNKNOWN_WORD``, with near names; ``LOADING``, the network is not loaded yet.
        """
        if not self.layers:
            raise Refused(Reason.LOADING, "the network is still loading", retry_s=LOADING_S)
        exact = [entry for entry in self.layers if entry.name == name]
        wanted = _key(name)
        found = exact or [entry for entry in self.layers if _key(entry.name) == wanted]
        if len(found) == 1:
            return found[0]
        near = tuple(f"layer {entry.name}" for entry in found) or self._near(wanted)
        raise Refused(Reason.UNKNOWN_WORD, f"this network has no layer '{name.strip()}'{one_of(near)}", suggestions=near)

    def _understand(self, part: ClassWords | LayerSubject | GuideSubject, rights: Rights, peek: bool) -> Match:
        if isinstance(part, ClassWords):
            return self.vocabulary.match(part.said, peek=peek)
        if isinstance(part, GuideSubject):
            if not rights.guides:
                raise Refused(Reason.FORBIDDEN, "guide pictures are set by the operator, in the config or on the command line")
            return Match((self._guide(part),))
        if not any(letter.isdigit() for letter in part.said) and not self._has(part.name):
            try:  # 'layer cake' is a class, not a layer
                return self.vocabulary.match(part.said, peek=peek)
            except Refused as refused:
                if refused.reason in (Reason.UNLEARNT, Reason.LOADING):
                    raise
        if not rights.layers:
            example = self.vocabulary.knowledge.examples[0]
            raise Refused(Reason.FORBIDDEN, f"layers are for moderators to choose; ask for a thing, for example: {example}")
        return Match((self._layer(part),))

    def _layer(self, part: LayerSubject) -> Target:
        if self.layers is None:
            name, count = part.name.strip(), None
        else:
            entry = self.layer(part.name)
            name, count = entry.name, entry.channels
        channels = () if part.channels is None else _channels(part.channels, name, count)
        return layer_target(name, channels)

    def _guide(self, part: GuideSubject) -> Target:
        layer = part.layer
        if layer and self.layers is not None:
            layer = self.layer(layer).name
        return guide_target(part.file, layer)

    def _has(self, name: str) -> bool:
        return any(_key(entry.name) == _key(name) for entry in self.layers or ())

    def _near(self, wanted: str) -> tuple[str, ...]:
        assert self.layers is not None, "asked only with layers"
        names = {_key(entry.name): entry.name for entry in self.layers}
        whole = [each for each, name in names.items() if "." not in name]
        near = difflib.get_close_matches(wanted[:40], names, SUGGESTIONS, ALIKE) or whole[:: max(1, len(whole) // 3)]
        return tuple(f"layer {names[each]}" for each in near[:SUGGESTIONS])


def layer_target(name: str, channels: Sequence[int] = ()) -> Target:
    """Return the target of a layer or some of its channels; its label is how viewers write it."""
    channels = tuple(sorted(set(channels)))
    return Target("", f"layer {name}" + (f":{_ranges(channels)}" if channels else ""), name, channels)


def guide_target(file: str, layer: str = "") -> Target:
    """Return the target of a guide picture; its label has the file's name without its folder."""
    return Target("", f"guide {PurePath(file).stem}", layer, (), file)


def _channels(said: str, layer: str, count: int | None) -> tuple[int, ...]:
    """The channels of ``3,17-20``.

    Args:
        count: how many the layer has; None if unknown.
    """
    channels: list[int] = []
    for piece in said.split(","):
        found = re.fullmatch(r"\s*(\d{1,6})(?:\s*[-–]\s*(\d{1,6}))?\s*", piece)
        if found is None:
            raise Refused(Reason.BAD_INPUT, f"'{said}' is not a list of channels; write for example: layer {layer}:3,17-20")
        first, last = int(found[1]), int(found[2] or found[1])
        if last < first:
            raise Refused(Reason.BAD_INPUT, f"channels {first}-{last} run backwards; write {last}-{first}")
        if count is not None and last >= count:
            raise Refused(Reason.BAD_INPUT, f"layer {layer} has channels 0 to {count - 1}; there is no {last}")
        channels.extend(range(first, min(last, first + 100_000) + 1))
    return tuple(channels)


def _ranges(channels: Sequence[int]) -> str:
    """``(3, 17, 18, 19)`` as ``3,17-19``."""
    pieces: list[list[int]] = []
    for channel in channels:
        if pieces and channel == pieces[-1][-1] + 1:
            pieces[-1].append(channel)
        else:
            pieces.append([channel])
    return ",".join(f"{piece[0]}-{piece[-1]}" if len(piece) > 1 else str(piece[0]) for piece in pieces)


def _key(name: str) -> str:
    """The comparable form of a layer's name; DeepDream's and Lucid's names for GoogLeNet's layers match torchvision's."""
    plain = key(fold(name))
    return re.sub(r"^mixed(?=\d)", "inception", re.sub(r"(?<=\d[a-z])output$", "", plain))
