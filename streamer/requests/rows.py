"""Converts requests to rows of the queue's file and back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from shared.role import Role
from streamer.messages.requests import Priority, Request, RequestState
from streamer.messages.scenes import Target
from streamer.target_record import target_as_record, target_from_record

COLUMNS = "id, state, user, text, targets, role, source, created_s, message_id, priority, amount, settled, aired_s"
"""Columns of a row, in order."""


def request_of(row: tuple[Any, ...]) -> Request:
    """Convert a row to a request, without votes, which are in another table.

    Raises:
        ValueError, TypeError: it is invalid.
    """
    number, state, user, text, targets, role, source, created_s, message_id, priority, amount, pinned_position, aired_s = row
    return Request(
        number,
        user,
        text,
        tuple(map(_unpack, json.loads(targets))),
        Role(role),
        source,
        created_s,
        RequestState(state),
        message_id,
        Priority(priority),
        amount,
        pinned_position=pinned_position,
        aired_s=max(0.0, float(aired_s)),
    )


def packed_targets(targets: Sequence[Target]) -> str:
    """Return targets as JSON for the file."""
    return json.dumps(list(map(_pack, targets)))


def _pack(target: Target) -> dict[str, Any]:
    """A target as JSON."""
    assert not target.guide, "only operators name files, and they make no requests"
    return target_as_record(target)


def _unpack(kept: Any) -> Target:
    """A target from JSON, also from the lists of version 0.1; raises ValueError or TypeError."""
    match kept:
        case {"label": str()}:
            return target_from_record(kept)
        case [str(wnid), str(label)] if wnid:
            return Target(wnid, label)
        case ["", str(label), str(layer), [*channels]] if layer and all(type(channel) is int for channel in channels):
            return Target("", label, layer, tuple(channels))
    raise ValueError(f"{str(kept)[:100]} is not a target")
