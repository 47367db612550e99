from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import replace

import pytest

from streamer.config import WebConfig
from streamer.messages.chat_status import ChatReport, ChatState
from streamer.web.errors import CannotListen, PortTaken
from streamer.web.server import Server
from tests.patience import PATIENCE_S
from tests.web.conftest import Stage
from tests.web.fakes import FakeClasses, FakeOutputs, FakeRequestService, FakeSettings, FakeStatus, FakeVideo


def make(**config: object) -> Server:
    request_service = FakeRequestService()
    settings = WebConfig.model_validate(config)
    return Server(
        settings,
        request_service,
        FakeVideo(),
        FakeStatus(request_service),
        FakeClasses(),
        request_service,
        FakeOutputs(),
        FakeSettings(),
    )


def test_a_free_port_is_found_and_reported(stage: Stage) -> None:
    assert stage.server.port > 0
    assert stage.server.url == f"http://127.0.0.1:{stage.server.port}/"
    assert stage.server.alive
    assert stage.server.stop(PATIENCE_S)
    assert stage.server.stop(PATIENCE_S)
    assert not stage.server.alive


def test_a_taken_port_is_one_clear_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortTaken) as caught:
            make(port=port).start()
    assert str(caught.value) == (
        f"port {port} on 127.0.0.1 is taken by another program; stop it, or choose another port with --set web.port=N (0: any)"
    )


def test_a_foreign_address_is_one_clear_line() -> None:
    with pytest.raises(CannotListen) as caught:
        make(host="203.0.113.7", token="open sesame", port=8080).start()
    assert str(caught.value) == (
        "cannot listen on 203.0.113.7 port 8080: Cannot assign requested address; check web.host and web.port"
    )


def test_a_hanging_desk_holds_up_no_one_else(stage: Stage) -> None:
    stage.request_service.release.clear()
    connection = socket.create_connection(("127.0.0.1", stage.server.port))
    body = b'{"user": "Mara", "text": "volcano"}'
    connection.sendall(
        b"POST /api/requests HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        % len(body)
        + body
    )
    assert stage.call("GET", "/api/status").status == 200
    assert stage.call("GET", "/healthz").status == 200
    stage.request_service.release.set()
    assert connection.recv(12) == b"HTTP/1.1 201"
    connection.close()


def test_health(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    healthy = stage.call("GET", "/healthz")
    assert (healthy.status, healthy.json) == (200, {"ok": True, "problems": [], "given_up": []})
    given_up = ("residual flow", "dream steps")
    stage.status.snapshot = replace(stage.status.snapshot, problems=("no keyframe for 30 s",), given_up=given_up)
    ill = stage.call("GET", "/healthz")
    assert (ill.status, ill.json) == (503, {"ok": False, "problems": ["no keyframe for 30 s"], "given_up": list(given_up)})
    stage.status.failure = RuntimeError("gone")
    gone = stage.call("GET", "/healthz")
    assert (gone.status, gone.json) == (
        503,
        {"ok": False, "problems": ["the status cannot be read: RuntimeError"], "given_up": []},
    )
    assert [record.getMessage() for record in caplog.records] == ["the status cannot be read"]


def test_metrics(stage: Stage) -> None:
    stage.request_service.add("Mara", "volcano")
    answer = stage.call("GET", "/metrics")
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = answer.body.decode().splitlines()
    for line in (
        'zoomdream_frames_total{kind="shown"} 2500.0',
        'zoomdream_frames_total{kind="dropped"} 1.0',
        'zoomdream_frames_total{kind="unencoded"} 4.0',
        "zoomdream_renderer_restarts_total 1.0",
        "zoomdream_pictures_spoilt_total 0.0",
        "zoomdream_reduced 0.0",
        "zoomdream_fps_measured 24.99",
        "zoomdream_queue_waiting 1.0",
        "zoomdream_queue_written 1.0",
        "zoomdream_healthy 1.0",
        'zoomdream_output_live{output="twitch"} 1.0',
        'zoomdream_output_live{output="relay"} 0.0',
        'zoomdream_output_bytes_total{output="twitch"} 5e+06',
        'zoomdream_output_dropped_total{output="twitch"} 2.0',
        'zoomdream_output_failures_total{output="relay"} 3.0',
        'zoomdream_info{device="cpu",network="squeezenet1_1",version="0.1.0"} 1.0',
    ):
        assert line in lines
    assert not [line for line in lines if line.startswith(("python_", "process_"))]


def test_metrics_of_the_chat_and_of_what_is_done_without(stage: Stage) -> None:
    assert 'zoomdream_chat_state{state="connected"} 0.0' in stage.call("GET", "/metrics").body.decode()
    report = ChatReport(ChatState.NEEDS_LOGIN, "", "", "mara", "twitch", age_s=2.0, heard_s=70.0, since_s=61.0)
    stage.request_service.chat = report
    changed = replace(stage.status.snapshot, chat_restarts=3, given_up=("residual flow",))
    stage.status.snapshot = changed
    lines = stage.call("GET", "/metrics").body.decode().splitlines()
    for line in (
        "zoomdream_chat_restarts_total 3.0",
        'zoomdream_chat_state{state="connected"} 0.0',
        'zoomdream_chat_state{state="needs_login"} 1.0',
        "zoomdream_chat_state_seconds 61.0",
        "zoomdream_chat_silence_seconds 70.0",
        'zoomdream_given_up{what="flow"} 1.0',
        'zoomdream_given_up{what="size"} 0.0',
        'zoomdream_frames_total{kind="stopped"} 0.0',
    ):
        assert line in lines
    chat = stage.call("GET", "/api/status").json["chat"]
    assert (chat["since_s"], chat["heard_s"], chat["restarts"]) == (61.0, 70.0, 3)
    assert stage.call("GET", "/api/status").json["video"]["given_up"] == ["residual flow"]


def test_two_servers_share_nothing(stages: Callable[..., Stage]) -> None:
    one, two = stages(), stages()
    one.request_service.add("Mara", "volcano")
    assert b"queue_waiting 1.0" in one.call("GET", "/metrics").body
    assert b"queue_waiting 0.0" in two.call("GET", "/metrics").body
