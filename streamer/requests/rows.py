"""Requests as the queue's file keeps them, and back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from shared.role import Role
from streamer.messages.requests import Priority, Request, RequestState
from streamer.messages.scenes import Target
from streamer.target_record import target_as_record, target_from_record

COLUMNS = "id, state, user, text, targets, role, source, created_s, message_id, priority, amount, settled, aired_s"
"""What a row has, in its order."""


def request_of(row: tuple[Any, ...]) -> Request:
    """A row of the file as a request; without votes, which lie elsewhere.

    Raises:
        ValueError, TypeError: it makes no sense.
    """
    number, state, user, text, targets, role, source, created_s, message_id, priority, amount, settled, aired_s = row
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
        settled=settled,
        aired_s=max(0.0, float(aired_s)),
    )


def packed_targets(targets: Sequence[Target]) -> str:
    """Targets as the file keeps them."""
    return json.dumps(list(map(_pack, targets)))


def _pack(target: Target) -> dict[str, Any]:
    """A target as the file keeps it."""
    assert not target.guide, "only operators name files, and they ask for nothing here"
    return target_as_record(target)


def _unpack(kept: Any) -> Target:
    """The other way, of lists as well, as files of version 0.1 have them; raises ValueError or TypeError."""
    match kept:
        case {"label": str()}:
            return target_from_record(kept)
        case [str(wnid), str(label)] if wnid:
            return Target(wnid, label)
        case ["", str(label), str(layer), [*channels]] if layer and all(type(channel) is int for channel in channels):
            return Target("", label, layer, tuple(channels))
    raise ValueError(f"{str(kept)[:100]} is no target")
