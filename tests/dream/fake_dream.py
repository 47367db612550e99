"""A dreamer without torch, for the worker and its process; factories are module-level, so that they can be pickled."""

import os
import signal
import time

import numpy as np

from streamer.dream.worker.protocol import Dream, Unfit
from streamer.messages import LayerEntry, Motion, Pose
from streamer.zoom import advance

WNIDS = ("n00000001", "n00000002")
LAYERS = (LayerEntry("conv1", 8, 2), LayerEntry("logits", 2, 4))


class FakeDreamer:
    """Counts its steps in the red channel; green is the scene's id, blue whether it was restored."""

    def __init__(self, size=(36, 64), step=None):
        self.size, self.pose = size, Pose()
        self.red = self.green = self.blue = 0
        self.moving = Motion(2.0, 0.0)
        self.moved_s: list[float] = []
        self.bumps = self.twists = 0
        self.on_step = step or (lambda dreamer: None)

    def scene(self, scene):
        for region in scene.regions:
            if region.target.wnid not in WNIDS:
                raise LookupError(f"fake does not know '{region.target.label}'")
        self.green = scene.id

    def motion(self, motion):
        self.moving = motion

    def bump(self):
        self.bumps += 1

    def twist(self):
        self.twists += 1

    def step(self, dt_s):
        self.pose = advance(self.pose, self.moving, dt_s)
        self.moved_s.append(dt_s)
        self.on_step(self)
        self.red = min(255, self.red + 1)

    def resize(self, size):
        self.size = size

    def picture(self):
        return np.full((*self.size, 3), (self.red, self.green, self.blue), np.uint8)

    def restore(self, picture, pose):
        self.size, self.pose = picture.shape[:2], pose
        self.red, self.blue = int(picture[0, 0, 0]), 255


def _size(config):
    return config.canvas.height, config.canvas.width


def make(config, seed, tell):
    tell("getting ready")
    return Dream(FakeDreamer(_size(config)), "fake", "cpu", WNIDS, layers=LAYERS)


def make_unfit(config, seed, tell):
    raise Unfit("no network of that name")


def make_failing_start(config, seed, tell):
    raise RuntimeError("out of luck")


def _after(steps, act):
    def step(dreamer):
        if dreamer.red >= steps and not dreamer.blue:
            act()

    return step


def make_raising(config, seed, tell):
    """Raises after three steps, unless it is a restored one."""

    def fail():
        raise RuntimeError("a step\nwent wrong")

    return Dream(FakeDreamer(_size(config), _after(3, fail)), "fake", "cpu", WNIDS)


def make_killed(config, seed, tell):
    return Dream(FakeDreamer(_size(config), _after(3, lambda: os.kill(os.getpid(), signal.SIGKILL))), "fake", "cpu", WNIDS)


def make_hanging(config, seed, tell):
    return Dream(FakeDreamer(_size(config), _after(3, lambda: time.sleep(1000))), "fake", "cpu", WNIDS)


def make_hanging_always(config, seed, tell):
    return Dream(FakeDreamer(_size(config), lambda dreamer: time.sleep(1000)), "fake", "cpu", WNIDS)


def make_slow_to_load(config, seed, tell):
    tell("loading for ever")
    time.sleep(1000)


def make_deaf(config, seed, tell):
    """Ignores everything but being killed."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return make_hanging_always(config, seed, tell)
