"""The real program, except that its worker fails on command and its keyframes are written to files; same command line.

``renderer_faults`` and ``program_kill`` start it. They share the folder in the environment variable ``FOLDER``: a file
``fault`` holds the name of a fault, which the next step reads and removes; ``keyframes`` holds the keyframes.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from streamer import zoom
from streamer.config import Config
from streamer.dream.interface import Dream, PreparationCallback
from streamer.messages.keyframes import Keyframe
from streamer.messages.motion import Pose
from tests.acceptance.light_dream import LIGHT_NETWORK, Light, light

FOLDER = "ACCEPTANCE_FOLDER"
LIGHT = "ACCEPTANCE_LIGHT"
"""Environment variable that replaces the real dream with a light one, for slow machines."""
BORDER_PX = 6


def no_memory(dream: Dream) -> None:
    if dream.network == LIGHT_NETWORK:
        raise MemoryError("(injected)")
    import torch

    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB (injected)")


def cuda_error(dream: Dream) -> None:
    kind = RuntimeError
    if not isinstance(dream.dreamer, Light):
        import torch

        kind = getattr(torch, "AcceleratorError", RuntimeError)
    raise kind("CUDA error: an illegal memory access was encountered (injected)")


def not_a_number(dream: Dream) -> None:
    if isinstance(dream.dreamer, Light):
        dream.dreamer.pixels[5, 7] = float("nan")
    else:
        dream.dreamer.canvas.picture[0, 0, 5, 7] = float("nan")  # type: ignore[attr-defined]


def leave(dream: Dream) -> None:
    os._exit(0)


FAULTS: dict[str, Callable[[Dream], None]] = {
    "out of memory": no_memory,
    "CUDA error": cuda_error,
    "not a number": not_a_number,
    "exit 0": leave,
}


def build(config: Config, seed: int, tell: PreparationCallback) -> Dream:
    """Build the real or the light dream, with steps that read and raise faults."""
    if os.environ.get(LIGHT):
        dream = light(config, seed)
    else:
        from streamer.dream.worker.worker_setup import build_dream as real

        dream = real(config, seed, tell)
    file = Path(os.environ[FOLDER], "fault")
    step = dream.dreamer.step

    def stepping(dt_s: float, camera_s: float | None = None) -> None:
        fault = ""
        with suppress(OSError):
            fault = file.read_text()
            file.unlink()
        if fault:
            FAULTS[fault](dream)
        step(dt_s, camera_s)

    dream.dreamer.step = stepping  # type: ignore[method-assign]
    return dream


# For the scripts that read the keyframes.


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """A dreamed keyframe."""

    at_s: float
    """Arrival time, by the machine's monotonic clock."""
    time_s: float
    """Time of its camera pose."""
    pose: Pose
    scene: int
    image: np.ndarray


def keep(keyframe: Keyframe) -> None:
    """Write a keyframe where ``seen`` reads it."""
    at_s, pose = time.monotonic(), keyframe.pose
    folder = Path(os.environ[FOLDER], "keyframes")
    about = np.array([at_s, keyframe.time_s, pose.log_zoom, pose.rotation, keyframe.scene.id])
    np.savez(folder / f"{at_s:015.4f}.new.npz", about=about, image=keyframe.image)
    (folder / f"{at_s:015.4f}.new.npz").rename(folder / f"{at_s:015.4f}.npz")


def seen(folder: Path, since_s: float, until_s: float = float("inf")) -> list[Seen]:
    """Return the keyframes that came in this span of time, in order."""
    found = []
    for path in sorted((folder / "keyframes").glob("*[0-9].npz")):
        if since_s < float(path.stem) <= until_s:
            with np.load(path) as data:
                at_s, time_s, log_zoom, rotation, scene = data["about"]
                found.append(Seen(at_s, time_s, Pose(log_zoom, rotation), int(scene), data["image"]))
    return found


def next_seen(folder: Path, since_s: float, timeout_s: float) -> Seen:
    """Wait for the first keyframe after ``since_s`` and return it."""
    end_s = time.monotonic() + timeout_s
    while time.monotonic() < end_s:
        if found := seen(folder, since_s):
            return found[0]
        time.sleep(0.02)
    raise TimeoutError(f"no picture within {timeout_s:g} s")


def difference(before: np.ndarray, old: Pose, after: np.ndarray, new: Pose) -> float:
    """Return the mean absolute difference of two pictures in levels, without the camera's motion and the border."""
    height, width = before.shape[:2]
    matrix = zoom.sampling_matrix(old, new, (height, width), after.shape[:2])
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(before.astype(np.float32), matrix, after.shape[1::-1], flags=flags, borderMode=cv2.BORDER_REFLECT)
    inside = slice(BORDER_PX, -BORDER_PX)
    return float(np.abs(moved - after)[inside, inside].mean())


def apart(keyframes: Sequence[Seen], seconds: float) -> list[float]:
    """Return the differences between keyframes of one scene that are this many seconds apart."""
    found = []
    for number, before in enumerate(keyframes):
        later = next((each for each in keyframes[number:] if each.time_s >= before.time_s + seconds), None)
        if later is not None and later.scene == before.scene and later.time_s < before.time_s + 1.5 * seconds:
            found.append(difference(before.image, before.pose, later.image, later.pose))
    return found


def main() -> None:
    from streamer.dream.worker import process

    class Faulty(process.WorkerProcess):
        def __init__(self, config: Config, seed: int, factory: Any = None, *others: Any, **named: Any) -> None:
            super().__init__(config, seed, factory or build, *others, **named)

    process.WorkerProcess = Faulty  # type: ignore[misc]
    from streamer import __main__ as program
    from streamer import pipeline
    from streamer.dream.worker.renderer import Renderer

    class Watched(Renderer):
        def __init__(self, config: Config, seed: int, on_keyframe: Any, **others: Any) -> None:
            def both(keyframe: Keyframe) -> None:
                if keyframe.steps:
                    keep(keyframe)
                on_keyframe(keyframe)

            super().__init__(config, seed, both, **others)

    pipeline.Renderer = Watched  # type: ignore[misc]
    program.main()


if __name__ == "__main__":
    from tests.acceptance import faulty_program

    Path(os.environ[FOLDER], "keyframes").mkdir(exist_ok=True)
    sys.exit(faulty_program.main())  # other processes unpickle its functions, by this module's name
