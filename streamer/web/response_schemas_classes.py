"""What the JSON API answers about what can be dreamt and what dreams: classes, networks, layers. As in ``response_schemas``."""

from __future__ import annotations

from typing import NotRequired

from typing_extensions import TypedDict

from streamer.web.response_schemas import exact_schema


@exact_schema
class Network(TypedDict):
    """Which network dreams, and what it knows."""

    name: str
    """Empty while it loads."""
    classes: int
    """How many classes it has learnt; 0 while it loads."""
    total: int
    """How many classes there are."""
    examples: list[str]
    """Subjects that can be asked for now and show well."""
    remedy: str
    """How the operator gets a network that knows all classes; empty where this one does."""
    more: list[str]
    """Some classes that only such a network knows."""


@exact_schema
class ClassEntry(TypedDict):
    """A class of the vocabulary."""

    wnid: str
    label: str
    """Its shortest usual name."""
    names: list[str]
    link: str
    """A page about it."""
    available: bool
    """Whether it can be asked for now."""
    unlearnt: bool
    """Whether only another network knows it."""
    family_safe: bool
    kind: str
    """Name of its kind, as in `kinds`."""
    thumbnail: str
    """Address of its picture on this server; empty where there is none."""


@exact_schema
class ClassKind(TypedDict):
    """What kind of thing some classes are."""

    name: str
    title: str
    """What viewers read."""


@exact_schema
class Classes(TypedDict):
    """Classes that were found."""

    classes: list[ClassEntry]
    kinds: list[ClassKind]
    """All kinds there are, in the order in which they are shown."""


@exact_schema
class Layer(TypedDict):
    """A layer of the network."""

    name: str
    channels: int
    stride: int
    """Pixels of the picture from one place of its map to the next."""


@exact_schema
class Layers(TypedDict):
    """The layers of the network in use."""

    network: str
    layers: list[Layer]
    """From the picture to the classes; empty while it loads."""


@exact_schema
class StepPicture(TypedDict):
    """One of the pictures of which a step of the dream is made."""

    name: str
    jpeg: str
    """A JPEG file in base64."""


@exact_schema
class Step(TypedDict):
    """What a step of the dream is made of."""

    number: int
    """Rises with each set of pictures; 0 before the first."""
    shown: bool
    """Whether the dream can show its steps now."""
    pictures: list[StepPicture]
    """Empty where the caller knows them already."""
    title: NotRequired[str]
    network: NotRequired[str]
