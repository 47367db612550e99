"""A fake dreamer without torch, for tests of workers. Factories are at module level, so that they can be pickled."""

import multiprocessing
import os
import signal
import time
from pathlib import Path

import numpy as np

from streamer.dream.interface import ConfigRejected, Dream, DreamError
from streamer.dream_state import DreamState
from streamer.messages.motion import Motion, Pose
from streamer.messages.network_contents import LayerEntry
from streamer.messages.step_view import StepPicture, StepView
from streamer.zoom import advance

WNIDS = ("n00000001", "n00000002")
LAYERS = (LayerEntry("conv1", 8, 2), LayerEntry("logits", 2, 4))


class Copied:
    """A copy that is done immediately."""

    done = True

    def __init__(self, picture):
        self.array = lambda: picture


class FakeDreamer:
    """Counts its steps in the red channel; green is the scene's ID, blue is 255 if restored."""

    def __init__(self, size=(36, 64), step=None):
        self.size, self.pose = size, Pose()
        self.red = self.green = self.blue = 0
        self.moving = Motion(2.0, 0.0)
        self.moved_s: list[float] = []
        self.bumps = self.twists = 0
        self.tuned = []
        self.spoilt, self.taken_up = "", None
        self.known = WNIDS
        self.on_step = step or (lambda dreamer: None)

    def scene(self, scene):
        for region in scene.regions:
            if region.target.wnid not in self.known:
                raise DreamError(f"fake does not know '{region.target.label}'")
        self.green = scene.id

    def motion(self, motion):
        self.moving = motion

    def tune(self, config):
        self.tuned.append(config)

    def bump(self):
        self.bumps += 1

    def twist(self):
        self.twists += 1

    def step(self, dt_s, camera_s=None):
        self.pose = advance(self.pose, self.moving, dt_s if camera_s is None else camera_s)
        self.moved_s.append(dt_s)
        self.on_step(self)
        self.red = min(255, self.red + 1)

    def resize(self, size):
        self.size = size

    def picture(self):
        return np.full((*self.size, 3), (self.red, self.green, self.blue), np.uint8)

    def copy(self):
        return Copied(self.picture())

    def fault(self):
        return self.spoilt

    def keep(self):
        return DreamState(
            "fake", "default", self.pose, {"momentum": np.full((3, *self.size), self.red, np.float16)}, {"steps": self.red}
        )

    def restore(self, picture, pose, kept=None):
        self.size, self.pose, self.taken_up = picture.shape[:2], pose, kept
        self.red, self.blue = int(picture[0, 0, 0]), 255


def _size(config):
    return config.canvas.height, config.canvas.width


def make(config, seed, tell):
    tell("getting ready")
    return Dream(FakeDreamer(_size(config)), "fake", "cpu", WNIDS, layers=LAYERS, nearest=((1,), (0,)))


class Inspected(FakeDreamer):
    """Supports the inspection of steps."""

    def inspect(self):
        return StepView("thing", "fake", (StepPicture("dream", b"jpeg"),))


def make_inspectable(config, seed, tell):
    return Dream(Inspected(_size(config)), "fake", "cpu", WNIDS)


def make_unfit(config, seed, tell):
    raise ConfigRejected("no network of that name")


def make_failing_start(config, seed, tell):
    raise RuntimeError("out of luck")


def _after(steps, act):
    def step(dreamer):
        if dreamer.red >= steps and not dreamer.blue:
            act()

    return step


def make_raising(config, seed, tell):
    """Make a dreamer that raises after three steps, unless restored."""

    def fail():
        raise RuntimeError("a step\nwent wrong")

    return Dream(FakeDreamer(_size(config), _after(3, fail)), "fake", "cpu", WNIDS)


def make_killed(config, seed, tell):
    return Dream(FakeDreamer(_size(config), _after(3, lambda: os.kill(os.getpid(), signal.SIGKILL))), "fake", "cpu", WNIDS)


def make_hanging(config, seed, tell):
    return Dream(FakeDreamer(_size(config), _after(3, lambda: time.sleep(1000))), "fake", "cpu", WNIDS)


def make_slow(config, seed, tell):
    return Dream(FakeDreamer(_size(config), lambda dreamer: time.sleep(0.5)), "fake", "cpu", WNIDS)


def make_telling_its_threads(config, seed, tell):
    """Make a dreamer that writes its number of threads to the gate."""

    def compute_with(threads):
        Path(os.environ[GATE]).write_text(str(threads))

    return Dream(FakeDreamer(_size(config)), "fake", "cpu", WNIDS, threads=3, compute_with=compute_with)


def make_hanging_always(config, seed, tell):
    return Dream(FakeDreamer(_size(config), lambda dreamer: time.sleep(1000)), "fake", "cpu", WNIDS)


def make_slow_to_load(config, seed, tell):
    tell("loading for ever")
    time.sleep(1000)


def make_deaf(config, seed, tell):
    """Make a dreamer that hangs and ignores SIGTERM."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return make_hanging_always(config, seed, tell)


GATE = "FAKE_DREAM_GATE"
"""Environment variable with the path of a file that some dreamers wait for."""


def _is_spare():
    return multiprocessing.current_process().name == "spare"


def _open():
    return Path(os.environ[GATE]).exists()


def make_raising_always(config, seed, tell):
    def fail():
        raise RuntimeError("a step went wrong")

    return Dream(FakeDreamer(_size(config), lambda dreamer: fail()), "fake", "cpu", WNIDS)


def make_slow_spare(config, seed, tell):
    """Make a dreamer; a spare waits until the gate exists."""
    while _is_spare() and not _open():
        time.sleep(0.005)
    return make(config, seed, tell)


def make_unfit_later(config, seed, tell):
    """Make a dreamer that rejects its config once the gate exists."""

    def step(dreamer):
        if _open():
            raise ConfigRejected("the disk is gone")

    return Dream(FakeDreamer(_size(config), step), "fake", "cpu", WNIDS)


def make_on_a_gpu(config, seed, tell):
    """Make a dreamer on a GPU; a spare fails until the gate exists."""
    assert not _is_spare() or _open()
    return Dream(FakeDreamer(_size(config)), "fake", "cuda", WNIDS)


def make_rehearsing(config, seed, tell):
    """Make a dreamer whose warm-up writes its PID beside the gate."""

    def warm_up():
        new = Path(f"{os.environ[GATE]}.{os.getpid()}")
        new.write_text(str(os.getpid()))
        new.replace(f"{os.environ[GATE]}.rehearsed")  # atomic: tests read it meanwhile

    return Dream(FakeDreamer(_size(config)), "fake", "cpu", WNIDS, warm_up=warm_up)


def make_leaving(config, seed, tell):
    """Make a dreamer that exits with code 0 after three steps, unless restored."""
    return Dream(FakeDreamer(_size(config), _after(3, lambda: os._exit(0))), "fake", "cpu", WNIDS)


def make_short_lived(config, seed, tell):
    """Make a dreamer that always raises at its seventh step."""
    taken = [0]

    def step(dreamer):
        taken[0] += 1
        if taken[0] == 7:
            raise RuntimeError("no more")

    return Dream(FakeDreamer(_size(config), step), "fake", "cpu", WNIDS)


def make_without_a_gpu_that_works(config, seed, tell):
    """Make a dreamer that fails like CUDA, unless it is on the CPU."""

    def step(dreamer):
        if config.device != "cpu" and dreamer.red >= 3:
            raise RuntimeError("CUDA error: an illegal memory access was encountered")

    return Dream(FakeDreamer(_size(config), step), "fake", "cpu" if config.device == "cpu" else "cuda", WNIDS)


def make_large(config, seed, tell):
    """Make a dreamer with too little memory for its full canvas."""

    def step(dreamer):
        if dreamer.size[1] > 0.9 * config.canvas.width:
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")

    return Dream(FakeDreamer(_size(config), step), "fake", "cpu", WNIDS)


def make_two_networks(config, seed, tell):
    """Make a dreamer that cannot hold two networks until the gate exists; its canvas cannot shrink."""
    names = config.network.names or ("vgg16", "bundled")

    def step(dreamer):
        if len(names) > 1 and dreamer.red >= 3 and not _open():
            raise MemoryError("two are too many")

    return Dream(FakeDreamer(_size(config), step), " + ".join(names), "cpu", WNIDS)


def make_spoilt(config, seed, tell):
    """Make a dreamer with unusable pictures from the fifth step until it restarts."""

    def step(dreamer):
        dreamer.spoilt = "it holds values that are not numbers" if dreamer.red >= 5 and not dreamer.blue else ""

    return Dream(FakeDreamer(_size(config), step), "fake", "cpu", WNIDS)


OTHER_WNIDS = ("n00000002", "n00000003")


def make_by_algorithm(config, seed, tell):
    """Make a dreamer whose blue shows the algorithm: 0 for the default, 50 for deepdream, which has another network.

    ``ink`` cannot be prepared, and ``original_2015`` raises at its first step.
    """
    algorithm = config.dream.algorithm
    if algorithm == "ink":
        raise ConfigRejected("there is no ink")

    def step(dreamer):
        dreamer.blue = 50 if algorithm == "deepdream" else 0
        if algorithm == "original_2015":
            raise RuntimeError("it is not 2015")

    deep = algorithm == "deepdream"
    dream = Dream(FakeDreamer(_size(config), step), "deep" if deep else "fake", "cpu", OTHER_WNIDS if deep else WNIDS)
    if deep:
        dream.dreamer.known = OTHER_WNIDS
    return dream
