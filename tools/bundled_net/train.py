"""Train one member, from its first step or from its checkpoint.

SGD with Nesterov's momentum, weight decay on weights alone, softened labels (Szegedy et al. 2016), and a moving average of the
weights, which is what ships: it is more robust than the weights themselves (Gowal et al. 2020). Each batch is attacked with
the network in evaluation mode, and training uses only the attacked pictures.

A step's pictures depend only on the member's seed and the step's number, so interrupted training continues as if it had never
stopped: to the last bit on a CPU, on a GPU as far as its kernels are repeatable.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from rich.console import Console
from torch import Tensor

from bundled_net import TrainingError
from bundled_net.attack import attack, held_still
from bundled_net.augmentation import augment
from bundled_net.checkpoint import Checkpoint, Recipe, load, path_of, require_same, save
from bundled_net.data import Pictures
from bundled_net.net import build, classifier
from bundled_net.schedule import radius_at, rate_at

MOMENTUM, WEIGHT_DECAY, SMOOTHING = 0.9, 5e-4, 0.1
AVERAGE = 0.998
"""Share of the moving average that stays at each step; less in the first ones, so that it forgets them."""
REPORT_EVERY_S, SAVE_EVERY_S = 10.0, 60.0
_ORDER, _CHANCE = 0, 1
"""Uses of a seed, so that no two draw the same numbers."""


class Training:
    """A member's training between two steps."""

    def __init__(self, recipe: Recipe, pictures: Pictures, device: torch.device) -> None:
        self.recipe, self.pictures, self.device = recipe, pictures, device
        self.step = 0
        self.net = build(recipe.member, len(recipe.wnids)).to(device).train()
        self.mean = {key: value.clone() for key, value in self.net.state_dict().items()}
        self._classify = classifier(self.net, device)
        weights = [parameter for parameter in self.net.parameters() if parameter.ndim > 1]
        others = [parameter for parameter in self.net.parameters() if parameter.ndim <= 1]
        groups = [{"params": weights, "weight_decay": WEIGHT_DECAY}, {"params": others, "weight_decay": 0.0}]
        self._optimiser = torch.optim.SGD(groups, lr=recipe.rate, momentum=MOMENTUM, nesterov=True)
        self._chance = torch.Generator(device)
        self._epoch, self._order = -1, torch.empty(0)

    def checkpoint(self) -> Checkpoint:
        """Return the current state; the next step changes its tensors."""
        return Checkpoint(self.recipe, self.step, self.net.state_dict(), self.mean, self._optimiser.state_dict())

    def resume(self, checkpoint: Checkpoint) -> None:
        """Continue from a checkpoint of the same recipe."""
        self.net.load_state_dict(checkpoint.net)
        self._optimiser.load_state_dict(checkpoint.optimiser)
        for key, value in checkpoint.mean.items():
            self.mean[key].copy_(value)
        self.step = checkpoint.step

    def advance(self) -> tuple[Tensor, Tensor]:
        """Take one step.

        Returns:
            The loss on the attacked pictures and the share classified correctly; 0-dimensional, on the device.
        """
        recipe = self.recipe
        for group in self._optimiser.param_groups:
            group["lr"] = rate_at(self.step, recipe.steps, recipe.rate)
        self._chance.manual_seed(_seed(recipe.member.seed, _CHANCE, self.step))
        rows = self._rows()
        pictures, labels = augment(self.pictures.pixels[rows], self._chance), self.pictures.labels[rows]
        if radius := radius_at(self.step, recipe.steps, recipe.member.radius):
            with held_still(self.net):
                pictures = attack(self._classify, pictures, labels, radius, recipe.attack_steps, self._chance)
        answers = self._classify(pictures)
        loss = F.cross_entropy(answers, labels, label_smoothing=SMOOTHING)
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self._optimiser.step()
        self.step += 1
        self._average()
        return loss.detach(), (answers.argmax(1) == labels).float().mean()

    def _rows(self) -> Tensor:
        """Return the step's rows; each epoch has its own order and skips an incomplete last batch."""
        batches = len(self.pictures) // self.recipe.batch
        epoch, place = divmod(self.step, batches)
        if epoch != self._epoch:
            chance = torch.Generator().manual_seed(_seed(self.recipe.member.seed, _ORDER, epoch))
            self._epoch, self._order = epoch, torch.randperm(len(self.pictures), generator=chance).to(self.device)
        return self._order[place * self.recipe.batch : (place + 1) * self.recipe.batch]

    @torch.no_grad()
    def _average(self) -> None:
        keep = min(AVERAGE, (1 + self.step) / (10 + self.step))
        for key, value in self.net.state_dict().items():
            if value.is_floating_point():
                self.mean[key].lerp_(value, 1 - keep)
            else:
                self.mean[key].copy_(value)


def train(
    recipe: Recipe,
    pictures: Pictures,
    work: Path,
    device: torch.device,
    console: Console,
    pause: Callable[[], bool] = lambda: False,
) -> Checkpoint:
    """Train a member until it is done, or until ``pause``, called after every step, returns True.

    Args:
        pictures: on ``device``.
        work: folder of its checkpoint; training continues from an existing one.

    Returns:
        The last checkpoint written.

    Raises:
        TrainingError: a batch is larger than the data, the checkpoint has another recipe, or the loss is not finite.
    """
    member, file = recipe.member, path_of(work, recipe.member.name)
    if recipe.batch > len(pictures):
        raise TrainingError(
            f"a batch of {recipe.batch} cannot be filled by {len(pictures)} pictures; ask for a smaller --batch"
        )
    training = Training(recipe, pictures, device)
    if file.exists():
        begun = load(file)
        require_same(file, begun.recipe, recipe)
        training.resume(begun)
        console.print(f"{member.name}: {file} has {training.step} of {recipe.steps} steps")
    reported = saved = time.monotonic()
    since, losses, rights = training.step, torch.zeros((), device=device), torch.zeros((), device=device)
    while training.step < recipe.steps:
        loss, right = training.advance()
        losses, rights = losses + loss, rights + right
        enough = training.step == recipe.steps or pause()
        now = time.monotonic()
        if enough or now - reported >= REPORT_EVERY_S:
            taken, mean_loss = training.step - since, losses.item() / (training.step - since)  # item() waits for the device
            if not np.isfinite(mean_loss):
                raise TrainingError(
                    f"{member.name}: the loss is not finite at step {training.step}; delete {file} and begin again "
                    f"with a lower --rate than {recipe.rate:g}"
                )
            pace = (time.monotonic() - reported) / taken
            console.print(_line(training, mean_loss, rights.item() / taken, pace), highlight=False)
            reported, since, losses, rights = (
                time.monotonic(),
                training.step,
                torch.zeros_like(losses),
                torch.zeros_like(rights),
            )
            if enough or now - saved >= SAVE_EVERY_S:
                save(file, training.checkpoint())
                saved = time.monotonic()
        if enough:
            break
    return training.checkpoint()


def _line(training: Training, loss: float, right: float, pace_s: float) -> str:
    recipe, step = training.recipe, training.step
    left_min = (recipe.steps - step) * pace_s / 60
    return (
        f"{recipe.member.name}  step {step}/{recipe.steps}  epoch {step * recipe.batch / recipe.pictures:.1f}  "
        f"rate {rate_at(step - 1, recipe.steps, recipe.rate):.3f}  "
        f"radius {radius_at(step - 1, recipe.steps, recipe.member.radius):.2f}  loss {loss:.3f}  right {right:.1%}  "
        f"{recipe.batch / pace_s:.0f} pictures/s  {left_min:.0f} min left"
    )


def _seed(*parts: int) -> int:
    """Return a distinct seed for each tuple of numbers."""
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0])
