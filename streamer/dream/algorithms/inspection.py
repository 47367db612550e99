"""Pictures of a step of the default algorithm, computed beside the dream for viewers."""

from __future__ import annotations

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from streamer.dream.algorithms.algorithm import Context
from streamer.dream.algorithms.normalisation import Normalisations
from streamer.dream.algorithms.patch_prior import PatchPrior
from streamer.dream.networks.layers import LayerHook
from streamer.dream.networks.network import Network
from streamer.dream.objectives.ensemble_objective import ViewsByNetwork
from streamer.dream.objectives.region_weights import WeightedRegions, rms
from streamer.dream.objectives.views import Transform, ViewSampler
from streamer.messages.step_view import StepPicture

WIDTH_PX = 320
"""Width of the pictures; a smaller canvas keeps its own."""
QUALITY = 82
"""JPEG quality."""
STRENGTH = 44.0
"""Levels about mid-grey at which the root mean square of a direction is shown."""
LAYERS = (0.12, 0.5, 0.85)
"""The layers to show, as fractions of the way from the picture to the classes."""
TILES = (3, 4)
"""Rows and columns of channels to show of each layer."""


def inspect(
    context: Context,
    picture: Tensor,
    momentum: Tensor,
    regions: WeightedRegions,
    views: ViewsByNetwork,
    normalisations: Normalisations,
    prior: PatchPrior,
    number: int,
) -> tuple[StepPicture, ...]:
    """Return pictures of the next step's components.

    Args:
        picture: (1, 3, H, W) float32 RGB in 0..255.
        momentum: (1, 3, H, W), the direction of the last steps.
        regions: the scene's regions; at least one.
        number: number of the step. It determines the network's turn and seeds everything random here, so that the dream's own
            generator is left alone.
    """
    generator = torch.Generator().manual_seed(number)
    sampler = ViewSampler(context.settings, (picture.shape[-2], picture.shape[-1]), generator)
    shown: list[tuple[Network, Transform]] = []

    def show(network: Network, view: float) -> Transform:
        shown.append((network, sampler(network, view)))
        return shown[-1][1]

    gradient = context.objective.gradient(picture, regions, number, views, show)
    natural = normalisations((picture.shape[-2], picture.shape[-1]))(gradient)
    pull = prior.gradient(picture, generator)
    network, transform = shown[0]
    found = [StepPicture("dream", _jpeg(_small(picture)[0].permute(1, 2, 0)))]
    for name, direction in (("gradient", gradient), ("natural", natural), ("prior", pull), ("step", momentum)):
        found.append(StepPicture(name, _jpeg(_direction(direction))))
    with torch.no_grad():
        maps = network.hook_outputs(transform(picture), [LayerHook(name) for name in _layers(network)])
    found += [StepPicture(f"layer {hook.layer}", _jpeg(_channels(seen[0]))) for hook, seen in maps.items()]
    return tuple(found)


def _layers(network: Network) -> tuple[str, ...]:
    """Return the layers to show: whole blocks, without the classes."""
    whole = [name for name in network.layer_names if "." not in name and name != network.classes_layer]
    return tuple(dict.fromkeys(whole[int(part * len(whole))] for part in LAYERS)) if whole else ()


def _small(picture: Tensor) -> Tensor:
    """Shrink a picture (1, 3, H, W) to a width of at most ``WIDTH_PX``."""
    height, width = picture.shape[-2:]
    if width <= WIDTH_PX:
        return picture
    size = (max(1, round(height * WIDTH_PX / width)), WIDTH_PX)
    return F.interpolate(picture, size=size, mode="bilinear", antialias=True, align_corners=False)


def _direction(direction: Tensor) -> Tensor:
    """Return a step direction as a picture, (H, W, 3): grey where nothing changes, lighter where a step adds."""
    small = _small(-direction.float())
    return (128 + small * (STRENGTH / rms(small)))[0].permute(1, 2, 0)


def _channels(maps: Tensor) -> Tensor:
    """Tile the most active channels of a layer (C, h, w) into one picture, (H, W) grey."""
    rows, columns = TILES
    count = min(rows * columns, len(maps))
    strongest = maps.mean((1, 2)).topk(count).indices
    maps = maps[strongest]
    low, high = maps.amin((1, 2), keepdim=True), maps.amax((1, 2), keepdim=True)
    maps = (maps - low) / (high - low).clamp_min(1e-6) * 255
    width = WIDTH_PX // columns
    height = max(1, round(width * maps.shape[-2] / maps.shape[-1]))
    tiles = F.interpolate(maps[None], size=(height - 1, width - 1), mode="bilinear", align_corners=False)[0]
    tiles = F.pad(tiles, (0, 1, 0, 1))
    tiles = torch.cat([tiles, tiles.new_zeros(rows * columns - count, height, width)])
    return tiles.reshape(rows, columns, height, width).permute(0, 2, 1, 3).reshape(rows * height, columns * width)


def _jpeg(values: Tensor) -> bytes:
    """Encode (H, W, 3) RGB or (H, W) grey, 0..255, as a JPEG file."""
    image = values.clamp(0, 255).round().to(torch.uint8).cpu().numpy()
    if image.ndim == 3:
        image = np.ascontiguousarray(image[..., ::-1])
    done, packed = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    assert done, "OpenCV encodes any uint8 picture"
    return packed.tobytes()
