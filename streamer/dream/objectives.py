"""What the ascent climbs: the logits of the classes asked for, each over its own part of the picture.

Logits, never softmax: softmax rises as well by making the other classes less likely, which paints nothing (Simonyan, Vedaldi,
Zisserman 2014, 'Deep Inside Convolutional Networks', section 2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from streamer.messages import Region

EDGE = 0.12
"""Width of a region's soft edge, as a fraction of the picture's side."""


def region_mask(box: tuple[float, float, float, float], size: tuple[int, int], device: torch.device | str = "cpu") -> Tensor:
    """A region's soft mask over a map of the picture.

    Args:
        box: (x0, y0, x1, y1) in fractions of the picture.
        size: (height, width) of the map.

    Returns:
        (height, width) float32 in 0..1: 1 inside, a half on an inner edge, 0 outside; the picture's own edges are not soft.
    """

    def ramp(low: float, high: float, count: int) -> Tensor:
        at = (torch.arange(count, device=device) + 0.5) / count
        rise = torch.ones_like(at) if low <= 0 else ((at - low) / EDGE + 0.5).clamp(0, 1)
        fall = torch.ones_like(at) if high >= 1 else ((high - at) / EDGE + 0.5).clamp(0, 1)
        return torch.minimum(rise, fall)

    x0, y0, x1, y1 = box
    height, width = size
    return ramp(y0, y1, height)[:, None] * ramp(x0, x1, width)[None, :]


class SceneObjective:
    """The loss of one or two fading scenes on a dense logit map.

    ``− Σ regions weight · mean(mask · logit of the region's class) + mean(all logits)``: the second term takes off what raises
    every class alike, such as contrast.
    """

    def __init__(self, classes: Mapping[str, int]) -> None:
        """Take the network's classes: WordNet id to position in the logit map."""
        self._classes = classes
        self._masks: dict[tuple[tuple[float, float, float, float], tuple[int, int]], Tensor] = {}

    def __call__(self, logits: Tensor, weighted: Sequence[tuple[Region, float]]) -> Tensor:
        """The loss, a scalar.

        Args:
            logits: (1, classes, h, w) float32.
            weighted: regions, each with the share of it in the present fade, 0..1.

        Raises:
            KeyError: a region's class is none of the network's.
        """
        size = (logits.shape[-2], logits.shape[-1])
        loss = logits.mean()
        for region, share in weighted:
            key = (region.box, size)
            if key not in self._masks:
                if len(self._masks) > 256:  # canvas sizes and boxes vary little; random scales a handful
                    self._masks.clear()
                self._masks[key] = region_mask(region.box, size, logits.device)
            loss = loss - (share * region.weight) * (self._masks[key] * logits[0, self._classes[region.target.wnid]]).mean()
        return loss


def resample(picture: Tensor, factor: float, least: tuple[int, int] | int = 32) -> Tensor:
    """Scale a picture (1, 3, H, W), anti-aliased, no side falling under ``least`` pixels."""
    floor_h, floor_w = (least, least) if isinstance(least, int) else least
    height = max(floor_h, round(picture.shape[-2] * factor))
    width = max(floor_w, round(picture.shape[-1] * factor))
    if (height, width) == (picture.shape[-2], picture.shape[-1]):
        return picture
    return F.interpolate(picture, size=(height, width), mode="bilinear", antialias=factor < 1, align_corners=False)
