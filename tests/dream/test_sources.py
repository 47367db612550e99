from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from streamer.dream.sources.noise import noise
from streamer.dream.sources.picture import SourceError, read_image
from streamer.media.transparency import BACKDROP
from tests.shapes import EXIF, fields, quad


def checkerboard(height: int = 5, width: int = 7) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_a_png_comes_back_as_it_is(tmp_path: Path) -> None:
    picture = checkerboard()
    Image.fromarray(picture).save(tmp_path / "a.png")
    read = read_image(tmp_path / "a.png")
    assert np.array_equal(read, picture)
    assert read.dtype == np.uint8
    assert read.flags.c_contiguous


def test_grey_palette_bilevel_and_cmyk_become_rgb(tmp_path: Path) -> None:
    image = Image.fromarray(checkerboard())
    for mode, name in (("L", "l.png"), ("P", "p.png"), ("1", "1.png"), ("CMYK", "c.jpg")):
        image.convert(mode).save(tmp_path / name)
        assert read_image(tmp_path / name).shape == (5, 7, 3), mode


def test_sixteen_bit_grey_is_scaled_not_clipped(tmp_path: Path) -> None:
    Image.fromarray(np.full((4, 6), 0x8080, dtype=np.uint16)).save(tmp_path / "a.png")
    assert (read_image(tmp_path / "a.png") == 0x80).all()


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_becomes_mid_grey(tmp_path: Path, mode: str) -> None:
    Image.new(mode, (6, 4), 0).save(tmp_path / "a.png")
    assert (read_image(tmp_path / "a.png") == BACKDROP).all()


def test_a_transparent_palette_colour_becomes_mid_grey(tmp_path: Path) -> None:
    image = Image.new("P", (6, 4), 1)
    image.putpalette([0, 0, 0, 255, 0, 0])
    image.save(tmp_path / "a.png", transparency=1)
    assert (read_image(tmp_path / "a.png") == BACKDROP).all()


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.tif"])
@pytest.mark.parametrize("orientation", EXIF)
def test_all_eight_orientations_stand_upright(tmp_path: Path, orientation: int, name: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(quad()).save(tmp_path / name, exif=exif, quality=98, lossless=True)
    image = read_image(tmp_path / name)
    assert image.shape == ((120, 160, 3) if orientation < 5 else (160, 120, 3))
    assert fields(image) == EXIF[orientation]


def test_of_an_animation_the_first_picture_is_taken(tmp_path: Path) -> None:
    first, second = Image.new("RGB", (6, 4), (255, 0, 0)), Image.new("RGB", (6, 4), (0, 0, 255))
    first.save(tmp_path / "a.gif", save_all=True, append_images=[second])
    assert (read_image(tmp_path / "a.gif") == (255, 0, 0)).all()


def write_garbage(path: Path) -> None:
    path.write_bytes(b"not a picture at all")


def write_truncated(path: Path) -> None:
    Image.fromarray(checkerboard(64, 64)).save(path, format="png")
    path.write_bytes(path.read_bytes()[:2000])


def write_float(path: Path) -> None:
    Image.fromarray(np.full((4, 6), 300, dtype=np.float32)).save(path, format="tiff")


@pytest.mark.parametrize(
    ("write", "says"),
    [
        (lambda path: None, "there is no picture"),
        (Path.mkdir, "is a folder"),
        (Path.touch, "is not a picture"),
        (write_garbage, "is not a picture"),
        (write_truncated, "cannot be read"),
        (write_float, "floating-point values from 0 to 300; save it with values from 0 to 1"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, write: Callable[[Path], None], says: str) -> None:
    path = tmp_path / "picture.png"
    write(path)
    with pytest.raises(SourceError, match=says) as caught:
        read_image(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("side", [11_000, 60_000])
def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path: Path, side: int) -> None:
    header = b"BM" + bytes(8) + (54).to_bytes(4, "little")
    header += (40).to_bytes(4, "little") + side.to_bytes(4, "little") * 2
    header += (1).to_bytes(2, "little") + (24).to_bytes(2, "little") + bytes(24)
    (tmp_path / "a.bmp").write_bytes(header)
    with pytest.raises(SourceError, match="100 megapixels"):
        read_image(tmp_path / "a.bmp")


def test_noise_is_coloured_and_repeats_with_its_seed() -> None:
    first, again = (noise((36, 64), np.random.default_rng(3)) for _ in range(2))
    assert first.shape == (36, 64, 3)
    assert np.array_equal(first, again)
    assert 10 < first.std() < 40
    assert (first[..., 0] != first[..., 2]).any()
