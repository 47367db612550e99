from collections import Counter
from pathlib import Path

import av
import numpy as np
import pytest

from streamer.dream.sources.picture import SourceError
from streamer.dream.sources.readers import FilmReader
from streamer.media.opening import open_file
from streamer.media.tracks import discard_other_tracks, picture_track
from tests.shapes import seen, write, write_tracks

SMALL, HALF, LARGE = ((48, 64), 60), ((60, 80), 110), ((120, 160), 160)


def shade(path: Path, track: int | None = None) -> tuple[tuple[int, ...], int]:
    """Return the size and grey of the first picture."""
    image = seen(FilmReader(str(path), track))[0]
    return image.shape[:2], round(int(image.mean()) / 10) * 10


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
def test_the_largest_track_is_seen_and_not_a_thumbnail_before_it(tmp_path: Path, name: str) -> None:
    """MP4 and Matroska flag the first track as the default unless set otherwise."""
    assert shade(write_tracks(tmp_path / name, [SMALL, LARGE])) == LARGE
    assert shade(write_tracks(tmp_path / f"b{name}", [LARGE, SMALL])) == LARGE


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_of_comparable_tracks_the_flagged_one_is_seen(tmp_path: Path, name: str) -> None:
    assert shade(write_tracks(tmp_path / name, [LARGE, HALF], flagged=[1])) == HALF
    assert shade(write_tracks(tmp_path / f"b{name}", [HALF, LARGE], flagged=[1])) == LARGE


def test_of_equal_tracks_the_first_is_seen(tmp_path: Path) -> None:
    assert shade(write_tracks(tmp_path / "a.ts", [SMALL, ((48, 64), 110)])) == SMALL


def test_no_cover_is_seen_however_large(tmp_path: Path) -> None:
    film = write_tracks(tmp_path / "a.mp4", [((240, 320), 200), SMALL], covers=[0])
    assert shade(film) == SMALL
    with pytest.raises(SourceError, match="holds no pictures"):
        shade(write_tracks(tmp_path / "b.mp4", [((240, 320), 200)], covers=[0]))


def test_a_track_is_chosen_by_its_number(tmp_path: Path) -> None:
    film = write_tracks(tmp_path / "a.mp4", [SMALL, LARGE, ((240, 320), 200)], covers=[2])
    assert [shade(film, number) for number in (None, 1, 2, 3)] == [LARGE, SMALL, LARGE, ((240, 320), 200)]


@pytest.mark.parametrize("number", [4, 99])
def test_an_unknown_number_is_reported_with_the_known_ones(tmp_path: Path, number: int) -> None:
    film = write_tracks(tmp_path / "a.mp4", [SMALL, LARGE, ((240, 320), 200)], covers=[2])
    with pytest.raises(SourceError) as caught:
        FilmReader(str(film), number)
    tracks = "1 (64x48), 2 (160x120), 3 (320x240, a cover)"
    assert str(caught.value) == f"the film '{film}' has no video track {number}; it has {tracks}"


def test_what_no_decoder_reads_is_passed_over_or_named(tmp_path: Path) -> None:
    film = write_tracks(tmp_path / "a.mp4", [LARGE, SMALL])
    data = film.read_bytes()
    film.write_bytes(data.replace(b"avc1", b"zzz9", 2).replace(b"zzz9", b"avc1", 1))  # the first is the file's brand
    assert shade(film) == SMALL
    with pytest.raises(SourceError, match=r"a\.mp4' holds pictures in a format that cannot be decoded"):
        FilmReader(str(film), 1)
    with pytest.raises(SourceError, match=r"it has 1 \(unknown\), 2 \(64x48\)"):
        FilmReader(str(film), 3)
    lone = write_tracks(tmp_path / "b.mp4", [LARGE])
    lone.write_bytes(lone.read_bytes().replace(b"avc1", b"zzz9"))
    with pytest.raises(SourceError, match="holds pictures in a format that cannot be decoded"):
        FilmReader(str(lone))


def test_of_a_stream_in_several_sizes_the_largest_is_read_alone(tmp_path: Path) -> None:
    named = {"small": SMALL, "large": LARGE, "middle": HALF}
    for name, (size, grey) in named.items():
        write(tmp_path / f"{name}.ts", [np.full((*size, 3), grey, np.uint8)] * 5, form="mpegts")
        parts = f"#EXTINF:0.5,\n{name}.ts\n" * 40
        (tmp_path / f"{name}.m3u8").write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n{parts}#EXT-X-ENDLIST\n")
    variants = [f"#EXT-X-STREAM-INF:BANDWIDTH={number}\n{name}.m3u8\n" for number, name in enumerate(named, 1)]
    (tmp_path / "all.m3u8").write_text("#EXTM3U\n" + "".join(variants))
    assert {image.shape[:2] for image in seen(FilmReader(str(tmp_path / "all.m3u8")))} == {(120, 160)}
    with open_file(tmp_path / "all.m3u8") as container:
        kept = picture_track(container)
        assert kept is not None
        discard_other_tracks(container, kept)
        number, read = kept.index, Counter(packet.stream.index for packet in container.demux() if packet.size)
    assert read.pop(number) == 200
    assert max(read.values(), default=0) < 150, "nothing comes but what was read to find out what there is"


def test_sound_alone_has_no_picture(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
    for number in (None, 1):
        with open_file(path) as sound:
            assert picture_track(sound, number) is None
