"""Classes that are similar to a network: those whose vectors in its last layer have similar directions."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from streamer.dream.networks.ensemble import Ensemble
from streamer.dream.networks.network import Network

NEAREST = 24
"""Number of similar classes listed for each class."""


def nearest(ensemble: Ensemble, count: int = NEAREST) -> tuple[tuple[int, ...], ...]:
    """Return the most similar classes for each class of an ensemble, best first.

    The similarity is the cosine of two classes' weight vectors in the layer of the logits, minus the mean of all vectors. With
    several networks it is the mean over those that know both classes.

    Returns:
        For each of ``ensemble.wnids``, in order, up to ``count`` indices into it.
    """
    places = {wnid: place for place, wnid in enumerate(ensemble.wnids)}
    total = torch.zeros(len(places), len(places))
    known = torch.zeros_like(total)
    for member in ensemble.members:
        rows = [row for row, wnid in enumerate(member.wnids) if wnid in places]
        at = torch.tensor([places[member.wnids[row]] for row in rows])
        square = (at[:, None], at[None, :])
        total[square] += cosines(member)[rows][:, rows]
        known[square] += 1
    similarity = torch.where(known > 0, total / known.clamp(min=1), -torch.inf)
    similarity.fill_diagonal_(-torch.inf)
    values, found = similarity.topk(min(count, len(places)), dim=1)
    return tuple(
        tuple(int(place) for place, value in zip(row, cosine, strict=True) if value > -torch.inf)
        for row, cosine in zip(found.tolist(), values.tolist(), strict=True)
    )


def cosines(network: Network) -> Tensor:
    """Return the cosines of all pairs of classes, (classes, classes) float32 on the CPU."""
    layer = network.layers.get_submodule(network.classes_layer)
    weights = layer.weight
    assert isinstance(weights, Tensor), "logits come from a convolution"
    vectors = weights.detach().float().cpu().flatten(1)
    unit = F.normalize(vectors - vectors.mean(dim=0), dim=1)
    return unit @ unit.T
