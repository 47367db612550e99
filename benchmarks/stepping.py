"""Measure one dream in its own process, which ``step.py`` starts and asks for round after round.

It runs with the modules of any checkout, this one or an older or newer one, and finds those that have moved.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import json
import os
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode, conv_flop_count

DT_S = 0.1
"""Seconds from one step to the next, as in a video made offline."""
KEYFRAME_STEPS = 2
"""Steps of a keyframe. The camera moves at the first, as in the live program by default. Older checkouts move it with each
step."""
ROUND_STEPS = 4
"""Fewest steps of a round."""
LONGEST_CYCLE = 16
"""Steps after which every algorithm has seen the picture at all of its sizes: deepdream has at most this many octaves."""
MATRIX = {"cpu": 2048, "cuda": 8192}
"""Side of the matrices whose product shows what the machine can do."""


@dataclass(frozen=True, slots=True)
class Job:
    """What to measure."""

    network: str
    algorithm: str
    size: tuple[int, int]
    """(height, width) of the canvas."""
    device: str
    """``cpu`` or ``cuda``."""
    threads: int
    """0 for torch's default."""
    weights: str | None
    """A file; None for the program's own."""
    busy: bool = False
    """Whether to count this process's CPU time instead of wall-clock time."""
    compiled: bool = False
    """Whether the networks and the picture's passes go through ``torch.compile``."""
    kind: str = "dream"
    """``dream``, or a peer's name in ``peers.KINDS``."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known once the process is ready."""

    machine: str
    """The CPU or GPU, the threads and the network's precision."""
    first_s: float
    """Seconds of the very first step, preparation included."""
    memory: int
    """Bytes after some steps: resident on a CPU, peak allocation on a GPU."""
    cycle: int = ROUND_STEPS
    """Steps after which the network has seen the picture at all sizes."""
    flops: float | None = None
    """Twice the network's multiplications per step, forward and back to the picture; None if unknown."""


@dataclass(frozen=True, slots=True)
class Round:
    """Times of some steps, and other measurements of the same second."""

    step_s: float
    """Mean over the steps."""
    alone_s: float | None = None
    """The network alone, forward and back to the picture at the sizes it sees, mean over the steps."""
    flop_per_s: float | None = None
    """Speed of a large matrix product in the network's precision."""
    picture_s: float | None = None
    """Copying the picture to the host."""


class Contestant(Protocol):
    """Something that takes steps."""

    facts: Facts

    def round(self) -> Round:
        """Take some steps."""


class Clock:
    """Times calls, a GPU's work included; for ``busy``, see ``Job``."""

    def __init__(self, device: torch.device, busy: bool = False) -> None:
        self._cuda = device.type == "cuda"
        self._read = time.process_time if busy else time.perf_counter

    def now(self) -> float:
        if self._cuda:
            torch.cuda.synchronize()
        return self._read()

    def time(self, call: Callable[[], object], times: int = 1) -> float:
        """Return the mean seconds of some calls."""
        begun = self.now()
        for _ in range(times):
            call()
        return (self.now() - begun) / times


class Shown:
    """Records the sizes of the pictures that networks see within a ``with``."""

    def __init__(self, networks: Sequence[Any]) -> None:
        self._networks = networks
        self.sizes: list[tuple[int, int]] = []

    def __enter__(self) -> Shown:
        for network in self._networks:
            network.preprocess = partial(self._note, network.preprocess)
        return self

    def __exit__(self, *_: object) -> None:
        for network in self._networks:
            del network.preprocess  # the class has its own

    def _note(self, plain: Callable[[torch.Tensor], torch.Tensor], picture: torch.Tensor) -> torch.Tensor:
        seen = plain(picture)
        self.sizes.append((seen.shape[-2], seen.shape[-1]))
        return seen


def counted_pointwise(x_shape: Any, w_shape: Any, *_: Any, out_shape: Any = None, **__: Any) -> int:
    """Count the multiplications of a fused convolution and ReLU, which the counter does not know."""
    return int(conv_flop_count(x_shape, w_shape, out_shape))


EXTRA = {torch.ops.mkldnn._convolution_pointwise: counted_pointwise}


class Dream:
    """A dream of two classes, one above the other, that can be measured."""

    def __init__(
        self,
        make_dreamer: Callable[..., Any],
        ensemble: Any,
        config: Any,
        size: tuple[int, int],
        device: torch.device,
        busy: bool = False,
    ) -> None:
        """Take the first steps.

        Args:
            make_dreamer: as in ``streamer.dream``.
            ensemble: the networks; in old checkouts one.
            config: the settings.
            size: (height, width) of the canvas.
            device: where it computes.
            busy: see ``Job``.
        """
        from streamer.messages.scenes import Scene, Target, arrange

        self._networks = getattr(ensemble, "members", (ensemble,))
        self._network = self._networks[0]
        self._device, self._clock = device, Clock(device, busy)
        scene = Scene(1, arrange([Target(wnid, wnid) for wnid in self._network.wnids[:2]]))

        def set_out(settings: Any) -> Any:
            dreamer = make_dreamer(ensemble, settings, size, device, 1)
            dreamer.scene(scene)
            return dreamer

        self._taken = 0
        self._dreamer = set_out(config)
        self._waits = "camera_s" in inspect.signature(self._dreamer.step).parameters
        first_s = self._clock.time(self._step)
        shown = self._sizes(set_out(steady(config)))
        cycle = len(shown) or ROUND_STEPS
        self._round_steps = round_steps(cycle)
        self._clock.time(self._step, self._round_steps)
        memory = memory_in_use(device)
        self._dreamer.picture()
        chance = torch.Generator().manual_seed(1)
        self._shown = [
            (255 * torch.rand((1, 3, *one), generator=chance)).to(device, memory_format=torch.channels_last)
            for sizes in shown
            for one in sizes
        ]
        with FlopCounterMode(display=False, custom_mapping=EXTRA) as counter:
            self._alone()
        flops = counter.get_total_flops() / cycle if self._shown else None
        self._cycle = cycle
        self._matrix = torch.rand((MATRIX[device.type],) * 2, device=device).to(self._network.dtype)
        self._rate()
        self.facts = Facts(described(device, self._network.dtype), first_s, memory, cycle, flops)

    def round(self) -> Round:
        """Time whole cycles of steps, then the network alone, a product and the picture."""
        step_s = self._clock.time(self._step, self._round_steps)
        alone_s = self._clock.time(self._alone) / self._cycle if self._shown else None
        return Round(step_s, alone_s, self._rate(), self._clock.time(self._dreamer.picture, 3))

    def _step(self) -> None:
        if self._waits:
            first = self._taken % KEYFRAME_STEPS == 0
            self._dreamer.step(DT_S, KEYFRAME_STEPS * DT_S if first else 0.0)
        else:
            self._dreamer.step(DT_S)
        self._taken += 1

    def _alone(self) -> None:
        for picture in self._shown:
            x = picture.detach().requires_grad_(True)
            (logits,) = self._network.activations(x, [self._network.classes_layer]).values()
            logits.mean().backward()  # autograd.grad confuses the counter

    def _sizes(self, dreamer: Any) -> list[list[tuple[int, int]]]:
        """Return the sizes that the network sees, step by step, for one cycle; empty if unknown."""
        found: list[list[tuple[int, int]]] = []
        for _ in range(LONGEST_CYCLE + 1):
            with Shown(self._networks) as shown:
                dreamer.step(DT_S)
            if found and shown.sizes == found[0]:
                break
            found.append(shown.sizes)
        return found if all(found) else []

    def _rate(self) -> float:
        side = len(self._matrix)
        taken_s = min(self._clock.time(lambda: self._matrix @ self._matrix) for _ in range(3))
        return 2 * side**3 / taken_s


def round_steps(cycle: int) -> int:
    """Return the steps of a round, in whole cycles."""
    return cycle * -(-ROUND_STEPS // cycle)


def steady(config: Any) -> Any:
    """Return the settings with views of constant sizes."""
    return config.model_copy(update={"dream": config.dream.model_copy(update={"view_jitter": 0.0})})


def memory_in_use(device: torch.device) -> int:
    """Return bytes: a GPU's peak, or this process's."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated()
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    except OSError:  # not Linux
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def described(device: torch.device, dtype: torch.dtype) -> str:
    """Describe what computes, and how."""
    precision = str(dtype).removeprefix("torch.")
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name()}, {precision}"
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    threads = torch.get_num_threads()
    return f"{names[0] if names else platform.machine()}, {threads} thread{'s' * (threads > 1)}, {precision}"


def found(*places: str) -> Any:
    """Return what is at the first place, ``module:name``, that the checkout has.

    Raises:
        ImportError: it has none of them.
    """
    for place in places:
        module, _, name = place.partition(":")
        try:
            return getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError) as error:
            why = error
    raise ImportError(f"this checkout has no {' and no '.join(places)}: {why}")


PASSES = {"streamer.dream.algorithms.gradient_ascent": ("soft_clip_step", "normalise_local_contrast", "headroom", "leash")}
"""Functions that ``--compile`` compiles besides the networks, by the modules that call them; the last two are older names."""


def maker() -> Callable[..., Any]:
    """Return the checkout's ``make_dreamer``."""
    places = ("algorithms.dreamer_factory", "algorithms.making", "dreams")
    return found(*(f"streamer.dream.{place}:make_dreamer" for place in places))  # type: ignore[no-any-return]


def dream(job: Job) -> Dream:
    """Return a dream of the checkout on the import path."""
    load = found("streamer.dream.networks.loading:load", "streamer.dream.networks.network:load")
    settings = found("streamer.settings_file:load")
    named = [f"network.name={job.network}", f"dream.algorithm={job.algorithm}"]
    config = settings(None, named + [f"network.weights={job.weights}"] * (job.weights is not None))
    device = torch.device(job.device)
    ensemble = load(config.network, device)
    if job.compiled:
        config = steady(config)
        compiled(ensemble)
    return Dream(maker(), ensemble, config, job.size, device, job.busy)


def compiled(ensemble: Any) -> None:
    """Compile what ``torch.compile`` can of a step: each network from the picture to the hooked layers (on a GPU recorded with
    what surrounds it) and the passes over the picture.

    Each size compiles separately, half a minute on a CPU, so the network sees the picture at one size a view.
    """
    torch._dynamo.config.recompile_limit = 256  # a few functions serve layers of many shapes
    for network in getattr(ensemble, "members", (ensemble,)):
        name = "hook_outputs" if hasattr(network, "hook_outputs") else "look"  # an older checkout's
        setattr(network, name, torch.compile(getattr(network, name), dynamic=False))
    for module, names in PASSES.items():
        found_module = importlib.import_module(module)
        for name in filter(partial(hasattr, found_module), names):
            setattr(found_module, name, torch.compile(getattr(found_module, name), dynamic=False))


def serve(job: Job) -> None:
    """Report the facts, then measure a round for each line of input."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # keeps libraries' output out of the answers

    def say(**told: object) -> None:
        print(json.dumps(told), file=answers, flush=True)

    if job.threads:
        torch.set_num_threads(job.threads)
    try:
        if job.kind == "dream":
            contestant: Contestant = dream(job)
        else:
            from peers import peer

            contestant = peer(job)
        say(facts=dataclasses.asdict(contestant.facts))
        for _ in sys.stdin:
            say(round=dataclasses.asdict(contestant.round()))
    except Exception as error:  # from any checkout or library: report it and let the others go on
        say(cannot=f"{type(error).__name__}: {next(iter(str(error).strip().splitlines()), '')}")
    answers.close()
    os._exit(0)  # a peer's thread may be in the middle of a step


def random_weights(name: str) -> dict[str, Tensor]:
    """Return weights after He et al. 2015, with torchvision's names; offsets are 0, normalisations do nothing."""
    from streamer.dream.networks.torchvision_import import torchvision

    options: Mapping[str, Any] = {"aux_logits": False, "init_weights": False} if name == "googlenet" else {}
    with torch.device("meta"):
        model = getattr(torchvision().models, name.removesuffix("_caffe"))(weights=None, **options)
    chance = torch.Generator().manual_seed(1)
    tensors = {}
    for key, shape in ((key, tensor.shape) for key, tensor in model.state_dict().items()):
        if len(shape) > 1:
            tensors[key] = torch.randn(shape, generator=chance) * (2 / shape[1:].numel()) ** 0.5
        elif shape:
            tensors[key] = torch.ones(shape) if key.endswith(("weight", "running_var")) else torch.zeros(shape)
    return tensors


def median(values: list[float]) -> float:
    """Return the median of at least one value."""
    return float(statistics.median(values))
