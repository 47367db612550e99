"""Converts targets to JSON and back, for queue and journal; new fields of ``Target`` need no change here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

from streamer.messages.scenes import Target


def target_as_record(target: Target) -> dict[str, Any]:
    """Return a target's non-empty fields, by name."""
    values = {field.name: getattr(target, field.name) for field in fields(target)}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items() if value}


def target_from_record(record: Mapping[str, Any]) -> Target:
    """Return the target of a record; unknown names are ignored.

    Raises:
        ValueError: a field is missing or of another type. No other exception is raised, whatever the record holds.
    """
    known: dict[str, Any] = {}
    for field in fields(Target):
        default = "" if field.default is MISSING else field.default
        value = record.get(field.name, default)
        if isinstance(default, tuple):
            value = tuple(value) if isinstance(value, list | tuple) else None
            fits = value is not None and all(type(item) is int for item in value)
        else:
            fits = isinstance(value, str)
        if not fits:
            raise ValueError(f"its '{field.name}' is {str(record.get(field.name))[:100]!r}")
        known[field.name] = value
    target = Target(**known)
    if not target.label or not (target.wnid or target.layer or target.guide or target.objective):
        raise ValueError(f"{str(dict(record))[:100]} is not a target")
    return target
