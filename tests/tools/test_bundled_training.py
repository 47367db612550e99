"""Adversarial training on generated pictures: steps, attack, schedule, and resuming as if never interrupted."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from rich.console import Console

from bundled_net import TrainingError
from bundled_net.attack import attack, held_still
from bundled_net.augmentation import as_floats, augment
from bundled_net.checkpoint import Recipe, load
from bundled_net.data import TinyImageNet
from bundled_net.net import MEMBERS, Member, build, classifier
from bundled_net.schedule import LEAST_RATE, radius_at, rate_at
from bundled_net.train import Training, train
from tests.tools.conftest import WNIDS

CPU = torch.device("cpu")
QUIET = Console(quiet=True)
MEMBER = Member("tiny", radius=1.0, epochs=1, seed=3, widths=(4, 5, 6, 7, 8), dense=9)
RECIPE = Recipe(MEMBER, WNIDS, pictures=81, steps=3, batch=40, attack_steps=2, rate=0.1)
"""Two batches an epoch: the third step is in the second."""


def after(steps: int) -> Callable[[], bool]:
    """Return a function that pauses training after so many steps."""
    asked = itertools.count(1)
    return lambda: next(asked) >= steps


@pytest.mark.parametrize("stops", [(1,), (2,), (1, 1)])
def test_training_that_was_interrupted_ends_with_the_same_weights(
    stops: tuple[int, ...], data: TinyImageNet, tmp_path: Path
) -> None:
    whole = train(RECIPE, data.train, tmp_path / "whole", CPU, QUIET)
    for steps in stops:
        train(RECIPE, data.train, tmp_path / "parts", CPU, QUIET, after(steps))
    assert load(tmp_path / "parts" / "tiny.pt").step == sum(stops)
    parts = train(RECIPE, data.train, tmp_path / "parts", CPU, QUIET)
    assert (whole.step, parts.step) == (3, 3)
    start = build(MEMBER, len(WNIDS)).state_dict()
    for key, value in whole.net.items():
        assert torch.equal(value, parts.net[key]), key
        assert torch.equal(whole.mean[key], parts.mean[key]), key
        assert key in ("mean", "std") or not torch.equal(value, start[key]), f"{key} was not trained"


def test_another_seed_ends_elsewhere(data: TinyImageNet, tmp_path: Path) -> None:
    one = train(RECIPE, data.train, tmp_path / "one", CPU, QUIET)
    other = train(replace(RECIPE, member=replace(MEMBER, seed=4)), data.train, tmp_path / "other", CPU, QUIET)
    assert not torch.equal(one.net["fc8.weight"], other.net["fc8.weight"])


def test_it_learns(data: TinyImageNet) -> None:
    """Train thirty steps on three directions and colours: the last losses are well below the first, and below chance."""
    training = Training(replace(RECIPE, steps=30, batch=20, member=replace(MEMBER, radius=0.3)), data.train, CPU)
    losses = [float(training.advance()[0]) for _ in range(30)]
    assert sum(losses[-5:]) / 5 < 0.75 * sum(losses[:5]) / 5
    assert sum(losses[-5:]) / 5 < 0.9 * torch.tensor(float(len(WNIDS))).log()


def test_a_loss_that_is_not_finite_ends_it_and_leaves_no_checkpoint(data: TinyImageNet, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"tiny: the loss is not finite at step 3; .* lower --rate than 1e\+30"):
        train(replace(RECIPE, rate=1e30), data.train, tmp_path, CPU, QUIET)
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_of_another_recipe_is_refused(data: TinyImageNet, tmp_path: Path) -> None:
    train(RECIPE, data.train, tmp_path, CPU, QUIET, after(1))
    for wanted, says in (
        (replace(RECIPE, batch=20), "batch 40, not 20"),
        (replace(RECIPE, member=replace(MEMBER, radius=2.0)), "radius 1.0, not 2.0"),
        (replace(RECIPE, wnids=WNIDS[::-1]), "other classes"),
    ):
        with pytest.raises(TrainingError, match=rf"tiny.pt: was begun with .*{says}; ask for that again"):
            train(wanted, data.train, tmp_path, CPU, QUIET)


def test_a_file_that_is_no_checkpoint(data: TinyImageNet, tmp_path: Path) -> None:
    file = tmp_path / "tiny.pt"
    file.write_bytes(b"PK nothing")
    with pytest.raises(TrainingError, match=r"tiny.pt: not a checkpoint of this program, or damaged"):
        train(RECIPE, data.train, tmp_path, CPU, QUIET)
    torch.save({"step": 1}, file)
    with pytest.raises(TrainingError, match=r"tiny.pt: not a checkpoint of this program, or damaged"):
        load(file)
    with pytest.raises(TrainingError, match=r"none.pt: there is no such checkpoint"):
        load(tmp_path / "none.pt")


def test_a_batch_larger_than_the_data(data: TinyImageNet, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="a batch of 82 cannot be filled by 81 pictures; ask for a smaller --batch"):
        train(replace(RECIPE, batch=82), data.train, tmp_path, CPU, QUIET)


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_the_attack_stays_in_its_ball_and_raises_the_loss(steps: int, data: TinyImageNet) -> None:
    net, radius = build(MEMBER, len(WNIDS)), 0.7
    classify = classifier(net, CPU)
    pictures, labels = as_floats(data.train.pixels[::4]), data.train.labels[::4]
    with held_still(net):
        attacked = attack(classify, pictures, labels, radius, steps, torch.Generator().manual_seed(1))
        noise = torch.randn(pictures.shape, generator=torch.Generator().manual_seed(2))
        noise = (pictures + radius * F.normalize(noise.flatten(1)).view_as(noise)).clamp(0, 1)
        losses = [float(F.cross_entropy(classify(x), labels)) for x in (pictures, noise, attacked)]
    assert (attacked - pictures).flatten(1).norm(dim=1).max() <= radius * 1.001
    assert attacked.min() >= 0
    assert attacked.max() <= 1
    assert not attacked.requires_grad
    assert losses[2] > losses[0] + 0.001
    assert losses[2] > losses[1] + 0.001


def test_the_attack_moves_no_statistics_and_leaves_the_network_in_training(data: TinyImageNet) -> None:
    net = build(MEMBER, len(WNIDS)).train()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    with held_still(net):
        attack(classifier(net, CPU), as_floats(data.train.pixels[:8]), data.train.labels[:8], 1.0, 2, torch.Generator())
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
    assert net.training
    assert all(parameter.requires_grad and parameter.grad is None for parameter in net.parameters())


def test_the_radius_grows_over_the_first_quarter() -> None:
    radii = [radius_at(step, 400, 1.0) for step in range(400)]
    assert (radii[0], radii[1], radii[2]) == (0.0, 0.0, 0.02)  # the smallest radius that is worth an attack
    assert (radii[50], radii[99], radii[100], radii[399]) == (0.5, 0.99, 1.0, 1.0)


def test_the_rate_rises_and_falls() -> None:
    rates = [rate_at(step, 1000, 0.25) - LEAST_RATE for step in range(1000)]
    assert rates[0] == 0
    assert rates[50] == pytest.approx(0.125)
    assert rates[100] == max(rates) == pytest.approx(0.25)
    assert rates[550] == pytest.approx(0.125)
    assert 0 < rates[999] < 1e-5
    assert rates[:101] == sorted(rates[:101])
    assert rates[100:] == sorted(rates[100:], reverse=True)


def test_augmented_pictures(data: TinyImageNet) -> None:
    """Half of them are whole: apart from light and borders, each is a shift of the original or of its mirror image."""
    pixels = data.train.pixels[:1].expand(60, -1, -1, -1)
    shown = augment(pixels, torch.Generator().manual_seed(1))
    assert (shown.shape, shown.dtype) == ((60, 3, 64, 64), torch.float32)
    assert shown.min() >= 0
    assert shown.max() <= 1
    assert torch.equal(shown, augment(pixels, torch.Generator().manual_seed(1)))
    original = as_floats(data.train.pixels[:1])[0].mean(0)
    shifts = [
        F.pad(view[None, None], (4, 4, 4, 4), mode="reflect")[0, 0, y : y + 64, x : x + 64][8:-8, 8:-8]
        for view in (original, original.flip(-1))
        for y in range(9)
        for x in range(9)
    ]
    whole = 0
    for picture in shown:
        middle = picture.mean(0)[8:-8, 8:-8].flatten()
        likeness = max(float(torch.corrcoef(torch.stack([middle, shift.flatten()]))[0, 1]) for shift in shifts)
        whole += likeness > 0.9995
    assert 18 <= whole <= 42


def test_the_members_that_ship_are_of_one_shape() -> None:
    assert len({(member.widths, member.dense) for member in MEMBERS}) == 1
    assert len({member.name for member in MEMBERS}) == len({member.seed for member in MEMBERS}) == len(MEMBERS)
