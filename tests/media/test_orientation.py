import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.bitstream import BitStreamFilterContext
from PIL import Image

from streamer.dream.sources.readers import FilmReader
from streamer.media.orientation import AS_IT_IS, TURNS, DisplayShape, turn_of, upright
from tests.shapes import EXIF, MATRIX, disc, extent, fields, joined, note_in_header, quad, seen, write


def in_header(path: Path, orientation: int) -> Path:
    return note_in_header(write(path.with_suffix(".mp4"), [quad()] * 2), MATRIX[orientation])


def as_side_data(path: Path, orientation: int) -> Path:
    return write(path.with_suffix(".mkv"), [quad()] * 2, matrix=MATRIX[orientation])


def in_the_stream(path: Path, orientation: int) -> Path:
    """Write H.264's own display orientation (ISO 14496-10, D.2.27), which the first picture sets for all."""
    turn = {1: 0, 2: 0, 3: 180, 4: 0, 5: 90, 6: 270, 7: 270, 8: 90}[orientation]  # counter-clockwise, after mirroring
    flip = {2: ":flip=horizontal", 4: ":flip=vertical", 5: ":flip=horizontal", 7: ":flip=horizontal"}.get(orientation, "")
    plain, path = write(path.with_suffix(".plain.h264"), [quad()] * 2), path.with_suffix(".h264")
    with av.open(str(plain)) as container:
        noting = BitStreamFilterContext(
            f"h264_metadata=display_orientation=insert:rotate={turn}{flip}", container.streams.video[0]
        )
        packets = [packet for coded in container.demux(video=0) if coded.size for packet in noting.filter(coded)]
        path.write_bytes(b"".join(bytes(packet) for packet in (*packets, *noting.filter(None))))
    return path


def in_exif(path: Path, orientation: int) -> Path:
    path = path.with_suffix(".jpg")
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(quad()).save(path, quality=98, subsampling=0, exif=exif)
    return path


@pytest.mark.parametrize("write_film", [in_header, as_side_data, in_the_stream, in_exif])
@pytest.mark.parametrize("orientation", EXIF)
def test_all_eight_orientations_stand_upright(
    tmp_path: Path, orientation: int, write_film: Callable[[Path, int], Path]
) -> None:
    for image in seen(FilmReader(str(write_film(tmp_path / "a", orientation)))):
        assert image.shape == ((120, 160, 3) if orientation < 5 else (160, 120, 3))
        assert image.flags.c_contiguous
        assert fields(image) == EXIF[orientation]


@pytest.mark.parametrize("orientation", [2, 6, 7])
def test_notes_outlast_what_becomes_of_the_colours(tmp_path: Path, orientation: int) -> None:
    """Interlaced and HDR videos take other paths to RGB."""

    def show(name: str, **coded: object) -> np.ndarray:
        path = tmp_path / name
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=25)
            assert isinstance(stream, av.VideoStream)
            stream.height, stream.width, stream.pix_fmt = 120, 160, "yuv420p"
            stream.options = {"crf": "4", **({"x264-params": "tff=1"} if coded.pop("interlaced", False) else {})}
            stream.codec_context.sample_aspect_ratio = Fraction(2)
            for key, value in coded.items():
                setattr(stream.codec_context, key, value)
            a, b, c, d = (value * 65536 for value in MATRIX[orientation])
            stream.set_display_matrix((a, b, 0, c, d, 0, 0, 0, 1 << 30))
            for _ in range(4):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(quad(), format="rgb24")))
            container.mux(stream.encode(None))
        return seen(FilmReader(str(path)))[1]

    interlaced = show("a.mp4", interlaced=True)
    assert interlaced.shape == ((120, 320, 3) if orientation < 5 else (320, 120, 3))
    assert fields(interlaced) == EXIF[orientation]
    hdr = show("b.mp4", color_trc=16, color_primaries=9, colorspace=9)
    assert hdr.shape == interlaced.shape
    halves = (slice(0, hdr.shape[0] // 2), slice(hdr.shape[0] // 2, None)), (slice(0, 60), slice(-60, None))
    light = [float(hdr[rows, columns].mean()) for rows in halves[0] for columns in halves[1]]
    assert int(np.argmax(light)) == EXIF[orientation].replace("/", "").index("Y")


def degrees(angle: float, *, mirrored: bool = False) -> Sequence[int]:
    cos, sin = round(math.cos(math.radians(angle)) * 65536), round(math.sin(math.radians(angle)) * 65536)
    across = -1 if mirrored else 1
    return (across * cos, -sin, 0, across * sin, cos, 0, 0, 0, 1 << 30)


@pytest.mark.parametrize(("angle", "nearest"), [(0, 1), (30, 1), (-44, 1), (46, 8), (90, 8), (179, 3), (-80, 6), (-136, 3)])
def test_other_angles_become_the_nearest_quarter_turn(angle: float, nearest: int) -> None:
    assert turn_of(degrees(angle)) == MATRIX[nearest]
    a, b, c, d = MATRIX[nearest]
    assert turn_of(degrees(angle, mirrored=True)) == (-a, b, -c, d), "the mirror stays"


@pytest.mark.parametrize(
    "matrix", [[0] * 9, [], [5], [65536, 0, 0, 0, 65536, 0, 7 << 16, 9 << 16, 1 << 30], [1, 0, 0, 0, 1 << 30] + [0] * 4]
)
def test_what_says_nothing_of_a_turn_leaves_the_picture_as_it_is(matrix: Sequence[int]) -> None:
    assert turn_of(matrix) == AS_IT_IS


def test_a_turn_takes_each_pixel_where_the_matrix_says() -> None:
    image = np.random.default_rng(0).integers(0, 256, (3, 5, 3), np.uint8)
    for a, b, c, d in TURNS:
        shown = upright(image, DisplayShape(1.0, (a, b, c, d)))
        assert shown.flags.c_contiguous
        left, top = min(0, 4 * a, 2 * c), min(0, 4 * b, 2 * d)
        for y in range(3):
            for x in range(5):
                assert (shown[b * x + d * y - top, a * x + c * y - left] == image[y, x]).all()


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.ts", "libx264"),
        ("a.mp4", "libx264"),
        ("a.mp4", "libvpx-vp9"),
        ("a.mpg", "mpeg2video"),
        ("a.avi", "mpeg4"),
        ("a.avi", "mjpeg"),
    ],
)
def test_pixels_that_are_not_square_are_made_so_wherever_it_is_noted(tmp_path: Path, name: str, codec: str) -> None:
    """The pixel shape is in the container for VP9, which has no such tag, and in the pictures for the others."""
    film = write(tmp_path / name, [disc((90, 120), 60, 4 / 3)] * 3, codec=codec, pixel=Fraction(4, 3))
    for image in seen(FilmReader(str(film))):
        assert image.shape == (90, 160, 3)
        assert extent(image) == pytest.approx((60, 60), abs=2)


@pytest.mark.parametrize("codec", ["libx264", "mpeg2video"])
@pytest.mark.parametrize("pixels", [(Fraction(1), Fraction(4, 3)), (Fraction(4, 3), Fraction(1))])
def test_each_picture_has_its_own_pixels(tmp_path: Path, codec: str, pixels: tuple[Fraction, Fraction]) -> None:
    """Television switches from 4:3 to 16:9 midway. The switch is exact to the picture, although decoders run ahead."""
    parts = [
        write(tmp_path / f"{number}.ts", [disc((90, 120), 60, float(pixel))] * 10, codec=codec, form="mpegts", pixel=pixel)
        for number, pixel in enumerate(pixels)
    ]
    found = seen(FilmReader(str(joined(tmp_path / "a.ts", parts))))
    assert [image.shape[1] for image in found] == [round(120 * pixels[0])] * 10 + [round(120 * pixels[1])] * 10
    for image in found:
        assert extent(image) == pytest.approx((60, 60), abs=2)


def test_a_container_that_corrects_the_pictures_is_believed(tmp_path: Path) -> None:
    film = write(tmp_path / "a.mp4", [disc((90, 120), 60, 2)] * 3, pixel=Fraction(4, 3))
    data = bytearray(film.read_bytes())
    at = data.index(b"pasp") + 4
    data[at : at + 8] = (2).to_bytes(4, "big") + (1).to_bytes(4, "big")
    film.write_bytes(data)
    for image in seen(FilmReader(str(film))):
        assert image.shape == (90, 240, 3)


def test_a_shape_beyond_belief_is_passed_over(tmp_path: Path) -> None:
    film = write(tmp_path / "a.mp4", [disc((90, 120), 60)] * 2, pixel=Fraction(50))
    assert seen(FilmReader(str(film)))[0].shape == (90, 120, 3)


def test_wide_pixels_are_turned_with_the_picture(tmp_path: Path) -> None:
    film = write(tmp_path / "a.mp4", [disc((90, 120), 60, 2)] * 2, pixel=Fraction(2), matrix=MATRIX[6])
    image = seen(FilmReader(str(film)))[0]
    assert image.shape == (240, 90, 3)
    assert extent(image) == pytest.approx((60, 60), abs=2)


def test_the_size_may_change_midway(tmp_path: Path) -> None:
    parts = [
        write(tmp_path / f"{number}.ts", [disc(size, 60)] * 6, form="mpegts")
        for number, size in enumerate(((90, 120), (120, 90)))
    ]
    found = seen(FilmReader(str(joined(tmp_path / "a.ts", parts))))
    assert [image.shape[:2] for image in found] == [(90, 120)] * 6 + [(120, 90)] * 6
    assert all(extent(image) == (60, 60) for image in found)
