"""TIFF files of kinds that Pillow and OpenCV do not write (TIFF revision 6.0)."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

import numpy as np

SHORT, LONG, BYTES = 3, 4, 7


def tiff(
    image: np.ndarray,
    *,
    bits: int | None = None,
    meaning: int | None = None,
    numbers: int = 1,
    extra: int | None = None,
    icc: bytes = b"",
    more: Mapping[int, int] | None = None,
    order: str = "<",
) -> bytes:
    """Return a TIFF of one strip, without compression.

    Args:
        image: (H, W) or (H, W, C).
        bits: Bits per channel, packed, if fewer than those of ``image``.
        meaning: The photometric interpretation; grey or RGB if left out.
        numbers: 1 unsigned, 2 signed, 3 floating-point.
        extra: What the last channel is: 1 premultiplied opacity, 2 opacity.
        more: Other tags, each with one 16-bit number.
        order: Byte order, ``<`` or ``>``.
    """
    channels = 1 if image.ndim == 2 else image.shape[2]
    depth = bits or image.dtype.itemsize * 8
    if meaning is None:
        meaning = 1 if channels == 1 else 2
    data = _packed(image, bits) if bits else image.astype(image.dtype.newbyteorder(order)).tobytes()
    entries: dict[int, tuple[int, Sequence[int] | bytes]] = {
        256: (LONG, [image.shape[1]]),
        257: (LONG, [image.shape[0]]),
        258: (SHORT, [depth] * channels),
        259: (SHORT, [1]),
        262: (SHORT, [meaning]),
        277: (SHORT, [channels]),
        278: (LONG, [image.shape[0]]),
        279: (LONG, [len(data)]),
        284: (SHORT, [1]),
        339: (SHORT, [numbers] * channels),
    }
    entries |= {tag: (SHORT, [value]) for tag, value in (more or {}).items()}
    if extra is not None:
        entries[338] = (SHORT, [extra])
    if icc:
        entries[34675] = (BYTES, icc)
    entries[273] = (LONG, [0])
    at = 8 + 2 + 12 * len(entries) + 4
    fields, bodies = b"", b""
    raw = {
        tag: bytes(values) if kind == BYTES else struct.pack(f"{order}{len(values)}{'H' if kind == SHORT else 'I'}", *values)
        for tag, (kind, values) in entries.items()
    }
    strip = at + sum(len(body) + len(body) % 2 for body in raw.values() if len(body) > 4)
    raw[273] = struct.pack(f"{order}I", strip)
    for tag in sorted(entries):
        kind, values = entries[tag]
        body = raw[tag]
        fields += struct.pack(f"{order}HHI", tag, kind, len(values))
        if len(body) > 4:
            fields += struct.pack(f"{order}I", at + len(bodies))
            bodies += body + bytes(len(body) % 2)
        else:
            fields += body.ljust(4, b"\0")
    head = b"II*\0" if order == "<" else b"MM\0*"
    return head + struct.pack(f"{order}IH", 8, len(entries)) + fields + bytes(4) + bodies + data


def _packed(image: np.ndarray, bits: int) -> bytes:
    """Pack rows of numbers with few bits, highest bit first; each row starts at a byte."""
    rows = image.reshape(image.shape[0], -1)
    single = (rows[:, :, None] >> np.arange(bits - 1, -1, -1)) & 1
    return np.packbits(single.reshape(len(rows), -1).astype(np.uint8), axis=1).tobytes()
