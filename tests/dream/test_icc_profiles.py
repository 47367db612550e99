"""Photographs with an ICC profile, read with ``read_image``."""

from __future__ import annotations

import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from streamer.dream.sources.picture import read_image
from streamer.media.transparency import BACKDROP
from tests.dream.icc import (
    ADOBE_RGB,
    D50,
    DISPLAY_P3,
    LINEAR,
    PROPHOTO,
    cmyk_profile,
    encode,
    flat_profile,
    grey_profile,
    rgb_profile,
    to_xyz,
)
from tests.dream.tiffs import tiff

COLOURS = np.array([[(200, 40, 40), (40, 200, 40), (40, 40, 200), (220, 200, 60), (128, 128, 128), (255, 255, 255)]])
SPACES = {"Adobe RGB": ADOBE_RGB, "Display P3": DISPLAY_P3, "ProPhoto": PROPHOTO, "linear": LINEAR}


@pytest.mark.parametrize(
    ("name", "ending"),
    [*((name, ending) for name in SPACES for ending in ("png", "tif", "webp")), ("Adobe RGB", "jpg"), ("Display P3", "jpg")],
)
def test_colours_become_srgb(tmp_path: Path, name: str, ending: str) -> None:
    wide = np.rint(encode(COLOURS / 255, SPACES[name]) * 255).astype(np.uint8)
    assert np.abs(wide - COLOURS.astype(float)).max() > 12, "they would show"
    image = Image.fromarray(np.repeat(np.repeat(wide, 16, axis=0), 16, axis=1))
    options = {"lossless": True} if ending == "webp" else {"quality": 100, "subsampling": 0} if ending == "jpg" else {}
    image.save(tmp_path / f"a.{ending}", icc_profile=rgb_profile(SPACES[name]), **options)
    found = read_image(tmp_path / f"a.{ending}")[8, 8::16].astype(int)
    # One level of 8 bits in a wide colour space is more than one level in sRGB, and far more in dark areas of a linear space.
    assert found == pytest.approx(COLOURS[0], abs=5 if name == "linear" else 3)


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("ending", ["png", "tif"])
def test_16_bits_are_kept_until_after_it(tmp_path: Path, name: str, ending: str) -> None:
    ramp = np.linspace(0, 0.15, 400)
    dark = np.repeat(ramp[None, :, None], 3, axis=2)
    deep = np.rint(encode(dark, SPACES[name]) * 65_535).astype(np.uint16)
    path = tmp_path / f"a.{ending}"
    write_deep(path, deep, rgb_profile(SPACES[name]))
    found = read_image(path)[0].astype(float)
    assert np.abs(found - ramp[:, None] * 255).max() < 1.1
    assert len(np.unique(found)) >= 37, "no shade is lost: cut to 8 bits first, a linear one has 6"


def write_deep(path: Path, values: np.ndarray, icc: bytes) -> None:
    if path.suffix == ".tif":
        path.write_bytes(tiff(values, icc=icc))
        return
    _, data = cv2.imencode(".png", values[..., ::-1] if values.ndim == 3 else values)
    parts = data.tobytes()
    body = b"iCCP" + b"made\0\0" + zlib.compress(icc)
    chunk = (len(body) - 4).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
    path.write_bytes(parts[:33] + chunk + parts[33:])


def test_deep_colours_are_exact(tmp_path: Path) -> None:
    write_deep(tmp_path / "a.png", np.rint(encode(COLOURS / 255, PROPHOTO) * 65_535).astype(np.uint16), rgb_profile(PROPHOTO))
    assert read_image(tmp_path / "a.png")[0].astype(int) == pytest.approx(COLOURS[0], abs=1)


@pytest.mark.parametrize("deep", [False, True])
def test_grey_has_profiles_too(tmp_path: Path, deep: bool) -> None:
    values = np.array([[0, 64, 128, 255]]).repeat(4, axis=0)
    wanted = np.rint(255 * np.array([srgb_of((one / 255) ** 1.8) for one in values[0]]))
    if deep:
        write_deep(tmp_path / "a.png", (values * 257).astype(np.uint16), grey_profile(1.8))
    else:
        Image.fromarray(values.astype(np.uint8)).save(tmp_path / "a.png", icc_profile=grey_profile(1.8))
    assert read_image(tmp_path / "a.png")[0, :, 1] == pytest.approx(wanted, abs=1)


def srgb_of(light: float) -> float:
    return light * 12.92 if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055


@pytest.mark.parametrize("deep", [False, True])
def test_a_grey_picture_may_have_a_profile_of_rgb(tmp_path: Path, deep: bool) -> None:
    icc = rgb_profile(LINEAR)
    if deep:
        write_deep(tmp_path / "a.png", np.full((4, 4), 14_145, np.uint16), icc)
    else:
        Image.new("L", (4, 4), 55).save(tmp_path / "a.png", icc_profile=icc)
    assert read_image(tmp_path / "a.png") == pytest.approx(128, abs=1)


def test_transparency_is_laid_on_grey_after_it(tmp_path: Path) -> None:
    wide = np.rint(encode(np.array((200, 40, 40)) / 255, ADOBE_RGB) * 255).astype(int)
    image = Image.new("RGBA", (8, 4), (*wide, 255))
    image.paste((*wide, 0), (4, 0, 8, 4))
    image.save(tmp_path / "a.png", icc_profile=rgb_profile(ADOBE_RGB))
    found = read_image(tmp_path / "a.png")
    assert found[0, 0].astype(int) == pytest.approx((200, 40, 40), abs=2)
    assert tuple(found[0, 7]) == BACKDROP


def test_a_palette_has_a_profile_too(tmp_path: Path) -> None:
    wide = np.rint(encode(np.array((200, 40, 40)) / 255, ADOBE_RGB) * 255).astype(np.uint8)
    image = Image.new("P", (4, 4), 0)
    image.putpalette(wide.tolist())
    image.save(tmp_path / "a.png", icc_profile=rgb_profile(ADOBE_RGB))
    assert read_image(tmp_path / "a.png")[0, 0].astype(int) == pytest.approx((200, 40, 40), abs=2)


def inks() -> np.ndarray:
    """Return Lab colours of all combinations of full cyan, magenta, yellow and black, roughly as in offset printing."""
    found = np.empty((2, 2, 2, 2, 3))
    for cyan, magenta, yellow, black in np.ndindex(2, 2, 2, 2):
        kept = (1 - 0.42 * cyan) * (1 - 0.5 * magenta) * (1 - 0.06 * yellow) * (1 - black)
        a, b = -37 * cyan + 74 * magenta - 5 * yellow, -50 * cyan - 3 * magenta + 93 * yellow
        found[cyan, magenta, yellow, black] = (100 * kept, a * (1 - black), b * (1 - black))
    return found


@pytest.mark.parametrize("ending", ["jpg", "tif"])
def test_printed_colours_are_what_their_profile_says(tmp_path: Path, ending: str) -> None:
    image = Image.new("CMYK", (48, 16))
    for left, colour in ((0, (0, 0, 0, 0)), (16, (255, 0, 0, 0)), (32, (0, 255, 255, 0))):
        image.paste(colour, (left, 0, left + 16, 16))
    options = {"quality": 100} if ending == "jpg" else {}
    image.save(tmp_path / f"a.{ending}", icc_profile=cmyk_profile(inks()), **options)
    paper, cyan, red = read_image(tmp_path / f"a.{ending}")[8, 8::16].astype(int)
    assert paper == pytest.approx((255, 255, 255), abs=1), "paper is the screen's white"
    assert cyan == pytest.approx(seen_of_lab((58, -37, -50)), abs=4), "of itself, it would be (0, 255, 255)"
    assert red == pytest.approx(seen_of_lab((47, 69, 90)), abs=4)


def seen_of_lab(lab: tuple[float, float, float]) -> np.ndarray:
    """Convert CIE Lab under D50 to sRGB."""
    y = (lab[0] + 16) / 116
    roots = np.array((y + lab[1] / 500, y, y - lab[2] / 200))
    xyz = np.where(roots > 6 / 29, roots**3, 3 * (6 / 29) ** 2 * (roots - 4 / 29)) * D50
    light = np.clip(np.linalg.inv(to_xyz((*LINEAR[:4], None))) @ xyz, 0, 1)
    return 255 * np.array([srgb_of(one) for one in light])


def test_without_a_profile_inks_are_taken_as_ideal(tmp_path: Path) -> None:
    Image.new("CMYK", (4, 4), (0, 128, 255, 0)).save(tmp_path / "a.tif")
    assert read_image(tmp_path / "a.tif")[0, 0].astype(int) == pytest.approx((255, 127, 0), abs=1)


def test_lab_becomes_srgb(tmp_path: Path) -> None:
    lab = np.tile(np.array((112, 61, 42), np.uint8), (4, 6, 1))  # L* 43.9, a* 61, b* 42
    (tmp_path / "a.tif").write_bytes(tiff(lab, meaning=8))
    assert read_image(tmp_path / "a.tif")[0, 0].astype(int) == pytest.approx((196, 37, 40), abs=4)


@pytest.mark.parametrize(
    "icc", [ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(), rgb_profile((*LINEAR[:4], None))]
)
def test_srgb_is_left_as_it_is(tmp_path: Path, icc: bytes) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    Image.fromarray(picture).save(tmp_path / "a.png", icc_profile=icc)
    assert np.array_equal(read_image(tmp_path / "a.png"), picture)


@pytest.mark.parametrize(
    ("icc", "says"),
    [
        (b"nonsense" * 30, "it is broken"),
        (rgb_profile(ADOBE_RGB)[:300], "it is broken"),
        (rgb_profile(ADOBE_RGB).replace(b"rTRC", b"xTRC"), "it is broken"),
        (flat_profile(), "it makes all colours alike"),
        (cmyk_profile(inks()), "it is for CMYK, the picture is RGB"),
        (grey_profile(2.2), "it is for L, the picture is RGB"),
    ],
)
def test_what_cannot_be_used_is_passed_over_with_a_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, icc: bytes, says: str
) -> None:
    Image.new("RGB", (4, 4), (200, 40, 40)).save(tmp_path / "a.png", icc_profile=icc)
    assert (read_image(tmp_path / "a.png") == (200, 40, 40)).all()
    assert caplog.messages == [f"the colour profile of '{tmp_path / 'a.png'}' is ignored: {says}"]
