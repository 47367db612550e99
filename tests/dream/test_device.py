import os
import platform
import resource
import subprocess
import sys

import pytest
import torch

from streamer.config import CanvasConfig, VideoConfig
from streamer.dream.device import DeviceError, canvas_size, choose_device


@pytest.mark.parametrize(
    ("canvas", "device", "size"),
    [
        (CanvasConfig(), "cpu", (270, 480)),
        (CanvasConfig(), "cuda", (540, 960)),  # no larger than the video
        (CanvasConfig(width=400), "cpu", (225, 400)),
        (CanvasConfig(height=90), "cpu", (90, 160)),
        (CanvasConfig(width=100, height=200), "cuda", (200, 100)),
    ],
)
def test_an_automatic_canvas_has_the_videos_shape(canvas: CanvasConfig, device: str, size: tuple[int, int]) -> None:
    assert canvas_size(canvas, VideoConfig(width=960, height=540), device) == size


def test_an_extreme_shape_still_gives_a_canvas() -> None:
    assert canvas_size(CanvasConfig(), VideoConfig(width=7680, height=32), "cpu") == (32, 480)


def test_a_gpu_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto").type == "cpu"
    with pytest.raises(DeviceError, match="'device' is cuda, but"):
        choose_device("cuda")


FAULTS = """
import resource, sys, torch
from streamer.dream.device import keep_freed_memory
torch.set_num_threads(1)
if "keep" in sys.argv:
    keep_freed_memory()
def use():
    for _ in range(20):
        tensors = [torch.ones(1 << 21) for _ in range(2)]
use()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
use()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="there is no glibc here")
def test_freed_memory_is_kept_unless_the_environment_says_otherwise() -> None:
    def faults(*arguments: str, **more: str) -> int:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")} | more
        done = subprocess.run(
            [sys.executable, "-c", FAULTS, *arguments], env=environment, capture_output=True, text=True, check=True
        )
        return int(done.stdout)

    pages = 20 * 2 * (8 << 20) // resource.getpagesize()
    assert faults("keep") < pages / 50
    assert faults("keep", MALLOC_MMAP_THRESHOLD_="65536") > pages / 2


HOLES = """
from pathlib import Path
import torch
from streamer.dream.device import keep_freed_memory, return_freed_memory
def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
torch.set_num_threads(1)
keep_freed_memory()
tensors = [torch.ones(1 << 18) for _ in range(200)]
kept = tensors[::20]
del tensors
before = resident()
return_freed_memory()
print(before - resident(), sum(float(each.sum()) for each in kept) == 10 * (1 << 18))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc" or sys.platform != "linux", reason="there is no glibc on Linux here")
def test_what_was_kept_is_handed_back_between_what_is_in_use() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    done = subprocess.run([sys.executable, "-c", HOLES], env=environment, capture_output=True, text=True, check=True)
    freed, whole = done.stdout.split()
    assert int(freed) > 150 << 20
    assert whole == "True"


REPEATABLE = """
import sys
from streamer.dream.device import make_torch_repeatable
make_torch_repeatable()
import torch
print(torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled())
print([name for name in ("torch._dynamo", "torch._inductor", "sympy") if name in sys.modules])
"""


def test_repeatable_results_do_not_import_the_compiler() -> None:
    done = subprocess.run([sys.executable, "-c", REPEATABLE], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["True True", "[]"]
