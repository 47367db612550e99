"""Types of responses about classes, networks and layers; see ``response_schemas``."""

from __future__ import annotations

from typing import NotRequired

from typing_extensions import TypedDict

from streamer.web.response_schemas import exact_schema


@exact_schema
class Network(TypedDict):
    """The network in use, and what it knows."""

    name: str
    """Name of the network; empty while it loads."""
    classes: int
    """How many classes it has learnt; 0 while it loads."""
    total: int
    """How many classes the vocabulary has."""
    examples: list[str]
    """Subjects that can be requested now and look good."""
    remedy: str
    """How the operator gets a network that knows all classes; empty if this one does."""
    more: list[str]
    """Some classes that only such a network knows."""


@exact_schema
class ClassEntry(TypedDict):
    """A class of the vocabulary."""

    wnid: str
    label: str
    """Its shortest usual name."""
    names: list[str]
    """All its names."""
    link: str
    """Address of a page about it."""
    available: bool
    """Whether it can be requested now."""
    unlearnt: bool
    """Whether only another network knows it."""
    family_safe: bool
    """Whether it is allowed with `queue.family_safe`."""
    kind: str
    """Name of its kind, as in `kinds`."""
    thumbnail: str
    """Path of its thumbnail; empty if there is none."""


@exact_schema
class ClassKind(TypedDict):
    """A kind of classes, such as dogs."""

    name: str
    title: str
    """Its name for viewers."""


@exact_schema
class Classes(TypedDict):
    """The classes found."""

    classes: list[ClassEntry]
    kinds: list[ClassKind]
    """All kinds, in display order."""


@exact_schema
class Layer(TypedDict):
    """A layer of the network."""

    name: str
    channels: int
    stride: int
    """Pixels of the image between neighbouring positions of its feature map."""


@exact_schema
class Layers(TypedDict):
    """The layers of the network in use."""

    network: str
    layers: list[Layer]
    """From input to output; empty while the network loads."""


@exact_schema
class StepPicture(TypedDict):
    """One picture of a step."""

    name: str
    """`dream`, `gradient`, `natural`, `prior`, `step`, or `layer` and the name of a layer."""
    jpeg: str
    """A JPEG file in base64."""


@exact_schema
class Step(TypedDict):
    """Pictures of what one step computes."""

    number: int
    """Number of this set of pictures; 0 before the first."""
    shown: bool
    """Whether the algorithm in use can show its steps."""
    pictures: list[StepPicture]
    """Empty if the caller has them already."""
    title: NotRequired[str]
    """The scene that the step belongs to."""
    network: NotRequired[str]
