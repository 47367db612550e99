"""Converts scenes and motions to JSON and back, in the common format of journal and snapshot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from streamer.messages.motion import Motion
from streamer.messages.scenes import Region, Scene
from streamer.target_record import target_as_record, target_from_record


def scene_as_record(scene: Scene) -> dict[str, Any]:
    """Return a scene as JSON: its id, viewer, request and regions."""
    regions = []
    for region in scene.regions:
        weight = {} if region.weight == 1 else {"weight": region.weight}
        regions.append(target_as_record(region.target) | {"box": region.box} | weight)
    return {"id": scene.id, "user": scene.user, "request": scene.request_id, "regions": regions}


def scene_from_record(record: Mapping[str, Any]) -> Scene:
    """Return the scene of a record.

    Raises:
        ValueError, KeyError, TypeError: the record is not a scene.
    """
    regions = tuple(_region(region) for region in record["regions"])
    request = record["request"]
    return Scene(int(record["id"]), regions, str(record["user"]), None if request is None else int(request))


def as_motion(speed: float, rotation: float, drive: float = 1.0) -> Motion:
    """Return the motion of recorded values.

    Raises:
        ValueError: the values are out of range.
    """
    if not 0.01 <= speed <= 100 or not abs(rotation) <= 3600 or not 0.01 <= drive <= 100:
        raise ValueError("the camera cannot move like that")
    return Motion(float(speed), float(rotation), float(drive))


def _region(record: Mapping[str, Any]) -> Region:
    left, top, right, bottom = (float(edge) for edge in record["box"])
    return Region(target_from_record(record), (left, top, right, bottom), float(record.get("weight", 1.0)))
