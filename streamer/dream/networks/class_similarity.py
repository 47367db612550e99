"""Which classes are alike to a network: those whose vectors in its last layer point the same way."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from streamer.dream.networks.ensemble import Ensemble
from streamer.dream.networks.network import Network

NEAREST = 24
"""Classes told for each."""


def nearest(ensemble: Ensemble, count: int = NEAREST) -> tuple[tuple[int, ...], ...]:
    """For each class of an ensemble the others most like it, best first.

    Likeness is the cosine of two classes' vectors of weights in the layer that gives the logits, without the mean of all, which
    is what they share. Of several networks the mean, over those that know both.

    Returns:
        For each of ``ensemble.wnids``, in order, up to ``count`` indices into it.
    """
    places = {wnid: place for place, wnid in enumerate(ensemble.wnids)}
    total = torch.zeros(len(places), len(places))
    known = torch.zeros_like(total)
    for member in ensemble.members:
        there = [row for row, wnid in enumerate(member.wnids) if wnid in places]
        at = torch.tensor([places[member.wnids[row]] for row in there])
        square = (at[:, None], at[None, :])
        total[square] += cosines(member)[there][:, there]
        known[square] += 1
    likeness = torch.where(known > 0, total / known.clamp(min=1), -torch.inf)
    likeness.fill_diagonal_(-torch.inf)
    values, found = likeness.topk(min(count, len(places)), dim=1)
    return tuple(
        tuple(int(place) for place, value in zip(row, cosine, strict=True) if value > -torch.inf)
        for row, cosine in zip(found.tolist(), values.tolist(), strict=True)
    )


def cosines(network: Network) -> Tensor:
    """(classes, classes) float32 on the CPU: the cosine of the vectors of each two."""
    layer = network.layers.get_submodule(network.classes_layer)
    weights = layer.weight
    assert isinstance(weights, Tensor), "logits come from a convolution"
    vectors = weights.detach().float().cpu().flatten(1)
    unit = F.normalize(vectors - vectors.mean(dim=0), dim=1)
    return unit @ unit.T
