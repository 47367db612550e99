"""Similar classes, in small networks with known answers and in the bundled ones."""

from __future__ import annotations

import torch

from streamer.config import NetworkConfig
from streamer.dream.networks.class_similarity import NEAREST, nearest
from streamer.dream.networks.ensemble import Ensemble
from streamer.dream.networks.loading import load
from streamer.dream.networks.network import Network
from streamer.requests.vocabulary import Vocabulary
from tests.fakes import tiny_network

CPU = torch.device("cpu")


def network(*vectors: tuple[float, ...], wnids: tuple[str, ...] | None = None) -> Network:
    """Return a network whose classes have these vectors, padded with zeros."""
    made = tiny_network(wnids or tuple(f"n0000000{number}" for number in range(1, len(vectors) + 1)))
    weights = torch.zeros_like(made.layers.conv3.weight)
    for row, vector in enumerate(vectors):
        weights[row, : len(vector), 0, 0] = torch.tensor(vector)
    made.layers.conv3.weight.data = weights
    return made


def test_the_nearest_point_the_same_way_once_their_mean_is_taken_off() -> None:
    common = 50.0
    made = network((common + 1, 0), (common + 2, 0.1), (common - 2, 3), (common - 1, -3.1))
    assert [found[0] for found in nearest(Ensemble(made))[:2]] == [1, 0]
    assert {len(found) for found in nearest(Ensemble(made))} == {3}
    assert nearest(Ensemble(made), 1)[:2] == ((1,), (0,))
    assert all(place not in found for place, found in enumerate(nearest(Ensemble(made))))


def test_each_network_of_an_ensemble_compares_only_the_classes_it_knows() -> None:
    first = network((1, 0), (0.9, 0.1), (-1, 0), wnids=("n00000001", "n00000002", "n00000003"))
    second = network((1, 0), (0.9, 0.2), (-1, 0), wnids=("n00000003", "n00000004", "n00000001"))
    found = nearest(Ensemble(first, second))
    assert Ensemble(first, second).wnids == ("n00000001", "n00000002", "n00000003", "n00000004")
    assert found[3] == (2, 0), "1 and 3 are all that is known beside 4"
    assert found[0][0] == 1


def test_the_bundled_networks_find_alike_what_looks_alike() -> None:
    ensemble = load(NetworkConfig(name="bundled"), CPU)
    found = nearest(ensemble)
    assert len(found) == len(ensemble.wnids) == 200
    assert {len(each) for each in found} == {NEAREST}
    labels = {target.wnid: target.label for target in Vocabulary.load(ensemble.wnids).available}
    near = {
        labels[wnid]: [labels[ensemble.wnids[other]] for other in found[place]] for place, wnid in enumerate(ensemble.wnids)
    }
    for label, alike in (("tabby cat", "Persian cat"), ("school bus", "trolleybus"), ("orange", "lemon"), ("bee", "fly")):
        assert alike in near[label][:10], near[label]
