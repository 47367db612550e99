from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator

import pytest

from tests.patience import PATIENCE_S
from tests.web.conftest import Stage


@pytest.mark.parametrize(
    ("path", "kind", "content_type"),
    [("/live.ts", "ts", "video/mp2t"), ("/live.mp4", "mp4", 'video/mp4; codecs="avc1.4d401f"')],
)
def test_pieces_pass_through_until_the_viewer_leaves(stage: Stage, path: str, kind: str, content_type: str) -> None:
    connection, response = stage.call.open("GET", path)
    assert response.headers["Content-Type"] == content_type
    assert response.headers["Cache-Control"] == "no-store"
    assert response.read(len(f"first of {kind}")) == f"first of {kind}".encode()
    ((asked, feed),) = stage.video.feeds
    assert asked == kind
    feed.put(b"second")
    assert response.read(6) == b"second"
    response.close()
    connection.close()
    assert stage.video.dropped.wait(PATIENCE_S)


def test_mjpeg_is_framed(stage: Stage) -> None:
    connection, response = stage.call.open("GET", "/live.mjpg")
    assert response.headers["Content-Type"] == "multipart/x-mixed-replace; boundary=zoomdream-frame"
    expected = b"--zoomdream-frame\r\nContent-Type: image/jpeg\r\nContent-Length: 13\r\n\r\nfirst of jpeg\r\n"
    assert response.read(len(expected)) == expected
    connection.close()


def test_one_frame(stage: Stage) -> None:
    answer = stage.call("GET", "/frame.jpg")
    assert (answer.status, answer.headers["Content-Type"], answer.body[:2]) == (200, "image/jpeg", b"\xff\xd8")
    stage.video.jpeg = None
    answer = stage.call("GET", "/frame.jpg")
    assert (answer.status, answer.error["code"], answer.headers["Retry-After"]) == (503, "no_picture", "1")


def test_a_stream_ends_with_the_encoder(stage: Stage) -> None:
    connection, response = stage.call.open("GET", "/live.ts")
    assert stage.video.opened.wait(PATIENCE_S)
    ((_, feed),) = stage.video.feeds
    feed.close()
    feed.put(b"")
    response.read()
    connection.close()


def test_head_opens_no_share(stage: Stage) -> None:
    answer = stage.call("HEAD", "/live.ts")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "video/mp2t")
    assert stage.video.feeds == []


def test_a_viewer_who_takes_nothing_costs_the_others_nothing(stage: Stage) -> None:
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.connect(("127.0.0.1", stage.server.port))
    slow.sendall(b"GET /live.ts HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert stage.video.opened.wait(PATIENCE_S)
    connection, response = stage.call.open("GET", "/live.ts")
    response.read(len("first of ts"))
    piece = bytes(range(256)) * 1024
    feeds = [feed for _, feed in stage.video.feeds]
    for _ in range(40):
        for feed in feeds:
            feed.put(piece)
        assert response.read(len(piece)) == piece
    slow.close()
    connection.close()


def test_too_many_viewers_are_refused(stages: Callable[..., Stage]) -> None:
    stage = stages(limits={"viewers": 1})
    connection, _ = stage.call.open("GET", "/live.ts")
    answer = stage.call("GET", "/live.mp4")
    assert (answer.status, answer.error) == (
        503,
        {"code": "full", "message": "too many viewers at once", "retry_s": 10.0},
    )
    connection.close()


def events(response: object) -> Iterator[dict[str, object]]:
    for line in response:  # type: ignore[attr-defined]
        if line.startswith(b"data: "):
            yield json.loads(line[6:])


def test_events_tell_changes_and_the_time(stage: Stage) -> None:
    connection, response = stage.call.open("GET", "/api/events")
    assert response.headers["Content-Type"] == "text/event-stream"
    told = events(response)
    assert next(told) == stage.call("GET", "/api/status").json
    stage.request_service.add("Mara", "volcano")
    assert next(item for item in told if item["queue"])["queue"][0]["user"] == "Mara"  # type: ignore[index]
    assert next(told)["queue"]
    connection.close()


@pytest.mark.logs("the status cannot be read")
@pytest.mark.logs("the status cannot be read: RuntimeError")
def test_watchers_outlast_a_status_that_cannot_be_read(stage: Stage) -> None:
    stage.status.failure = RuntimeError("gone")
    connection, response = stage.call.open("GET", "/api/events")
    assert response.readline() == b"retry: 2000\n"
    stage.status.failure = None
    assert next(events(response))["version"] == "0.1.0"
    connection.close()


def test_open_streams_do_not_hold_up_the_end(stage: Stage) -> None:
    video, response = stage.call.open("GET", "/live.ts")
    watcher, heard = stage.call.open("GET", "/api/events")
    response.read(1)
    heard.readline()
    assert stage.server.stop(PATIENCE_S)
    assert [feed.closed for _, feed in stage.video.feeds] == [True]
    video.close()
    watcher.close()
