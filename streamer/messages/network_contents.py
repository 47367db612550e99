"""What a network can be asked for: its layers, its classes and their kinds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LayerEntry:
    """A layer of a network."""

    name: str
    """Readable and unique within the network, for example ``fire5`` or ``inception4c``."""
    channels: int
    stride: int
    """Pixels from one position of its map to the next."""


@dataclass(frozen=True, slots=True)
class ClassKind:
    """What kind of thing some classes are."""

    name: str
    """For example ``birds``."""
    title: str
    """What viewers read."""


@dataclass(frozen=True, slots=True)
class ClassEntry:
    """A class of the vocabulary."""

    wnid: str
    label: str
    """Its shortest usual name, what viewers read."""
    names: tuple[str, ...]
    """All its names, the label among them."""
    link: str
    """A page about it."""
    available: bool
    """Whether it can be asked for: the network at work has learnt it, and nobody blocks it."""
    unlearnt: bool
    """Whether only another network could have it dreamt: this one has not learnt it, and nobody blocks it."""
    kind: str
    """Name of its ``ClassKind``."""
    family_safe: bool = True
    """Whether it may be suggested to anybody; whether it may be asked for is another matter."""


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What the network at work knows, at one moment."""

    classes: int = 0
    """How many of ImageNet's classes; 0 until the network is loaded."""
    total: int = 0
    """How many there are."""
    examples: tuple[str, ...] = ()
    """Labels that show well and can be asked for now; the first two make a pair. Until the network is loaded, every network
    knows them."""
    remedy: str = ""
    """How the operator gets a network that knows all classes, in one line; empty where this one does."""
    more: tuple[str, ...] = ()
    """Labels of some classes that only such a network knows."""
