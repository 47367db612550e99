from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import av
import av.filter
import numpy as np
import pytest
from av.codec.context import Flags
from av.video.codeccontext import VideoCodecContext
from PIL import Image

from streamer.dream.sources.readers import FilmReader
from streamer.media.deinterlace import deinterlaced

SIZE = (96, 160)
STEP = 8
"""Pixels that the bar moves per field."""
TELLS = hasattr(VideoCodecContext, "field_order")


def bar(number: int) -> np.ndarray:
    """Return a picture of a bright bar on a dark background, at its position in this field."""
    image = np.full((*SIZE, 3), 50, np.uint8)
    left = 8 + number * STEP
    image[:, left : left + 24] = 200
    return image


def woven(number: int) -> np.ndarray:
    """Weave two fields, the upper lines first."""
    image = bar(2 * number)
    image[1::2] = bar(2 * number + 1)[1::2]
    return image


def whole(number: int) -> np.ndarray:
    return bar(2 * number)


def comb(image: np.ndarray) -> float:
    """Return how much lines differ from the mean of their neighbours: 0 without a comb."""
    luma = image.mean(-1)
    return float(np.abs(luma[1:-1] - (luma[:-2] + luma[2:]) / 2).mean())


def write(path: Path, codec: str, pix_fmt: str, drawn: object = woven, *, field_order: int = 0, count: int = 5) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width, stream.pix_fmt = *SIZE, pix_fmt
        context = stream.codec_context
        if field_order:
            if TELLS:
                context.field_order = field_order
            context.flags |= Flags.interlaced_dct | Flags.interlaced_me
        if codec == "libx264":
            stream.options = {"crf": "4", "x264-params": "tff=1" if field_order else ""}
        if codec in ("mpeg2video", "mpeg4"):
            context.bit_rate = 4_000_000
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(drawn(number), format="rgb24").reformat(format=pix_fmt)
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(marked(frame) if field_order == 2 else frame))
        container.mux(stream.encode())
    return path


def marked(frame: av.VideoFrame) -> av.VideoFrame:
    """Return the picture tagged as interlaced, top field first."""
    graph = av.filter.Graph()
    source = graph.add_buffer(width=SIZE[1], height=SIZE[0], format=frame.format, time_base=frame.time_base)
    graph.link_nodes(source, graph.add("setfield", "mode=tff"), graph.add("buffersink")).configure()
    graph.vpush(frame)
    return graph.vpull()


def read(path: Path) -> list[tuple[np.ndarray, float]]:
    found = []
    with closing(FilmReader(str(path))) as reader:
        try:
            while True:
                found.append(reader.read())
        except EOFError:
            return found


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "ending"),
    [
        ("libx264", "yuv420p", "mp4"),
        ("mpeg2video", "yuv420p", "ts"),
        ("mpeg4", "yuv420p", "avi"),
        ("prores_ks", "yuv422p10le", "mov"),
        ("rawvideo", "uyvy422", "mov"),
        ("ffv1", "yuv422p", "mkv"),  # only the container says that it is interlaced
        ("jpeg2000", "yuv422p", "mov"),
        ("qtrle", "rgb24", "mov"),
    ],
)
def test_fields_become_whole_pictures(tmp_path: Path, codec: str, pix_fmt: str, ending: str) -> None:
    if codec in ("rawvideo", "ffv1", "jpeg2000", "qtrle") and not TELLS:
        pytest.skip("this PyAV does not tell what the file says")
    assert comb(woven(1)) > 10
    found = read(write(tmp_path / f"a.{ending}", codec, pix_fmt, field_order=2))
    assert len(found) == 5, "one for each, the last one too"
    assert [time_s for _, time_s in found] == pytest.approx([0, 0.04, 0.08, 0.12, 0.16], abs=0.001)
    for number, (image, _) in enumerate(found):
        assert comb(image) < 3
        left = np.flatnonzero(image[40:56].mean((0, 2)) > 125)[0]
        assert left == pytest.approx(8 + 2 * number * STEP, abs=2), "where the first field has it"


@pytest.mark.parametrize("count", [1, 2])
def test_short_films_keep_all_their_pictures(tmp_path: Path, count: int) -> None:
    found = read(write(tmp_path / "a.mp4", "libx264", "yuv420p", field_order=2, count=count))
    assert len(found) == count
    assert np.abs(found[-1][0][40, 8 + 2 * (count - 1) * STEP + 12].astype(int) - 200).max() < 6


@pytest.mark.skipif(not TELLS, reason="this PyAV does not tell what the file says")
def test_the_lower_field_may_come_first(tmp_path: Path) -> None:
    def lower_first(number: int) -> np.ndarray:
        image = bar(2 * number)
        image[::2] = bar(2 * number + 1)[::2]
        return image

    for image, _ in read(write(tmp_path / "a.mkv", "ffv1", "yuv422p", lower_first, field_order=3))[1:]:
        assert comb(image) < 3


def frames(path: Path) -> list[av.VideoFrame]:
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


@pytest.mark.parametrize(("codec", "pix_fmt", "ending"), [("libx264", "yuv420p", "mp4"), ("ffv1", "yuv422p10le", "mkv")])
def test_progressive_pictures_pass_immediately_and_unchanged(tmp_path: Path, codec: str, pix_fmt: str, ending: str) -> None:
    path = write(tmp_path / f"a.{ending}", codec, pix_fmt, whole)
    given = frames(path)
    taken: list[av.VideoFrame] = []

    def giving() -> Iterator[av.VideoFrame]:
        for frame in given:
            taken.append(frame)
            yield frame

    with av.open(str(path)) as container:
        for number, frame in enumerate(deinterlaced(giving(), container.streams.video[0]), 1):
            assert len(taken) == number, "none is waited for"
            assert frame is taken[-1]
    assert len(taken) == 5


def test_among_interlaced_pictures_whole_ones_stay_as_they_are(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", "libx264", "yuv420p", field_order=2)
    between = frames(write(tmp_path / "b.mp4", "libx264", "yuv420p", whole))
    given = [*frames(path)[:2], between[2], *frames(path)[3:]]
    kept = bytes(given[2].planes[0])
    with av.open(str(path)) as container:
        found = list(deinterlaced(given, container.streams.video[0]))
    assert [frame.time for frame in found] == [frame.time for frame in given]
    assert bytes(found[2].planes[0]) == kept
    assert comb(found[1].to_ndarray(format="rgb24")) < 3


def test_times_durations_and_the_way_up_are_kept(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", "libx264", "yuv420p", field_order=2)
    data = path.read_bytes()
    at = data.index(b"tkhd") + 4 + 4 + 20 + 8 + 8
    turned = (0, -1 << 16, 0, 1 << 16, 0, 0, 0, 0, 1 << 30)
    path.write_bytes(data[:at] + b"".join(one.to_bytes(4, "big", signed=True) for one in turned) + data[at + 36 :])
    given = frames(path)
    given[3].pts = None
    with av.open(str(path)) as container:
        found = list(deinterlaced(given, container.streams.video[0]))
    assert [(one.pts, one.time_base, one.duration, one.rotation) for one in found] == [
        (one.pts, one.time_base, one.duration, 90) for one in given
    ]


def test_a_change_of_size_loses_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", "libx264", "yuv420p", field_order=2)
    given = frames(path)
    halves = [av.VideoFrame.from_ndarray(woven(0)[:48], format="rgb24").reformat(format="yuv420p") for _ in range(2)]
    with av.open(str(path)) as container:
        found = list(deinterlaced([*given, *halves, *frames(path)], container.streams.video[0]))
    assert [frame.height for frame in found] == [96] * 5 + [48] * 2 + [96] * 5


def test_a_film_that_breaks_off_shows_its_last_picture(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", "libx264", "yuv420p", field_order=2)

    def breaking() -> Iterator[av.VideoFrame]:
        yield from frames(path)[:3]
        raise av.InvalidDataError(1, "broken")

    with av.open(str(path)) as container:
        found = deinterlaced(breaking(), container.streams.video[0])
        assert len([next(found) for _ in range(3)]) == 3
        with pytest.raises(av.InvalidDataError):
            next(found)


def test_the_order_in_which_a_png_loads_is_not_meant(tmp_path: Path) -> None:
    """FFmpeg sets the interlaced flag for Adam7 PNGs too."""
    with av.open(str(tmp_path / "a.mov"), "w") as container:
        stream = container.add_stream("png", rate=25)
        stream.height, stream.width, stream.pix_fmt = *SIZE, "rgb24"
        stream.codec_context.flags |= Flags.interlaced_dct
        for number in range(2):
            frame = av.VideoFrame.from_ndarray(woven(number), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    assert frames(tmp_path / "a.mov")[0].interlaced_frame
    for number, (image, _) in enumerate(read(tmp_path / "a.mov")):
        assert np.array_equal(image, woven(number))


def test_a_still_png_is_read_as_it_is(tmp_path: Path) -> None:
    Image.fromarray(woven(0)).save(tmp_path / "a.png")
    assert np.array_equal(read(tmp_path / "a.png")[0][0], woven(0))
