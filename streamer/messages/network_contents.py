"""The contents of a network that viewers can request: its layers, and its classes by kind."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LayerEntry:
    """A layer of a network."""

    name: str
    """Readable and unique within the network, for example ``fire5`` or ``inception4c``."""
    channels: int
    stride: int
    """Distance in input pixels between neighbouring positions of its feature map."""


@dataclass(frozen=True, slots=True)
class ClassKind:
    """A kind that groups classes."""

    name: str
    """For example ``birds``."""
    title: str
    """The name that viewers read."""


@dataclass(frozen=True, slots=True)
class ClassEntry:
    """A class of the vocabulary."""

    wnid: str
    label: str
    """Its shortest common name, which viewers read."""
    names: tuple[str, ...]
    """All its names, including the label."""
    link: str
    """A page about it."""
    available: bool
    """Whether it can be requested: the current network knows it, and it is not blocked."""
    unlearnt: bool
    """Whether only another network could render it: the current one does not know it, and it is not blocked."""
    kind: str
    """Name of its ``ClassKind``."""
    family_safe: bool = True
    """Whether it may be suggested to everyone. It may be available even if not."""


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What the current network knows, at one moment."""

    classes: int = 0
    """Number of ImageNet classes that it knows; 0 until the network is loaded."""
    total: int = 0
    """Number of ImageNet classes."""
    examples: tuple[str, ...] = ()
    """Labels that look good and can be requested now; the first two go well together. Until the network is loaded, these are
    labels that every network knows."""
    remedy: str = ""
    """How the operator gets a network that knows all classes, in one line; empty if this one does."""
    more: tuple[str, ...] = ()
    """Labels of some classes that only such a network knows."""
