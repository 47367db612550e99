"""What ``zoomdream check`` reports about a film as the source."""

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from streamer.commands.check import look_at_source
from streamer.commands.finding import Level
from streamer.config import Config, SourceConfig
from tests.films import write_film


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path)))
    serving = threading.Thread(target=server.serve_forever, args=(0.01,))
    serving.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    serving.join()
    server.server_close()


def test_the_password_of_a_stream_is_not_shown(tmp_path: Path, address: str) -> None:
    write_film(tmp_path / "a.mp4")
    said = {}
    for name in ("a.mp4", "b.mp4"):
        path = f"http://me:canary-4711@{address}/{name}?key=canary-4712"
        (finding,) = look_at_source(Config(source=SourceConfig(kind="video", path=path)))
        said[name] = finding.text
        assert "canary" not in finding.text
    assert said["a.mp4"] == f"riding on http://{address}/a.mp4, 64x48"
    assert "b.mp4" in said["b.mp4"]


def test_a_film_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    (finding,) = look_at_source(Config(source=SourceConfig(kind="video", path=str(tmp_path / "lost.mp4"))))
    assert finding.level is Level.BLOCKER
    assert "there is no film" in finding.text
