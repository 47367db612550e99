"""Copies of pictures from the device to the host."""

import numpy as np
import pytest
import torch

from streamer.dream.algorithms.canvas import Canvas
from streamer.dream.algorithms.host_copies import HostCopier, PendingCopy

GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA here")


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=[pytest.mark.gpu, GPU])])
def device(request):
    return torch.device(request.param)


def test_a_copy_is_the_picture_as_it_was_whatever_comes_after(device):
    copies, chance = HostCopier(device), torch.Generator().manual_seed(1)
    picture = (300 * torch.rand((1, 3, 45, 83), generator=chance) - 20).to(device)
    expected = np.rint(picture[0].permute(1, 2, 0).cpu().numpy()).clip(0, 255).astype(np.uint8)
    taken = []
    for _ in range(5):
        taken.append(copies.begin(picture))
        picture.mul_(0.5)
        torch.rand((1, 3, 45, 83), device=device)  # competes for the memory
        taken.append(copies.begin(picture))
        picture.mul_(2)
    assert all(np.array_equal(copy.array(), expected) for copy in taken[::2])
    assert all(copy.done for copy in taken)
    assert not np.array_equal(taken[1].array(), expected)
    assert taken[0].array().flags.c_contiguous


def test_a_canvas_gives_the_same_at_once_and_later(device):
    canvas = Canvas(np.random.default_rng(1).integers(0, 256, (30, 50, 3), dtype=np.uint8), device)
    copy = canvas.copy()
    assert np.array_equal(copy.array(), canvas.array())
    canvas.picture = canvas.picture * 0
    assert copy.array().any()
    assert not canvas.array().any()


def test_what_is_on_its_way_is_waited_for():
    class Event:
        there = False

        def query(self):
            return self.there

        def synchronize(self):
            host.fill_(7)
            self.there = True

    host = torch.zeros((2, 3, 3), dtype=torch.uint8)
    coming = PendingCopy(host, Event())
    assert not coming.done
    assert (coming.array() == 7).all()
    assert coming.done
