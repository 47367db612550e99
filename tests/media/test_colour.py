from __future__ import annotations

from contextlib import closing
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from streamer.dream.sources.picture import SourceError
from streamer.dream.sources.readers import FilmReader
from streamer.media.colour import as_array, in_rgb
from streamer.media.transparency import BACKDROP
from tests.films import write_film
from tests.media.patches import (
    BT601,
    BT709,
    BT2020,
    BT2020_FROM_BT709,
    HLG,
    PQ,
    QUAD,
    hlg,
    linear,
    patches,
    pq,
    seen,
    srgb,
    write,
)

WIDE = {"colorspace": 9, "color_range": 1, "color_primaries": 9}


def read(path: Path) -> tuple[np.ndarray, list[str]]:
    """Return the second picture of a video and the notes about the video."""
    with closing(FilmReader(str(path))) as reader:
        reader.read()
        return reader.read()[0], list(reader.notes)


def look(path: Path) -> np.ndarray:
    return seen(read(path)[0])


@pytest.mark.parametrize("to_light", [linear, lambda values: values**2.4], ids=["sRGB", "BT.1886"])
@pytest.mark.parametrize(("trc", "encode", "name"), [(PQ, pq, "PQ"), (HLG, hlg, "HLG")])
def test_hdr_is_toned_down_and_says_so_once(tmp_path: Path, trc: int, encode, name: str, to_light) -> None:
    nits = to_light(patches()) @ BT2020_FROM_BT709.T * 203
    tags = {**WIDE, "color_trc": trc}
    image, notes = read(write(tmp_path / "a.mkv", encode(nits), "yuv420p10le", BT2020, tags=tags))
    assert seen(image) == pytest.approx(np.array(QUAD), abs=12), "passed through, red is (119, 79, 65)"
    (note,) = notes
    assert f"HDR ({name})" in note


def test_hdr_of_a_lossy_film_in_quicktime(tmp_path: Path) -> None:
    nits = linear(patches()) @ BT2020_FROM_BT709.T * 203
    path = write(tmp_path / "a.mov", hlg(nits), "yuv420p10le", BT2020, codec="libx264", tags={**WIDE, "color_trc": HLG})
    assert look(path) == pytest.approx(np.array(QUAD), abs=8)


@pytest.mark.parametrize(("trc", "encode", "most"), [(PQ, pq, 4000), (HLG, hlg, 1000)])
def test_highlights_roll_off_to_white(tmp_path: Path, trc: int, encode, most: int) -> None:
    nits = np.geomspace(1, most, 320)
    values = encode(np.repeat(nits[None, :, None], 120, 0).repeat(3, 2))
    grey = read(write(tmp_path / "a.mkv", values, "yuv444p10le", BT2020, tags={**WIDE, "color_trc": trc}))[0][60].astype(int)
    assert np.ptp(grey, axis=1).max() <= 2, "no colour comes in"
    assert (np.diff(grey[:, 1]) >= 0).all()
    assert np.diff(grey[:, 1]).max() <= 6, "no edge"
    assert 220 <= np.interp(203, nits, grey[:, 1]) <= 240
    assert 244 <= np.interp(500, nits, grey[:, 1]) <= 251
    assert grey[-1, 1] >= 253


def test_black_stays_black(tmp_path: Path) -> None:
    values = np.zeros((120, 160, 3))
    image, _ = read(write(tmp_path / "a.mkv", values, "yuv420p10le", BT2020, tags={**WIDE, "color_trc": PQ}))
    assert image.max() <= 1


@pytest.mark.parametrize("primaries", [9, 12])
def test_wide_gamuts_become_srgb(tmp_path: Path, primaries: int) -> None:
    p3_from_bt709 = np.array(((0.8225, 0.1775, 0), (0.0332, 0.9668, 0), (0.0171, 0.0724, 0.9105)))
    matrix = BT2020_FROM_BT709 if primaries == 9 else p3_from_bt709
    values, space, weights = srgb(linear(patches()) @ matrix.T), *((9, BT2020) if primaries == 9 else (1, BT709))
    tags = {"colorspace": space, "color_range": 1, "color_trc": 1, "color_primaries": primaries}
    image, notes = read(write(tmp_path / "a.mkv", values, "yuv420p10le", weights, tags=tags))
    assert seen(image) == pytest.approx(np.array(QUAD), abs=3)
    assert np.abs(seen(values * 255) - np.array(QUAD)).max() > 15, "they would show"
    assert not notes


@pytest.mark.parametrize(
    ("size", "weights"),
    [((720, 960), BT709), ((240, 1280), BT709), ((718, 1278), BT601), ((576, 720), BT601), ((120, 160), BT601)],
)
def test_where_nothing_is_noted_large_films_are_bt709(
    tmp_path: Path, size: tuple[int, int], weights: tuple[float, float]
) -> None:
    colours = ((201, 50, 30), *QUAD[1:])
    path = write(tmp_path / "a.mkv", patches(colours, size), "yuv420p", weights)
    assert look(path) == pytest.approx(np.array(colours), abs=3), "with the other matrix, (201, 50, 30) is (187, 34, 32)"


@pytest.mark.parametrize(
    ("size", "weights", "space"),
    [((720, 960), BT601, 5), ((720, 960), BT601, 6), ((120, 160), BT709, 1), ((120, 160), BT2020, 9), ((120, 160), BT2020, 10)],
)
def test_what_is_noted_goes_before_the_size(
    tmp_path: Path, size: tuple[int, int], weights: tuple[float, float], space: int
) -> None:
    path = write(tmp_path / "a.mkv", patches(size=size), "yuv420p", weights, tags={"colorspace": space})
    assert look(path) == pytest.approx(np.array(QUAD), abs=4)


@pytest.mark.parametrize("space", [0, 3, 12])
def test_a_matrix_that_cannot_be_meant_counts_as_none(tmp_path: Path, space: int) -> None:
    path = write(tmp_path / "a.mkv", patches(), "yuv420p", BT601, tags={"colorspace": space})
    assert look(path) == pytest.approx(np.array(QUAD), abs=4)


def test_a_matrix_that_is_not_known_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mkv", patches(), "yuv420p", tags={"colorspace": 8})
    with pytest.raises(SourceError, match="written as YCgCo, which cannot be shown"):
        read(path)


@pytest.mark.parametrize(
    ("pix_fmt", "codec", "ending", "full", "tags"),
    [
        ("yuv420p", "ffv1", "mkv", False, {"color_range": 1}),
        ("yuv420p", "ffv1", "mkv", True, {"color_range": 2}),
        ("yuv420p", "libx264", "mp4", True, {"color_range": 2}),
        ("yuvj420p", "mjpeg", "avi", True, {}),
        ("yuv444p", "ffv1", "mkv", False, {}),
        ("yuv422p10le", "ffv1", "mkv", False, {}),
        ("yuv422p10le", "prores_ks", "mov", False, {}),
        ("yuv444p12le", "ffv1", "mkv", True, {"color_range": 2}),
        ("yuv420p16le", "ffv1", "mkv", False, {}),
        ("bgr0", "ffv1", "mkv", False, {}),
        ("gbrp10le", "ffv1", "mkv", False, {}),
        ("rgb48le", "ffv1", "mkv", False, {}),
        ("rgb24", "png", "mov", False, {}),
        ("rgb24", "qtrle", "mov", False, {}),
        ("bgr24", "rawvideo", "avi", False, {}),
    ],
)
def test_ranges_depths_and_layouts(
    tmp_path: Path, pix_fmt: str, codec: str, ending: str, full: bool, tags: dict[str, int]
) -> None:
    path = write(tmp_path / f"a.{ending}", patches(), pix_fmt, BT601, codec=codec, full=full, tags=tags)
    assert look(path) == pytest.approx(np.array(QUAD), abs=3)


def test_a_large_jpeg_film_is_what_jpeg_is(tmp_path: Path) -> None:
    path = write(tmp_path / "a.avi", patches(size=(720, 960)), "yuvj420p", BT601, codec="mjpeg", full=True)
    assert look(path) == pytest.approx(np.array(QUAD), abs=3), "BT.601 at any size"


@pytest.mark.parametrize("pix_fmt", ["gray", "gray10le", "gray16le"])
@pytest.mark.parametrize(("full", "tags"), [(True, {}), (True, {"color_range": 2}), (False, {"color_range": 1})])
def test_grey_is_grey_in_either_range(tmp_path: Path, pix_fmt: str, full: bool, tags: dict[str, int]) -> None:
    shades = np.repeat(np.array([[0], [60], [128], [255]]), 3, axis=1)
    path = write(tmp_path / "a.mkv", patches(shades), pix_fmt, full=full, tags=tags)
    assert look(path) == pytest.approx(shades, abs=1.5)


@pytest.mark.parametrize(
    ("pix_fmt", "codec", "ending"), [("bgra", "ffv1", "mkv"), ("yuva444p", "ffv1", "mkv"), ("argb", "qtrle", "mov")]
)
def test_transparent_parts_are_laid_on_grey(tmp_path: Path, pix_fmt: str, codec: str, ending: str) -> None:
    colours = np.dstack([patches() * 255, np.full((120, 160), 255.0)])
    colours[60:, :80, 3], colours[60:, 80:, 3] = 0, 128
    with av.open(str(tmp_path / f"a.{ending}"), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width, stream.pix_fmt = 120, 160, pix_fmt
        for number in range(2):
            frame = av.VideoFrame.from_ndarray(colours.astype(np.uint8), format="rgba").reformat(format=pix_fmt)
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    half = (np.array(QUAD[3]) + BACKDROP) / 2
    assert look(tmp_path / f"a.{ending}") == pytest.approx(np.array([*QUAD[:2], BACKDROP, half]), abs=4)


def test_a_palette_with_a_transparent_colour_is_laid_on_grey(tmp_path: Path) -> None:
    image = Image.new("P", (160, 120), 1)
    image.paste(0, (0, 0, 80, 120))
    image.putpalette([200, 40, 40, 0, 0, 0])
    image.save(tmp_path / "a.png", transparency=1)
    with closing(FilmReader(str(tmp_path / "a.png"))) as reader:
        found = seen(reader.read()[0])
    assert found == pytest.approx(np.array([QUAD[0], BACKDROP, QUAD[0], BACKDROP]), abs=1)


def test_hdr_keeps_times_and_the_way_up(tmp_path: Path) -> None:
    """Tone mapping keeps times, durations and the display matrix."""
    path = write_film(tmp_path / "a.mp4", rotation=90, times_s=[0, 0.1, 0.5, 0.6])
    plain, toned = [], []
    for found, trc in ((plain, 1), (toned, PQ)):
        with av.open(str(path)) as container:
            frames = list(container.decode(video=0))
            for frame in frames:
                frame.color_trc = trc
            for frame in in_rgb(frames, container.streams.video[0], lambda note: None):
                found.append((frame.time, frame.duration, frame.rotation, frame.format.name, frame.width, frame.height))
    assert toned == plain
    assert toned[1][:3] == (0.1, toned[1][1], 90)


def test_a_film_that_turns_hdr_midway_is_shown_right_throughout(tmp_path: Path) -> None:
    nits = linear(patches()) @ BT2020_FROM_BT709.T * 203
    sdr = write(tmp_path / "sdr.mkv", patches(), "yuv420p", BT601)
    hdr = write(tmp_path / "hdr.mkv", pq(nits), "yuv420p10le", BT2020, tags={**WIDE, "color_trc": PQ})
    notes: list[str] = []
    with av.open(str(sdr)) as one, av.open(str(hdr)) as other:
        frames = [*one.decode(video=0), *other.decode(video=0), *av.open(str(sdr)).decode(video=0)]
        for frame in in_rgb(frames, one.streams.video[0], notes.append):
            assert seen(as_array(frame)) == pytest.approx(np.array(QUAD), abs=8)
    assert len(notes) == 1
