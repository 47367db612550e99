"""What a render was called with, as it is written down to go on with it, and read again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from streamer.commands.on_ray.options import RayCall
from streamer.config import Config

ON_RAY_FACT = "--ray"
"""Says that a cluster dreams it: what is kept of the work then is another's. Which one it is makes no difference."""
SETTINGS = ("network", "device", "canvas", "video", "zoom", "dream", "ink", "source")
"""Blocks of the settings on which a render depends."""
PATHS = ("guide", "video", "journal")
"""What of a call is a path…"""
MANY_PATHS = ("files", "image")
"""…or several."""


@dataclass(frozen=True, slots=True)
class RenderCall:
    """What ``zoomdream render`` was called with, but for where it writes to; as its options are called."""

    files: tuple[Path, ...] = ()
    script: str = ""
    subject: str = ""
    layer: str = ""
    guide: Path | None = None
    image: tuple[Path, ...] = ()
    video: Path | None = None
    size: str | None = None
    fit: str = ""
    track: int | None = None
    iterations: int | None = None
    octaves: int | None = None
    progress: bool = False
    seconds: float | None = None
    fps: int | None = None
    captions: bool = False
    seed: int | None = None
    journal: Path | None = None
    begin: str = ""
    end: str = ""
    exact: bool = False
    style: str = ""
    overrides: tuple[str, ...] = ()


def facts(call: RenderCall, kind: str, settings: Config, ray: RayCall | None = None) -> dict[str, Any]:
    """What makes the render of a call what it is, as JSON has it.

    Settings are only compared, by checksums: no secret of theirs is written down.
    """
    usual = RenderCall()
    found: dict[str, Any] = {"kind": kind, "seed": settings.seed if call.seed is None else call.seed}
    for field in fields(RenderCall):
        value = getattr(call, field.name)
        if field.name != "seed" and value != getattr(usual, field.name):
            found[f"--{field.name}"] = _told(field.name, value)
    dumped = settings.model_dump(mode="json", include=set(SETTINGS))
    for name in SETTINGS:
        data = json.dumps(dumped[name], sort_keys=True, default=str).encode()
        found[f"settings of {name}"] = hashlib.sha256(data).hexdigest()[:16]
    if ray is not None:
        found[ON_RAY_FACT] = True
        if ray.segment_s is not None:
            found["--ray-segment"] = ray.segment_s
    return found


def call_from_facts(told: Mapping[str, Any]) -> RenderCall:
    """The call of which these are the facts."""
    found: dict[str, Any] = {}
    for field in fields(RenderCall):
        value = told.get(f"--{field.name}")
        if value is None:
            continue
        if field.name in PATHS:
            value = Path(value)
        elif field.name in MANY_PATHS:
            value = tuple(map(Path, value))
        found[field.name] = tuple(value) if isinstance(value, list) else value
    return RenderCall(**found)


def _told(name: str, value: Any) -> Any:
    if name in PATHS:
        return str(Path(value).absolute())
    return [str(Path(each).absolute()) for each in value] if name in MANY_PATHS else value
