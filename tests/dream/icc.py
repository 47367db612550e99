"""ICC profiles made from the published specification (ICC.1:2001, version 2.4)."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np

D50 = (0.9642, 1.0, 0.8249)
ADOBE_RGB = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06), (0.3127, 0.3290), 563 / 256)
"""x and y of red, green, blue and white; gamma."""
DISPLAY_P3 = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.3127, 0.3290), None)
"""None means sRGB's curve."""
PROPHOTO = ((0.734699, 0.265301), (0.159597, 0.840403), (0.036598, 0.000105), (0.345704, 0.358540), 1.8)
LINEAR = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06), (0.3127, 0.3290), 1.0)
BRADFORD = np.array(((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296)))

Space = tuple[Sequence[float], Sequence[float], Sequence[float], Sequence[float], float | None]


def to_xyz(space: Space) -> np.ndarray:
    """Return the (3, 3) matrix from linear light to XYZ under D50."""
    *colours, white = ([x / y, 1, (1 - x - y) / y] for x, y in space[:4])
    matrix = np.array(colours).T
    matrix = matrix * np.linalg.solve(matrix, np.array(white))
    adapted = np.linalg.inv(BRADFORD) @ np.diag((BRADFORD @ D50) / (BRADFORD @ white)) @ BRADFORD
    return adapted @ matrix


def encode(srgb: np.ndarray, space: Space) -> np.ndarray:
    """Convert colours in sRGB, 0..1, to values of another colour space, 0..1, that contains them."""
    light = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    srgb_space = (*LINEAR[:4], None)
    found = np.clip(light @ (np.linalg.inv(to_xyz(space)) @ to_xyz(srgb_space)).T, 0, 1)
    if space[4] is not None:
        return found ** (1 / space[4])
    return np.where(found <= 0.0031308, found * 12.92, 1.055 * np.maximum(found, 1e-9) ** (1 / 2.4) - 0.055)


def rgb_profile(space: Space) -> bytes:
    """Return a display's profile: a matrix and a curve per channel."""
    columns = to_xyz(space).T
    curve = _gamma(space[4]) if space[4] is not None else _srgb_curve()
    tags = {b"wtpt": _xyz(D50)}
    for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns, strict=True):
        tags[name] = _xyz(column)
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    return _profile(b"RGB ", b"XYZ ", b"mntr", tags)


def flat_profile() -> bytes:
    """Return a profile that makes all colours black."""
    dark = b"curv" + bytes(4) + struct.pack(">I2H", 2, 0, 0)
    tags = {b"wtpt": _xyz(D50), b"rXYZ": _xyz(D50), b"gXYZ": _xyz(D50), b"bXYZ": _xyz(D50)}
    return _profile(b"RGB ", b"XYZ ", b"mntr", tags | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), dark))


def grey_profile(gamma: float) -> bytes:
    return _profile(b"GRAY", b"XYZ ", b"mntr", {b"wtpt": _xyz(D50), b"kTRC": _gamma(gamma)})


def cmyk_profile(corners: np.ndarray) -> bytes:
    """Return a printer's profile: Lab for 0 and 100 % of each ink, linear in between.

    Args:
        corners: (2, 2, 2, 2, 3) Lab for cyan, magenta, yellow and black along the first four axes.
    """
    l_star, a, b = np.moveaxis(corners.reshape(-1, 3), 1, 0)
    coded = np.stack([l_star / 100 * 65_280, (a + 128) * 256, (b + 128) * 256], axis=1)  # version 2's 16 bits
    straight = np.array([0, 65_535], ">u2").tobytes()
    table = struct.pack(">4sI4B", b"mft2", 0, 4, 3, 2, 0)
    table += struct.pack(">9i", *(round(65_536 * one) for one in (1, 0, 0, 0, 1, 0, 0, 0, 1)))
    table += struct.pack(">2H", 2, 2) + straight * 4 + np.clip(np.rint(coded), 0, 65_535).astype(">u2").tobytes() + straight * 3
    tags = {b"wtpt": _xyz(D50), b"A2B0": table, b"A2B1": table}
    return _profile(b"CMYK", b"Lab ", b"prtr", tags)


def _profile(space: bytes, connection: bytes, kind: bytes, tags: dict[bytes, bytes]) -> bytes:
    text = b"made for a test"
    tags = {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", len(text) + 1) + text + bytes(1 + 12 + 67 + 3),
        b"cprt": b"text" + bytes(4) + b"none\0",
        **tags,
    }
    at, places, body = 128 + 4 + 12 * len(tags), b"", b""
    for name, data in tags.items():
        places += struct.pack(">4sII", name, at + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    size = at + len(body)
    header = struct.pack(">I4sI4s4s4s", size, bytes(4), 0x02400000, kind, space, connection)
    header += struct.pack(">6H4s4sI4s4sQI", 2024, 1, 1, 0, 0, 0, b"acsp", bytes(4), 0, bytes(4), bytes(4), 0, 0)
    header += struct.pack(">3i", *(round(65_536 * one) for one in D50))
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + places + body


def _xyz(values: Sequence[float] | np.ndarray) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(65_536 * float(one)) for one in values))


def _gamma(gamma: float) -> bytes:
    if gamma == 1:
        return b"curv" + bytes(4) + struct.pack(">I", 0)
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256))


def _srgb_curve() -> bytes:
    values = np.linspace(0, 1, 1024)
    light = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return b"curv" + bytes(4) + struct.pack(">I", 1024) + np.rint(light * 65_535).astype(">u2").tobytes()
