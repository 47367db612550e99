"""The options of a render, as they are saved with unfinished work and read again to continue it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from streamer.commands.on_ray.options import RayCall
from streamer.config import Config

RenderKind = Literal["script", "picture", "film", "journal"]
"""What is rendered; saved with unfinished work."""
ON_RAY_FACT, SEGMENT_FACT = "--ray", "--ray-segment"
"""Whether a cluster renders it, since the saved work differs then; any cluster can continue it. And the segments' length."""
SETTINGS = ("network", "device", "canvas", "video", "zoom", "dream", "ink", "source")
"""Blocks of the settings on which a render depends."""
PATHS = ("guide", "video", "journal")
"""Fields of a call that hold a path."""
MANY_PATHS = ("files", "image")
"""Fields of a call that hold several paths."""


@dataclass(frozen=True, slots=True)
class RenderCall:
    """What ``zoomdream render`` was called with, in either form, except for its output; the fields are saved by their names."""

    files: tuple[Path, ...] = ()
    """A config, if any, and then pictures."""
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


def is_config(file: Path) -> bool:
    """Return whether a file is one of settings, by its extension."""
    return file.suffix.lower() in (".yaml", ".yml")


def facts(call: RenderCall, kind: RenderKind, settings: Config, ray: RayCall | None = None) -> dict[str, Any]:
    """Return everything that the pixels of a call depend on, ready for JSON.

    Settings are only compared, so checksums of them are saved, and no secrets.
    """
    usual = RenderCall()
    found: dict[str, Any] = {"kind": kind, "seed": settings.seed if call.seed is None else call.seed}
    for field in fields(RenderCall):
        value = getattr(call, field.name)
        if field.name != "seed" and value != getattr(usual, field.name):
            found[f"--{field.name}"] = _json_value(field.name, value)
    dumped = settings.model_dump(mode="json", include=set(SETTINGS))
    for name in SETTINGS:
        data = json.dumps(dumped[name], sort_keys=True, default=str).encode()
        found[f"settings of {name}"] = hashlib.sha256(data).hexdigest()[:16]
    if ray is not None:
        found[ON_RAY_FACT] = True
        if ray.segment_s is not None:
            found[SEGMENT_FACT] = ray.segment_s
    return found


def call_from_facts(saved: Mapping[str, Any]) -> RenderCall:
    """Return the call that ``facts`` was given."""
    found: dict[str, Any] = {}
    for field in fields(RenderCall):
        value = saved.get(f"--{field.name}")
        if value is None:
            continue
        if field.name in PATHS:
            value = Path(value)
        elif field.name in MANY_PATHS:
            value = tuple(map(Path, value))
        found[field.name] = tuple(value) if isinstance(value, list) else value
    return RenderCall(**found)


def _json_value(name: str, value: Any) -> Any:
    if name in PATHS:
        return str(Path(value).absolute())
    return [str(Path(each).absolute()) for each in value] if name in MANY_PATHS else value
