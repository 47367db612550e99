"""A guide: a picture whose features the dream takes on.

At each position the dream's features are pulled toward the guide's feature vector with the largest dot product (Google's
DeepDream notebook 2015, 'Controlling dreams').
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from streamer.dream.interface import DreamError
from streamer.dream.networks.layers import LayerHook
from streamer.dream.networks.network import Network
from streamer.dream.objectives.objective import LayerObjective, masked_mean
from streamer.dream.sources.picture import SourceError, read_image
from streamer.media.fit import fitted
from streamer.messages.scenes import Kind, Target

MOST_FEATURES = 4096
"""Most feature vectors of a guide, evenly spread over it: layers near the picture have ten times as many."""
CHUNK = 1 << 23
"""Dot products computed at a time: 32 MB."""
KEPT = 16
"""Most guides in the cache; when one more is needed, all are dropped and read again."""
_SENT_GUIDES: ContextVar[Mapping[str, np.ndarray]] = ContextVar("guides that were sent")


@contextmanager
def guides_from(pictures: Mapping[str, np.ndarray]) -> Iterator[None]:
    """In this context, take guides from these pictures, (H, W, 3) uint8 by the target's path, instead of reading files."""
    before = _SENT_GUIDES.set(pictures)
    try:
        yield
    finally:
        _SENT_GUIDES.reset(before)


class GuideFeatures(LayerObjective):
    """The objective of a layer's features in another picture."""

    name = Kind.GUIDE

    def __init__(self, network: Network) -> None:
        super().__init__(network)
        self._guides: dict[tuple[str, str], Guide] = {}

    def check(self, target: Target) -> None:
        """Check that the network has the layer, and read the guide; raise ``DreamError`` otherwise."""
        super().check(target)
        try:
            self._guide(target)
        except SourceError as error:
            raise DreamError(f"the guide: {error}") from error

    def value_map(self, seen: Tensor, target: Target) -> Tensor:
        """Return the dot product with the nearest feature vector of the guide, (h, w)."""
        return self._guide(target).similarity(seen[0])

    def score(self, seen: Tensor, target: Target, mask: Tensor) -> float:
        """Return the mean cosine between the picture's features and their nearest ones of the guide."""
        return masked_mean(self._guide(target).cosine(seen[0]), mask)

    def _guide(self, target: Target) -> Guide:
        key = (target.guide, self.layer(target))
        if key not in self._guides:
            if len(self._guides) >= KEPT:
                self._guides.clear()
            sent = _SENT_GUIDES.get(None)
            picture = read_image(Path(target.guide).expanduser()) if sent is None else sent[target.guide]
            self._guides[key] = Guide.seen(self.network, picture, key[1])
        return self._guides[key]


class Guide:
    """The feature vectors of a guide at one layer."""

    def __init__(self, features: Tensor) -> None:
        """Store the features, (C, n) float32."""
        self._features = features

    @classmethod
    def seen(cls, network: Network, picture: np.ndarray, layer: str) -> Guide:
        """Compute the features of a picture (H, W, 3) uint8, scaled to the size at which the network knows its objects."""
        shorter, side = min(picture.shape[:2]), network.trained_px
        # Long panoramas are cropped to three times their height: more would only cost time.
        height, width = (min(3 * side, max(side, round(side * edge / shorter))) for edge in picture.shape[:2])
        return cls.of(network, fitted(picture, (height, width), fine=True), layer)

    @classmethod
    def of(cls, network: Network, picture: np.ndarray, layer: str) -> Guide:
        """Compute the features of a picture (H, W, 3) uint8 at its own size."""
        x = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None].float().to(network.device)
        with torch.no_grad():
            seen = network.hook_outputs(x, [LayerHook(layer)])[LayerHook(layer)][0].flatten(1)
        every = -(-seen.shape[1] // MOST_FEATURES)
        return cls(seen[:, ::every].contiguous())

    def nearest(self, seen: Tensor) -> Tensor:
        """Return the guide's vector with the largest dot product at each position: (C, h, w) for features (C, h, w)."""
        with torch.no_grad():
            flat = seen.detach().flatten(1)
            rows = max(1, CHUNK // self._features.shape[1])
            best = torch.cat([(part.T @ self._features).argmax(1) for part in torch.split(flat, rows, 1)])
            return self._features[:, best].view_as(seen)

    def similarity(self, seen: Tensor) -> Tensor:
        """Return the largest dot product at each position, (h, w), of features (C, h, w); its gradient is that vector."""
        return (seen * self.nearest(seen)).sum(0)

    def cosine(self, seen: Tensor) -> Tensor:
        """Return the cosine of the angle to the nearest vector at each position, (h, w); 0 for a zero vector."""
        return torch.nn.functional.cosine_similarity(seen, self.nearest(seen), dim=0)
