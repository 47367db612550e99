"""Snapshots: the dream at a moment in a file, with its picture, momentum, random state, camera and the scene on air.

The format is two lines of JSON, then arrays in safetensors format; reading it executes nothing. The first line identifies the
format and has a checksum of the rest. A file is written under another name and then moved, so that there is always a complete
one.
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
"""Version of the format; other versions are refused."""
MOST_BYTES = 128 * 2**20
"""Largest file. If it would be larger, as for a canvas beyond 4K, momentum is left out."""
MAX_SIDE_PX = 16_384
KEPT = "kept."
"""Prefix of the names of the arrays of the dream's state."""


class SnapshotError(ZoomdreamError):
    """A snapshot cannot be resumed from; the message names it and says why."""


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """A dream at a moment."""

    picture: np.ndarray
    """(H, W, 3) uint8 RGB."""
    pose: Pose
    scene: Scene
    """The scene that the picture shows."""
    on_air: Scene
    """The scene on air: the same, unless it has just changed."""
    on_air_s: float
    """Seconds for which keyframes have shown the scene on air."""
    held: bool
    """Whether a moderator has paused the programme."""
    motion: Motion
    """The camera's motion."""
    motion_meant: Motion
    """The motion that the settings defined."""
    source: str
    """Fingerprint of the source; a dream with another source does not resume from this."""
    kept: DreamState | None = None
    """The dream's state; None if it was too large."""
    source_picture: np.ndarray | None = None
    """The source picture that it was rendered on, at the same size; None without a moving source."""
    taken_s: float = 0.0
    """Unix time."""


def pack(snapshot: Snapshot) -> bytes:
    """Return a snapshot as the contents of a file, at most ``MOST_BYTES``."""
    arrays, about = {"picture": np.ascontiguousarray(snapshot.picture)}, _about(snapshot)
    if snapshot.source_picture is not None:
        arrays["ridden"] = np.ascontiguousarray(snapshot.source_picture)
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
    """Return the snapshot in a file's contents.

    Args:
        name: its name in messages.

    Raises:
        SnapshotError: it is not a snapshot, has another version, or is damaged.
    """
    first, _, rest = data.partition(b"\n")
    try:
        header = json.loads(first)
        known = isinstance(header, dict) and header.get("zoomdream") == "snapshot"
    except (ValueError, RecursionError):
        known = False
    if not known:
        raise SnapshotError(f"{name} is not a snapshot of zoomdream: its first line does not say so")
    if header.get("version") != VERSION:
        raise SnapshotError(f"{name} has version {str(header.get('version'))[:20]}, and this program reads version {VERSION}")
    if header.get("sha256") != hashlib.sha256(rest).hexdigest():
        raise SnapshotError(f"{name} is damaged: its checksum does not match its contents")
    second, _, packed = rest.partition(b"\n")
    try:
        return _snapshot(json.loads(second), {key: np.array(array) for key, array in load(packed).items()})
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError, SafetensorError) as error:
        raise SnapshotError(f"{name} is invalid: {type(error).__name__}: {str(error)[:200]}") from error


def read(path: Path) -> Snapshot | None:
    """Read a file; return None if there is none.

    Raises:
        SnapshotError: it cannot be read; see also ``unpack``.
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
        raise SnapshotError(f"{name} is larger than any snapshot")
    return unpack(data, name)


def write(path: Path, data: bytes) -> None:
    """Write a file atomically; when this returns, the file survives a crash of the machine.

    Raises:
        OSError: it cannot be written; the old file is unchanged.
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
    with suppress(OSError):  # not every system can open a folder
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
    picture, source_picture, kept = arrays["picture"], arrays.get("ridden"), about.get("kept")
    for image in (picture, *([] if source_picture is None else [source_picture])):
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(f"a picture of {image.dtype} {image.shape}")
        if not 1 <= min(image.shape[:2]) <= max(image.shape[:2]) <= MAX_SIDE_PX:
            raise ValueError(f"a picture of {image.shape}")
    if source_picture is not None and source_picture.shape != picture.shape:
        raise ValueError("its source picture has another size")
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
        source_picture,
        float(about["taken_s"]),
    )


def _kept(entry: dict[str, Any], arrays: dict[str, np.ndarray]) -> DreamState:
    found = {name.removeprefix(KEPT): array for name, array in arrays.items() if name.startswith(KEPT)}
    return DreamState(str(entry["network"]), str(entry["algorithm"]), _pose(*entry["pose"]), found, dict(entry["numbers"]))


def _pose(log_zoom: float, rotation: float) -> Pose:
    if not np.isfinite([log_zoom, rotation]).all():
        raise ValueError("the camera's pose is not finite")
    return Pose(float(log_zoom), float(rotation))
