import http.server
import os
import sys
import threading
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from streamer.dream.sources.picture import SourceError
from streamer.dream.sources.readers import FilmReader
from streamer.media.opening import address, create_file, open_file
from streamer.video.sound.decoding import decode
from tests.shapes import fields, quad, seen, write


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Records requests and never answers."""

    def __init__(self, *args: Any, asked: list[str], **more: Any) -> None:
        self.asked = asked
        super().__init__(*args, **more)

    def log_message(self, *args: object) -> None:
        self.asked.append(self.path)


NAMES = [
    "12:30.mp4", "a#1.mp4", "a%03d.mp4", "what?.mp4", "-a.mp4", "concat:a.mp4", "concat:a|b.mp4", "pipe:0", "pipe:1.mp4",
    "http:a.mp4", "https:a", "file:a.mp4", "a\\b.mp4", os.fsdecode(b"a\xff.mp4"), "a\nb.mp4", "a b.mp4", "%20.mp4", "a*.mp4",
    "[a].mp4", "{a}.mp4", "subfile,,start,0,end,9,,:a.mp4", "data:a.mp4", "crypto:a", "a|b.mp4", "a'b\".mp4", " .mp4",
    "é:ü.mp4", "fd:3", "tee:a", "rtmp:a", "a=b.mp4", "a.m3u8", "no_ending",
]  # fmt: skip
PICTURES = ["a%03d.png", "a%d.png", "a*.png", "a?.png", "a{1,2}.png", "a[1].png", "12:30.png", "-a.png", "concat:a.png"]
UNIX = pytest.mark.skipif(sys.platform == "win32", reason="names that Windows does not have")


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write(tmp_path_factory.mktemp("film") / "a.mp4", [quad((48, 64))] * 2).read_bytes()


@UNIX
@pytest.mark.parametrize("name", NAMES)
def test_a_film_is_the_file_of_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, film: bytes) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(film)
    for path in (name, str(tmp_path / name)):
        assert fields(seen(FilmReader(path))[0]) == "RG/BY"


@UNIX
@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_among_films_is_one_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    for other in ("a001.png", "a1.png", "a2.png", "ab.png"):
        Image.new("RGB", (64, 48)).save(other)
    Image.fromarray(quad((48, 64))).save(name)
    for path in (name, str(tmp_path / name)):
        (image,) = seen(FilmReader(path))
        assert fields(image) == "RG/BY"


def test_a_pattern_is_no_series_of_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (64, 48)).save("a001.png")
    with pytest.raises(SourceError, match=r"there is no film 'a%03d\.png'"):
        FilmReader("a%03d.png")


@UNIX
@pytest.mark.parametrize("name", NAMES)
def test_a_sound_is_the_file_of_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    with create_file(Path(name), "wav", {}) as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.full((1, 800), 8192, np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
    assert [found.name for found in tmp_path.iterdir()] == [name], "and written as such"
    assert np.concatenate(list(decode(Path(name), 8000))) == pytest.approx(0.25, abs=0.001)


@UNIX
@pytest.mark.parametrize("folder", ["12:30", "concat:a", "%03d", "a b", "[a]*", os.fsdecode(b"\xff")])
def test_a_playlist_finds_its_parts_beside_it(tmp_path: Path, folder: str) -> None:
    place = tmp_path / folder
    place.mkdir()
    write(place / "part.ts", [quad((48, 64))] * 3, form="mpegts")
    (place / "a.m3u8").write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:0.3,\npart.ts\n#EXT-X-ENDLIST\n")
    assert len(seen(FilmReader(str(place / "a.m3u8")))) == 3


@UNIX
@pytest.mark.parametrize("folder", ["a#1", "what?"])
def test_a_playlist_that_cannot_find_them_says_why(tmp_path: Path, folder: str, film: bytes) -> None:
    place = tmp_path / folder
    place.mkdir()
    (place / "a.m3u8").write_text("#EXTM3U\n")
    with pytest.raises(SourceError, match="a folder has # or \\? in its name"):
        FilmReader(str(place / "a.m3u8"))
    (place / "a.mp4").write_bytes(film)
    assert len(seen(FilmReader(str(place / "a.mp4")))) == 2, "films have no parts"


def test_so_it_is_on_a_server(tmp_path: Path) -> None:
    """FFmpeg's patterns would first request a00000000000000000000.png and four more."""
    Image.fromarray(quad((48, 64))).save(tmp_path / "a d.png")
    asked: list[str] = []
    handler = partial(Quiet, directory=str(tmp_path), asked=asked)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            (image,) = seen(FilmReader(f"http://127.0.0.1:{server.server_port}/a%20d.png"))
        finally:
            server.shutdown()
            thread.join()
    assert fields(image) == "RG/BY"
    assert set(asked) == {"/a%20d.png"}


def test_what_is_not_there_is_an_error_and_no_protocol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError):
        open_file("12:30.mp4")
    assert address("12:30.mp4") == f"file:{tmp_path / '12:30.mp4'}"
