"""The kinds of targets. To add one, write a file with its ``Objective`` and list it here (``docs/extending.md``)."""

from __future__ import annotations

from streamer.dream.objectives.channels import Channels
from streamer.dream.objectives.class_logits import ClassLogits
from streamer.dream.objectives.guide import GuideFeatures
from streamer.dream.objectives.layer_response import LayerResponse
from streamer.dream.objectives.objective import Objective

ALL: tuple[type[Objective], ...] = (
    ClassLogits,
    LayerResponse,
    Channels,
    GuideFeatures,
)
OBJECTIVES: dict[str, type[Objective]] = {each.name: each for each in ALL}
"""The kinds by name, see ``Kind``."""
