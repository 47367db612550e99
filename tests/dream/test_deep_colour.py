"""Pictures with more than 8 bits per channel, and TIFFs of every type, read with ``read_image``."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from streamer.dream.sources.picture import SourceError, read_image
from tests.dream.icc import LINEAR, rgb_profile
from tests.dream.tiffs import tiff

COLOUR = np.array((200, 40, 60))


def deep(colour: object = COLOUR) -> np.ndarray:
    """Return (6, 8, 3) uint16 of a colour, with a white corner at the bottom right."""
    image = np.tile((np.asarray(colour) * 257).astype(np.uint16), (6, 8, 1))
    image[-1, -1] = 65_535
    return image


def scaled(bits: int) -> np.ndarray:
    return np.rint(deep() / 65_535 * ((1 << bits) - 1)).astype(np.uint16)


def read(path: Path, data: bytes) -> np.ndarray:
    path.write_bytes(data)
    return read_image(path)


@pytest.mark.parametrize(
    ("data", "first"),
    [
        (tiff(deep()), COLOUR),
        (tiff(deep(), order=">"), COLOUR),
        (tiff(deep()[..., 0]), (200, 200, 200)),
        (tiff(65_535 - deep()[..., 0], meaning=0), (200, 200, 200)),
        (tiff(scaled(10), bits=10), COLOUR),
        (tiff(scaled(12), bits=12), COLOUR),
        (tiff(scaled(14), bits=14), COLOUR),
        (tiff(scaled(12)[..., 0], bits=12), (200, 200, 200)),
        (tiff((deep() / 65_535).astype(np.float32), numbers=3), COLOUR),
        (tiff((deep()[..., 0] / 65_535).astype(np.float32), numbers=3), (200, 200, 200)),
        (tiff(deep()[..., 0] / 65_535, numbers=3), (200, 200, 200)),
        (tiff((deep() // 257).astype(np.uint8)), COLOUR),
        (tiff(np.dstack([deep((55, 215, 195)), np.zeros((6, 8), np.uint16)]), meaning=5), COLOUR),
    ],
    ids=["16", "big-endian", "grey", "white-is-0", "10", "12", "14", "grey12", "float", "grey-float", "double", "8", "CMYK"],
)
def test_tiffs_of_many_kinds(tmp_path: Path, data: bytes, first: object) -> None:
    found = read(tmp_path / "a.tif", data)
    assert found.shape == (6, 8, 3)
    assert found.dtype == np.uint8
    assert found[0, 0].astype(int) == pytest.approx(np.asarray(first), abs=0.6)


@pytest.mark.parametrize("premultiplied", [False, True])
def test_16_bits_may_be_clear(tmp_path: Path, premultiplied: bool) -> None:
    colours = deep() // 2 if premultiplied else deep()
    image = np.dstack([colours, np.full((6, 8), 32_768, np.uint16)])
    found = read(tmp_path / "a.tif", tiff(image, extra=1 if premultiplied else 2))
    assert found[0, 0].astype(int) == pytest.approx((COLOUR + 128) / 2, abs=1)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_pngs_of_16_bits(tmp_path: Path, channels: int) -> None:
    image = deep()[..., ::-1] if channels > 1 else deep()[..., 0]
    if channels == 4:
        image = np.dstack([image, np.full((6, 8), 32_768, np.uint16)])
    _, data = cv2.imencode(".png", image)
    wanted = {1: (200, 200, 200), 3: COLOUR, 4: (COLOUR + 128) / 2}[channels]
    assert read(tmp_path / "a.png", data.tobytes())[0, 0].astype(int) == pytest.approx(np.asarray(wanted), abs=0.6)


def test_16_bits_are_rounded_not_cut(tmp_path: Path) -> None:
    values = np.array([[0, 128, 129, 257 * 100 + 128, 257 * 100 + 129, 65_535]] * 2, np.uint16)
    assert read(tmp_path / "a.tif", tiff(values))[0, :, 0].tolist() == [0, 0, 1, 100, 101, 255]


@pytest.mark.parametrize("orientation", [1, 2, 3, 4, 5, 6, 7, 8])
def test_16_bits_are_turned_like_8(tmp_path: Path, orientation: int) -> None:
    image = np.arange(6 * 8).reshape(6, 8).repeat(3).reshape(6, 8, 3)
    shallow = read(tmp_path / "a.tif", tiff((image * 5).astype(np.uint8), more={274: orientation}))
    found = read(tmp_path / "b.tif", tiff((image * 5 * 257).astype(np.uint16), more={274: orientation}))
    _, data = cv2.imencode(".png", (image * 5 * 257).astype(np.uint16))
    exif = b"eXIf" + b"II*\0" + struct.pack("<IHHHIII", 8, 1, 274, 3, 1, orientation, 0)
    png = data.tobytes()
    chunk = (len(exif) - 4).to_bytes(4, "big") + exif + zlib.crc32(exif).to_bytes(4, "big")
    assert np.array_equal(found, shallow)
    assert np.array_equal(read(tmp_path / "c.png", png[:33] + chunk + png[33:]), shallow)
    assert found.shape == ((6, 8, 3) if orientation < 5 else (8, 6, 3))


def test_floats_beyond_white_are_cut_where_a_profile_says_what_white_is(tmp_path: Path) -> None:
    light = (np.array((0.5776, 0.0212, 2.5)) * np.ones((4, 4, 1))).astype(np.float32)
    found = read(tmp_path / "a.tif", tiff(light, numbers=3, icc=rgb_profile(LINEAR)))
    assert found[0, 0].astype(int) == pytest.approx((200, 40, 255), abs=1)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (tiff(deep()[..., 0].astype(np.uint32)), "holds whole numbers of 32 bits, whose white is not known"),
        (tiff(deep().astype(np.uint32)), "holds whole numbers of 32 bits, whose white is not known"),
        (tiff(deep()[..., 0].astype(np.int32), numbers=2), "holds signed whole numbers of 32 bits"),
        (tiff(deep()[..., 0].astype(np.int16), numbers=2), "holds signed whole numbers of 16 bits"),
        (tiff((deep()[..., 0] // 600).astype(np.int8), numbers=2), "holds signed whole numbers of 8 bits"),
        (tiff((deep() / 257).astype(np.float32), numbers=3), "holds floating-point values from 0 to 255; save it with values"),
        (tiff((deep() / 65_535 - 0.5).astype(np.float32), numbers=3), "holds floating-point values from -0.3431 to 0.5;"),
        (tiff(np.full((4, 4), np.nan, np.float32), numbers=3), "holds floating-point values that are not numbers"),
        (tiff((deep() / 65_535).astype(np.float16), numbers=3), "RGB with 16 floating-point bits and 3 channels"),
        (tiff(deep(), meaning=8), "is a TIFF of Lab with 16 bits and 3 channels, which cannot be read; save it as RGB"),
        (tiff(deep()[..., :2], extra=2), "is a TIFF of RGB with 16 bits and 2 channels, which cannot be read"),
        (tiff(np.dstack([deep()] * 2), extra=0), "is a TIFF of RGB with 16 bits and 6 channels, which cannot be read"),
        (tiff(deep(), more={254: 1, 330: 8}), "is a camera's raw file, of which only the preview can be read"),
        (tiff(deep())[:200], "is broken, or a TIFF of a kind that cannot be read: RGB with 16 bits"),
        (tiff(scaled(12), bits=12)[:-20], "is broken, or a TIFF of a kind"),
        (tiff(deep())[:40], "is not a picture in a known format"),
    ],
)
def test_unreadable_kinds_of_tiff_are_named(tmp_path: Path, data: bytes, says: str) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(data)
    with pytest.raises(SourceError) as caught:
        read_image(path)
    assert str(path) in str(caught.value)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_truncated_deep_png_is_reported(tmp_path: Path) -> None:
    _, data = cv2.imencode(".png", np.random.default_rng(0).integers(0, 65_536, (64, 64, 3), dtype=np.uint16))
    with pytest.raises(SourceError, match="cannot be read: image file is truncated"):
        read(tmp_path / "a.png", data.tobytes()[:9000])


def test_a_deep_bomb_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    data = tiff(scaled(12), bits=12).replace(struct.pack("<HHII", 256, 4, 1, 8), struct.pack("<HHII", 256, 4, 1, 20_000_000))
    with pytest.raises(SourceError, match="claims 20000000x6 pixels and is larger than 100 megapixels"):
        read(tmp_path / "a.tif", data)
