"""Colour spaces that a picture names by number, like films (ITU-T H.273): AVIF and HEIF in a ``colr`` box, PNG in ``cICP``."""

from __future__ import annotations

import struct
from pathlib import Path

from streamer.dream.sources.deep_colour import PNG
from streamer.dream.sources.picture_formats import ftyp_brand
from streamer.media.tone_mapping import Primaries, Transfer

HEAD = 1 << 16
"""Bytes at the start of AVIF and HEIF that contain their properties, before the pixels."""
BOX = b"colrnclx"


def cicp_colours(path: Path) -> tuple[Transfer, Primaries] | None:
    """Return a picture's transfer function and primaries from its numbers; None if there are none, or if they mean sRGB."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    if head.startswith(PNG):
        numbers = _png(head)
    elif ftyp_brand(path):
        at = head.find(BOX) + len(BOX)
        numbers = struct.unpack_from(">2H", head, at) if at >= len(BOX) and at + 4 <= len(head) else None
    else:
        numbers = None
    if numbers is None:
        return None
    primaries, transfer = numbers
    if transfer == Transfer.HLG:
        return Transfer.HLG, Primaries.BT2020
    colours = Primaries(primaries) if primaries in list(Primaries) else Primaries.BT709
    if transfer == Transfer.PQ:
        return Transfer.PQ, colours
    return None if colours is Primaries.BT709 else (Transfer.SDR, colours)


def _png(head: bytes) -> tuple[int, int] | None:
    at = len(PNG)
    while at + 12 <= len(head):
        (size,), name = struct.unpack_from(">I", head, at), head[at + 4 : at + 8]
        if name == b"cICP" and size == 4:
            return head[at + 8], head[at + 9]
        if name in (b"IDAT", b"PLTE"):
            return None
        at += 12 + size
    return None
