"""The dream as it is at a moment, in a file: picture, momentum, chance, camera, and what is on air.

Two lines of JSON, then arrays as safetensors lays them out; nothing in it is ever run. The first line says what it is and has a
checksum of all that follows. It is written beside its place and then moved there, so that the old one is whole until the new
one is.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from streamer.dream_state import DreamState
from streamer.errors import ZoomdreamError
from streamer.messages.motion import Motion, Pose
from streamer.messages.scenes import Scene
from streamer.scene_record import as_motion, scene_as_record, scene_from_record

VERSION = 1
"""Of the format; others are not read."""
MOST_BYTES = 128 * 2**20
"""Of a file. Momentum is left out of what would be larger, as of a canvas beyond 4K."""
MAX_SIDE_PX = 16_384
KEPT = "kept."
"""Before the names of what is kept of a dream besides its picture."""


class SnapshotError(ZoomdreamError):
    """A file that cannot be gone on from; its message names it and says why."""


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """A dream at a moment."""

    picture: np.ndarray
    """(H, W, 3) uint8 RGB."""
    pose: Pose
    scene: Scene
    """What the picture shows."""
    on_air: Scene
    """What is on air: the same, unless it has just changed."""
    on_air_s: float
    """Seconds that the dream was seen to dream that."""
    held: bool
    """Whether a moderator holds it."""
    motion: Motion
    """How the camera moves."""
    motion_meant: Motion
    """How the settings had it move."""
    source: str
    """Tells sources apart: a dream of another one is not gone on from."""
    kept: DreamState | None = None
    """What it takes besides the picture to go on; None where that was too much."""
    ridden: np.ndarray | None = None
    """The picture of a moving source that it rode on, at the same size."""
    taken_s: float = 0.0
    """Unix time."""


def pack(snapshot: Snapshot) -> bytes:
    """A snapshot as it stands in a file, of at most ``MOST_BYTES``."""
    arrays, about = {"picture": np.ascontiguousarray(snapshot.picture)}, _about(snapshot)
    if snapshot.ridden is not None:
        arrays["ridden"] = np.ascontiguousarray(snapshot.ridden)
    kept = snapshot.kept
    if kept is not None:
        more = {f"{KEPT}{name}": np.ascontiguousarray(array) for name, array in kept.arrays.items()}
        if sum(array.nbytes for array in (arrays | more).values()) < MOST_BYTES - 2**20:
            arrays |= more
            about["kept"] = {
                "network": kept.network,
                "algorithm": kept.algorithm,
                "pose": [kept.pose.log_zoom, kept.pose.rotation],
                "numbers": dict(kept.numbers),
            }
    rest = _line(about) + save(arrays)
    first = {"zoomdream": "snapshot", "version": VERSION, "sha256": hashlib.sha256(rest).hexdigest()}
    return _line(first) + rest


def unpack(data: bytes, name: str = "the snapshot") -> Snapshot:
    """The other way.

    Args:
        name: what to call it in a message.

    Raises:
        SnapshotError: it is none, of another version, or damaged.
    """
    first, _, rest = data.partition(b"\n")
    try:
        told = json.loads(first)
        known = isinstance(told, dict) and told.get("zoomdream") == "snapshot"
    except (ValueError, RecursionError):
        known = False
    if not known:
        raise SnapshotError(f"{name} is no snapshot of zoomdream: its first line does not say so")
    if told.get("version") != VERSION:
        raise SnapshotError(f"{name} is of version {str(told.get('version'))[:20]}, and this program reads version {VERSION}")
    if told.get("sha256") != hashlib.sha256(rest).hexdigest():
        raise SnapshotError(f"{name} is damaged: its checksum is not that of what is in it")
    second, _, packed = rest.partition(b"\n")
    try:
        return _snapshot(json.loads(second), {key: np.array(array) for key, array in load(packed).items()})
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError, SafetensorError) as error:
        raise SnapshotError(f"{name} makes no sense: {type(error).__name__}: {str(error)[:200]}") from error


def read(path: Path) -> Snapshot | None:
    """Read a file; None where there is none.

    Raises:
        SnapshotError: it cannot be read, or as ``unpack`` says.
    """
    name = f"the snapshot '{path}'"
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise SnapshotError(f"{name} cannot be read: {error.strerror or error}") from error
    if len(data) > MOST_BYTES:
        raise SnapshotError(f"{name} is larger than any is")
    return unpack(data, name)


def write(path: Path, data: bytes) -> None:
    """Put it in its place, all of it or nothing; when this returns, it outlives a crash of the machine.

    Raises:
        OSError: it cannot be written; what was there is as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.new")
    try:
        with beside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError:
        with suppress(OSError):
            beside.unlink()
        raise
    with suppress(OSError):  # not every system lets a folder be opened
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def _about(snapshot: Snapshot) -> dict[str, Any]:
    motion, meant = snapshot.motion, snapshot.motion_meant
    return {
        "taken_s": snapshot.taken_s or time.time(),
        "pose": [snapshot.pose.log_zoom, snapshot.pose.rotation],
        "scene": scene_as_record(snapshot.scene),
        "on_air": scene_as_record(snapshot.on_air),
        "on_air_s": snapshot.on_air_s,
        "held": snapshot.held,
        "motion": [motion.speed, motion.rotation],
        "motion_meant": [meant.speed, meant.rotation],
        "source": snapshot.source,
    }


def _snapshot(about: dict[str, Any], arrays: dict[str, np.ndarray]) -> Snapshot:
    picture, ridden, kept = arrays["picture"], arrays.get("ridden"), about.get("kept")
    for image in (picture, *([] if ridden is None else [ridden])):
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(f"a picture of {image.dtype} {image.shape}")
        if not 1 <= min(image.shape[:2]) <= max(image.shape[:2]) <= MAX_SIDE_PX:
            raise ValueError(f"a picture of {image.shape}")
    if ridden is not None and ridden.shape != picture.shape:
        raise ValueError("it rode on a picture of another size")
    motion, meant = (as_motion(*about[name]) for name in ("motion", "motion_meant"))
    return Snapshot(
        picture,
        _pose(*about["pose"]),
        scene_from_record(about["scene"]),
        scene_from_record(about["on_air"]),
        max(0.0, float(about["on_air_s"])),
        about["held"] is True,
        motion,
        meant,
        str(about["source"]),
        None if kept is None else _kept(kept, arrays),
        ridden,
        float(about["taken_s"]),
    )


def _kept(told: dict[str, Any], arrays: dict[str, np.ndarray]) -> DreamState:
    found = {name.removeprefix(KEPT): array for name, array in arrays.items() if name.startswith(KEPT)}
    return DreamState(str(told["network"]), str(told["algorithm"]), _pose(*told["pose"]), found, dict(told["numbers"]))


def _pose(log_zoom: float, rotation: float) -> Pose:
    if not np.isfinite([log_zoom, rotation]).all():
        raise ValueError("the camera stands nowhere")
    return Pose(float(log_zoom), float(rotation))
