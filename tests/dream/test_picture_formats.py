"""Picture formats, and the colour numbers of some of them."""

from __future__ import annotations

import io
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from streamer.dream.sources import picture_formats
from streamer.dream.sources.picture import SourceError, read_image
from streamer.dream.sources.picture_formats import describe_skipped, is_picture
from tests.media.patches import BT2020_FROM_BT709, hlg, linear, pq, srgb

Image.init()  # loads all plugins
COLOUR = (200, 40, 40)
SRGB_13, PQ, HLG = 13, 16, 18


def touch(folder: Path, *names: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).touch()
    return folder


@pytest.mark.parametrize(
    ("ending", "form"),
    [
        ("jpg", "JPEG"),
        ("jpe", "JPEG"),
        ("JFIF", "JPEG"),
        ("png", "PNG"),
        ("webp", "WEBP"),
        ("gif", "GIF"),
        ("bmp", "BMP"),
        ("dib", "DIB"),
        ("tif", "TIFF"),
        ("tga", "TGA"),
        ("avif", "AVIF"),
        ("jp2", "JPEG2000"),
        ("j2k", "JPEG2000"),
        ("ppm", "PPM"),
        ("pnm", "PPM"),
        ("qoi", "QOI"),
    ],
)
def test_what_a_folder_takes_can_be_read(tmp_path: Path, ending: str, form: str) -> None:
    if form not in Image.SAVE:
        pytest.skip(f"this Pillow writes no {form}")
    path = tmp_path / f"a.{ending}"
    Image.new("RGB", (16, 12), COLOUR).save(path, format=form)
    assert is_picture(path)
    assert spot(path) == pytest.approx(COLOUR, abs=4)


def test_hidden_files_and_others_are_no_pictures(tmp_path: Path) -> None:
    assert not any(is_picture(tmp_path / name) for name in (".a.jpg", "a.txt", "a.mp4", "a.cr2", "jpg"))


def test_what_is_passed_over_is_named_in_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_formats, "reads_heif", lambda: False)
    folder = touch(tmp_path / "f", "a.jpg", "b.HEIC", "c.cr2", "d.jxl", "e.nef", "f.dng", "g.txt", "h.mp4", ".hidden")
    (folder / "more").mkdir()
    assert describe_skipped(folder) == (
        f"passed over in '{folder}': b.HEIC (to read HEIF: pip install 'zoomdream[heif]'), "
        "c.cr2, d.jxl, e.nef and 1 more (kinds that cannot be read), 1 folder, 2 other files"
    )
    monkeypatch.setattr(picture_formats, "reads_heif", lambda: True)
    assert "HEIC" not in describe_skipped(folder)
    assert is_picture(folder / "b.HEIC")


def test_nothing_is_said_where_nothing_is_passed_over(tmp_path: Path) -> None:
    assert describe_skipped(touch(tmp_path / "f", "a.jpg", "b.avif", ".hidden")) == ""


def test_reading_heif_without_its_package_names_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    path = tmp_path / "IMG_1.HEIC"
    path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100))
    with pytest.raises(SourceError) as caught:
        read_image(path)
    assert str(caught.value) == f"'{path}' is HEIF, for which a package is missing: pip install 'zoomdream[heif]'"


def test_heif_is_read(tmp_path: Path) -> None:
    heif = pytest.importorskip("pillow_heif", reason="the extra heif is not installed")
    image = Image.new("RGB", (64, 48), COLOUR)
    image.paste((255, 255, 255), (0, 0, 16, 12))
    exif = Image.Exif()
    exif[0x0112] = 6
    heif.from_pillow(image).save(tmp_path / "a.heic", quality=95, exif=exif.tobytes())
    found = read_image(tmp_path / "a.heic")
    assert found.shape == (64, 48, 3), "turned as the camera held it"
    assert found[40, 20].astype(int) == pytest.approx(COLOUR, abs=4)
    assert found[4, -4].astype(int) == pytest.approx((255, 255, 255), abs=4)
    cut = (tmp_path / "a.heic").read_bytes()[:300]
    (tmp_path / "b.heic").write_bytes(cut)
    with pytest.raises(SourceError, match="cannot be read"):
        read_image(tmp_path / "b.heic")


def test_a_raw_file_is_called_one(tmp_path: Path) -> None:
    (tmp_path / "a.cr3").write_bytes(b"\0\0\0\x18ftypcrx \0\0\0\1crx isom" + bytes(100))
    with pytest.raises(SourceError, match=r"a\.cr3' is a camera's raw file, of which only the preview can be read"):
        read_image(tmp_path / "a.cr3")


def coded(path: Path, values: np.ndarray, primaries: int, transfer: int, *, deep: bool = False) -> Path:
    """Write values, 0..1, as a picture with colour numbers."""
    if path.suffix == ".png":
        rounded = np.rint(values * 65_535).astype(np.uint16) if deep else np.rint(values * 255).astype(np.uint8)
        _, data = cv2.imencode(".png", rounded[..., ::-1])
        chunk = b"cICP" + bytes((primaries, transfer, 0, 1))
        png = data.tobytes()
        path.write_bytes(png[:33] + (4).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big") + png[33:])
        return path
    held = io.BytesIO()
    Image.fromarray(np.rint(values * 255).astype(np.uint8)).save(held, "AVIF", quality=100, subsampling="4:4:4")
    data = held.getvalue()
    at = data.index(b"colrnclx") + 8
    path.write_bytes(data[:at] + bytes((0, primaries, 0, transfer)) + data[at + 4 :])
    return path


def spot(path: Path) -> np.ndarray:
    """Read the colour in the middle."""
    image = read_image(path)
    return image[image.shape[0] // 2, image.shape[1] // 2].astype(int)


def flat(colour: np.ndarray) -> np.ndarray:
    return np.tile(colour, (48, 64, 1))


@pytest.mark.parametrize("name", ["a.png", "a.avif"])
@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_hdr_pictures_are_toned_down(tmp_path: Path, name: str, transfer: int) -> None:
    if name == "a.avif" and "AVIF" not in Image.SAVE:
        pytest.skip("this Pillow reads no AVIF")
    nits = linear(np.array(COLOUR) / 255) @ BT2020_FROM_BT709.T * 203
    path = coded(tmp_path / name, flat(pq(nits) if transfer == PQ else hlg(nits)), 9, transfer)
    assert spot(path) == pytest.approx(COLOUR, abs=12)
    assert np.array_equal(read_image(path).shape, (48, 64, 3))


def test_hdr_of_16_bits_is_nearer(tmp_path: Path) -> None:
    nits = linear(np.array(COLOUR) / 255) @ BT2020_FROM_BT709.T * 203
    path = coded(tmp_path / "a.png", flat(pq(nits)), 9, PQ, deep=True)
    assert spot(path) == pytest.approx(COLOUR, abs=5)


@pytest.mark.parametrize("name", ["a.png", "a.avif"])
def test_wide_gamuts_noted_by_number_become_srgb(tmp_path: Path, name: str) -> None:
    if name == "a.avif" and "AVIF" not in Image.SAVE:
        pytest.skip("this Pillow reads no AVIF")
    p3_from_bt709 = np.array(((0.8225, 0.1775, 0), (0.0332, 0.9668, 0), (0.0171, 0.0724, 0.9105)))
    values = srgb(linear(np.array(COLOUR) / 255) @ p3_from_bt709.T)
    assert spot(coded(tmp_path / name, flat(values), 12, SRGB_13)) == pytest.approx(COLOUR, abs=3)


def test_srgb_noted_by_number_is_left_as_it_is(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    assert np.array_equal(read_image(coded(tmp_path / "a.png", picture / 255, 1, SRGB_13)), picture)
