from __future__ import annotations

import itertools
import os
import select
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import pytest

from streamer.config import MpegtsUdpOutput, RtmpOutput, VideoConfig
from streamer.video.encoding.encoders import Encoders
from streamer.video.sinks import SinkState, ingest, make_sink, network_sink
from streamer.video.sinks.backoff import BackOff
from streamer.video.sinks.ingest import Destination, rtmp_destination, udp_destination
from streamer.video.sinks.network_sink import NetworkSink
from streamer.video.sinks.push_process_handle import PushProcessHandle
from streamer.video.sinks.secrets import StreamKeyError
from tests.acceptance.relay import Relay
from tests.fakes import HandClock
from tests.patience import PATIENCE_S
from tests.rtmp_server import KEY, RtmpServer, free_port, missing
from tests.video.network_stage import Evil, Tape, hangs_up, says_nothing, speaks_http
from tests.video.packets import Source

FPS, GOP = 10, 5
needs_server = pytest.mark.skipif(missing() is not None, reason=str(missing()))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RtmpServer]:
    with RtmpServer(tmp_path, record=True) as running:
        yield running


def pushes(tape: Tape, url: str, key: str = KEY, *, reconnect_s: float | None = None) -> NetworkSink:
    output = RtmpOutput(kind="rtmp", url=url, key=key)
    quick = BackOff(first_s=0.1, factor=1.0)
    return NetworkSink("push", tape.subscribe, lambda: rtmp_destination(output), reconnect_s=reconnect_s, back_off=quick)


def endless() -> Tape:
    return Tape(Source(fps=FPS, gop=GOP))


def is_live(sink: NetworkSink) -> bool:
    return sink.wait_until(lambda status: status.state is SinkState.LIVE and not status.error, PATIENCE_S)


def is_retrying(sink: NetworkSink, reason: str) -> bool:
    return sink.wait_until(lambda status: status.state is SinkState.RETRYING and reason in status.error, PATIENCE_S)


def times(path: Path) -> tuple[list[int], list[bool], list[int]]:
    """Return the times of pictures, whether each is a keyframe, and the times of sound; times in milliseconds."""
    video, keys, audio = [], [], []
    with av.open(str(path), format="flv") as container:
        for packet in container.demux():
            if packet.pts is None:
                continue
            if packet.stream.type == "video":
                video.append(packet.pts)
                keys.append(packet.is_keyframe)
            else:
                audio.append(packet.pts)
    return video, keys, audio


@needs_server
@pytest.mark.parametrize(("fps", "gop", "count"), [(10, 5, 20), (30, 60, 125)])
def test_what_is_pushed_is_what_the_server_gets(server: RtmpServer, fps: int, gop: int, count: int) -> None:
    tape = Tape(Source(fps=fps, gop=gop), most=count, pace_s=0.005)
    sink = pushes(tape, server.url)
    sink.start()
    assert is_live(sink)
    tape.go.set()
    assert sink.wait_until(
        lambda status: status.delivered == count and status.delivered_bytes >= 0.8 * tape.media_bytes, PATIENCE_S
    )
    assert sink.stop(PATIENCE_S)
    assert sink.status().failures == sink.status().dropped == 0
    assert sink.processes == ()
    server.wait_for_end()
    (recording,) = server.recordings()
    video, keys, audio = times(recording)
    assert video == [round(number * 1000 / fps) for number in range(count)]
    assert keys == [number % gop == 0 for number in range(count)]
    assert audio[0] == 0
    assert {later - earlier for earlier, later in itertools.pairwise(audio)} == {21, 22}  # 1024 samples at 48 kHz, rounded
    assert 0 <= audio[-1] + 22 - count * 1000 / fps < 50
    with av.open(str(recording), format="flv") as container:
        frames = list(container.decode(video=0))
    assert len(frames) == count
    assert (frames[0].width, frames[0].height) == (160, 96)


@needs_server
@pytest.mark.logs("output push failed")
def test_after_the_server_died_and_came_back_it_is_live_from_zero_again(server: RtmpServer) -> None:
    sink = pushes(endless(), server.url)
    sink.start()
    assert is_live(sink)
    server.kill()
    assert is_retrying(sink, "refuses connections; is the server running, and is the port right?")
    before = sink.status()
    assert before.failures >= 2
    server.start()
    assert is_live(sink)
    assert sink.wait_until(lambda status: status.delivered_bytes > before.delivered_bytes + 10_000, PATIENCE_S)
    assert sink.stop(PATIENCE_S)
    server.wait_for_end()
    video, keys, audio = times(server.recordings()[-1])
    assert video[0] == 0
    assert keys[0]
    assert audio[0] <= 22  # sound that begins before the picture is not sent
    assert {later - earlier for earlier, later in itertools.pairwise(video)} == {1000 // FPS}


@needs_server
@pytest.mark.logs("output push failed")
def test_a_reset_in_the_middle_of_a_picture_is_reported_and_overcome(server: RtmpServer) -> None:
    with Relay(server.port) as relay:
        sink = pushes(endless(), f"rtmp://127.0.0.1:{relay.port}/live")
        sink.start()
        assert is_live(sink)
        relay.reset()
        assert sink.wait_until(lambda status: status.failures == 1, PATIENCE_S)
        assert is_live(sink)
        assert sink.stop(PATIENCE_S)


@needs_server
@pytest.mark.logs("output push failed")
def test_a_server_that_stops_reading_is_reported_then_disconnected(server: RtmpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network_sink, "HUNG_S", 0.5)
    monkeypatch.setattr(network_sink, "STALL_S", 3.0)
    tape = endless()
    sink = pushes(tape, server.url)
    sink.start()
    assert is_live(sink)
    (before,) = sink.processes
    server.pause()
    assert is_retrying(sink, "the server has accepted no data for")
    assert sink.wait_until(lambda status: status.failures >= 1, PATIENCE_S)
    assert before not in sink.processes
    server.go_on()
    assert is_live(sink)
    assert sink.stop(PATIENCE_S)


class DeafChild:
    """A child that takes data while its pipe has room, and never reports that it has sent any."""

    pid, ended = 0, False

    def __init__(self) -> None:
        self.has_room = True

    def send(self, data: bytes) -> None:
        pass

    def flush(self, wait_s: float = 0.0) -> bool:
        return self.has_room

    def reports(self) -> list[dict[str, object]]:
        return []

    def kill(self) -> None:
        pass


@pytest.mark.parametrize("has_room", [True, False])
def test_only_time_in_which_a_server_could_take_something_is_held_against_it(has_room: bool, caplog) -> None:
    clock = HandClock()
    sink = pushes(endless(), "rtmp://127.0.0.1:1/live")
    sink._clock = clock
    child = DeafChild()
    sink._child = cast(PushProcessHandle, child)
    sink._enter(network_sink.Phase.SENDING)
    for _ in range(3):  # each too short to count as hung
        for _ in range(40):
            sink._send(b"")
            sink.tick()
            clock.advance(0.1)
        clock.advance(1000.0)  # no pictures
        sink.tick()
    assert sink.status().state is SinkState.STOPPED  # no failure counted, nothing logged
    sink._send(b"")
    child.has_room = has_room
    for _ in range(145):
        if has_room:
            sink._send(b"")
        sink.tick()
        clock.advance(0.1)
    assert sink.status().state is SinkState.RETRYING
    assert sink.status().failures == 0
    for _ in range(10):
        if has_room:
            sink._send(b"")
        sink.tick()
        clock.advance(0.1)
        if sink.status().failures:
            break
    assert sink.status().failures == 1
    assert "the server has accepted no data for 15 s" in caplog.text


@needs_server
@pytest.mark.logs("output push failed")
def test_a_wrong_key_is_reported_until_it_is_corrected(server: RtmpServer, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("wrong_key_8dG2")
    path.chmod(0o644)
    output = RtmpOutput(kind="rtmp", url=server.url, key_file=path)
    quick = BackOff(first_s=0.1, factor=1.0)
    sink = NetworkSink("push", endless().subscribe, lambda: rtmp_destination(output), back_off=quick)
    sink.start()
    assert is_retrying(sink, f"run: chmod 600 {path}")
    path.chmod(0o600)
    assert is_retrying(sink, "refused the stream key; is the key right, and does nobody else stream with it?")
    path.write_text(KEY)
    assert is_live(sink)
    assert sink.stop(PATIENCE_S)


@needs_server
def test_the_planned_reconnect_begins_at_a_keyframe_and_is_no_failure(server: RtmpServer) -> None:
    tape = endless()
    sink = pushes(tape, server.url, reconnect_s=1.0)
    sink.start()
    first: set[int] = set()
    assert sink.wait_until(lambda status: bool(sink.processes) and not first.update(sink.processes), PATIENCE_S)
    assert sink.wait_until(
        lambda status: status.state is SinkState.LIVE and bool(sink.processes) and first.isdisjoint(sink.processes), PATIENCE_S
    )
    assert sink.stop(PATIENCE_S)
    assert sink.status().failures == sink.status().dropped == 0
    server.wait_for_end(max(2, len(server.recordings())))  # on a busy machine there may be a third
    recordings = [times(path) for path in server.recordings()]
    if len(recordings) > 2 and not recordings[-1][0]:
        del recordings[-1]  # stopped before its first picture
    assert len(recordings) >= 2
    for video, keys, _ in recordings:
        assert video[:1] == [0]
        assert keys[0]
    # Each connection begins with the picture after the last of the connection before: none is missing.
    count = sum(len(video) for video, _, _ in recordings[:-1])
    assert count % GOP == 0


FLV_END_S = 2**31 / 1000
"""Time in seconds from which FFmpeg's FLV muxer drops the highest bit."""


def test_flv_falls_back_to_zero_after_25_days(tmp_path: Path) -> None:
    """This is why RTMP has to reconnect. If FFmpeg fixes it, ``reconnect_h`` can be removed."""
    with av.open(str(tmp_path / "a.flv"), "w") as container:
        stream = container.add_stream("flv1", rate=1, width=32, height=32, pix_fmt="yuv420p")
        for time_ms in (0, 2**31 - 1, 2**31 + 5000):
            frame = av.VideoFrame(32, 32, "yuv420p")
            frame.pts, frame.time_base = time_ms, Fraction(1, 1000)
            stream.codec_context.time_base = Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    data, found, at = (tmp_path / "a.flv").read_bytes(), [], 13
    while at < len(data):
        kind, size = data[at], int.from_bytes(data[at + 1 : at + 4], "big")
        if kind == 9:
            found.append(int.from_bytes(data[at + 7 : at + 8] + data[at + 4 : at + 7], "big"))
        at += 15 + size
    assert found == [0, 2**31 - 1, 5000]


def test_rtmp_reconnects_before_its_clock_ends() -> None:
    encoders = Encoders(VideoConfig(width=64, height=48, fps=10, preset="ultrafast"))
    try:
        for more, wanted_s in (({}, 20 * 86_400), ({"reconnect_h": 595.0}, 595 * 3600), ({"reconnect_h": 0.5}, 1800)):
            output = RtmpOutput(kind="rtmp", url="rtmp://127.0.0.1:1/live", key=KEY, audio=False, **more)
            sink = make_sink(output, encoders, "push")
            assert isinstance(sink, NetworkSink)
            assert sink._reconnect_s == wanted_s < FLV_END_S
    finally:
        encoders.close()


@needs_server
def test_a_connection_begins_at_zero_however_long_the_stream_has_run(server: RtmpServer) -> None:
    tape = Tape(Source(fps=FPS, gop=GOP, begins_s=26 * 86_400), most=20)
    assert FLV_END_S < 26 * 86_400
    sink = pushes(tape, server.url)
    sink.start()
    assert is_live(sink)
    tape.go.set()
    assert sink.wait_until(lambda status: status.delivered == 20, PATIENCE_S)
    assert sink.wait_until(lambda status: status.delivered_bytes >= 0.8 * tape.media_bytes, PATIENCE_S)
    assert sink.stop(PATIENCE_S)
    server.wait_for_end()
    video, keys, audio = times(server.recordings()[-1])
    assert video == [100 * number for number in range(20)]
    assert keys[0]
    assert 0 <= audio[0] <= 22
    assert audio[-1] < 2000


@needs_server
def test_after_20_days_it_reconnects_from_zero_and_no_picture_is_lost(server: RtmpServer) -> None:
    days, old_s = 86_400, 0.0
    sink = pushes(endless(), server.url, reconnect_s=RtmpOutput(kind="rtmp", url="rtmp://h/app").reconnect_h * 3600)
    sink._clock = lambda: time.monotonic() + old_s
    sink.start()
    assert is_live(sink)
    (first,) = sink.processes
    old_s = 19.9 * days
    begun_s = int(time.time())  # the server names its recordings by the second
    assert sink.wait_until(lambda status: status.delivered >= 20 and time.time() > begun_s + 1, PATIENCE_S)
    assert first in sink.processes
    old_s = 20.0 * days
    assert sink.wait_until(
        lambda status: status.state is SinkState.LIVE and bool(sink.processes) and first not in sink.processes, PATIENCE_S
    )
    so_far = sink.status().delivered_bytes
    assert sink.wait_until(lambda status: status.delivered_bytes > so_far + 10_000, PATIENCE_S)
    assert sink.stop(PATIENCE_S)
    assert sink.status().failures == sink.status().dropped == 0
    server.wait_for_end(2)
    (before, after) = [times(path) for path in server.recordings()]
    assert before[0][0] == after[0][0] == 0
    assert after[1][0]
    assert len(before[0]) % GOP == 0
    assert {later - earlier for video, _, _ in (before, after) for earlier, later in itertools.pairwise(video)} == {1000 // FPS}


@pytest.mark.parametrize(
    ("does", "scheme", "reason"),
    [
        (says_nothing, "rtmp", "accepted the connection but sends nothing; is it an RTMP server, and does it want rtmps?"),
        (hangs_up, "rtmp", "closed the connection during the handshake; is it an RTMP server, and does it want rtmps?"),
        (speaks_http, "rtmp", "answers, but not as an RTMP server does; check address and port"),
        (speaks_http, "rtmps", "failed: "),
        (hangs_up, "rtmps", "failed: "),
    ],
)
@pytest.mark.logs("output push failed")
def test_misbehaving_servers_get_different_reasons(does, scheme: str, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "ANSWER_S", 1)
    with Evil(does) as evil:
        sink = pushes(endless(), f"{scheme}://127.0.0.1:{evil.port}/live")
        sink.start()
        assert is_retrying(sink, reason)
        assert f"127.0.0.1:{evil.port}" in sink.status().error
        assert sink.wait_until(lambda status: status.failures >= 2, PATIENCE_S)
        assert sink.stop(PATIENCE_S)


@pytest.mark.logs("output push failed")
def test_an_unknown_name_and_a_closed_port_get_different_reasons() -> None:
    for url, reason in (
        ("rtmp://no-such-server.invalid/live", "the name no-such-server.invalid does not resolve"),
        (f"rtmp://127.0.0.1:{free_port()}/live", "refuses connections; is the server running, and is the port right?"),
    ):
        sink = pushes(endless(), url)
        sink.start()
        assert is_retrying(sink, reason)
        assert sink.stop(PATIENCE_S)


def self_signed(folder: Path) -> tuple[Path, Path]:
    certificate, key = folder / "certificate.pem", folder / "private.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    try:
        subprocess.run(
            [*command.split(), "-keyout", key, "-out", certificate], check=True, capture_output=True, timeout=PATIENCE_S
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("openssl is not installed")
    return certificate, key


@pytest.mark.logs("output push failed")
def test_a_server_with_an_untrusted_certificate_never_gets_the_key(tmp_path: Path) -> None:
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*self_signed(tmp_path))
    heard: list[bytes] = []

    def listens(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            heard.append(secure.recv(1000))

    with Evil(listens) as evil:
        sink = pushes(endless(), f"rtmps://localhost:{evil.port}/live")
        sink.start()
        assert is_retrying(sink, "failed: Peer certificate failed verification")
        assert sink.stop(PATIENCE_S)
    assert not any(heard)


@pytest.mark.logs("output push failed")
def test_it_ends_in_time_while_a_silent_server_holds_the_child() -> None:
    with Evil(says_nothing) as evil:
        sink = pushes(endless(), f"rtmp://127.0.0.1:{evil.port}/live")
        sink.start()
        assert sink.wait_until(lambda status: bool(sink.processes) and sink._phase is network_sink.Phase.CONNECTING, PATIENCE_S)
        assert sink.stop(PATIENCE_S)
        assert sink.processes == ()
        assert sink.status().state is SinkState.STOPPED


@pytest.mark.logs("output push failed")
def test_a_connection_that_does_not_come_about_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network_sink, "OPEN_S", 0.5)
    with Evil(says_nothing) as evil:
        sink = pushes(endless(), f"rtmp://127.0.0.1:{evil.port}/live")
        sink.start()
        assert is_retrying(sink, "no connection within")
        assert sink.stop(PATIENCE_S)


@pytest.mark.logs("output push failed")
def test_a_child_that_is_killed_is_replaced() -> None:
    with Evil(says_nothing) as evil:
        sink = pushes(endless(), f"rtmp://127.0.0.1:{evil.port}/live")
        sink.start()
        assert sink.wait_until(lambda status: sink._phase is network_sink.Phase.CONNECTING, PATIENCE_S)
        (pid,) = sink.processes
        os.kill(pid, signal.SIGKILL)
        assert is_retrying(sink, "the process that sends was ended by signal 9")
        assert sink.wait_until(lambda status: sink._phase is network_sink.Phase.CONNECTING, PATIENCE_S)
        assert sink.stop(PATIENCE_S)


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("held", [True, False])
def test_no_child_outlives_a_parent_that_is_killed(held: bool) -> None:
    """This holds for a child that a silent server blocks in FFmpeg, and for one that waits for its order."""
    program = textwrap.dedent("""
        import sys, time
        from tests.video.test_network_sink import *
        sink = pushes(endless() if {held} else Tape(Source(), most=0), "rtmp://127.0.0.1:{port}/live")
        sink.start()
        ready = lambda status: bool(sink.processes) and ({held}) == (sink._phase is network_sink.Phase.CONNECTING)
        assert sink.wait_until(ready, 120)
        print(*sink.processes, flush=True)
        time.sleep(300)
    """)
    with Evil(says_nothing) as evil:
        code = program.format(held=held, port=evil.port)
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
            assert parent.stdout is not None
            (child,) = map(int, parent.stdout.readline().split())
            pidfd = os.pidfd_open(child)
            assert not select.select([pidfd], [], [], 0)[0]  # alive; its command line in /proc may still be empty
            parent.kill()
        assert select.select([pidfd], [], [], PATIENCE_S)[0]  # readable once it has ended
        os.close(pidfd)


@pytest.mark.logs("output push failed")
def test_the_key_is_found_nowhere(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    caplog.set_level("DEBUG")
    canary = "live_canary_Wq7Zp2Lk9"
    monkeypatch.setenv("ZOOMDREAM_STREAM_KEY", canary)
    monkeypatch.setattr(ingest, "ANSWER_S", 1)
    seen: list[str] = []
    for does in (says_nothing, hangs_up, speaks_http):
        with Evil(does) as evil:
            output = RtmpOutput(kind="rtmp", url=f"rtmp://127.0.0.1:{evil.port}/live")
            destination = rtmp_destination(output)
            assert destination.url.endswith(canary)
            quick = BackOff(first_s=0.1, factor=1.0)
            sink = NetworkSink("push", endless().subscribe, lambda output=output: rtmp_destination(output), back_off=quick)
            sink.start()
            assert sink.wait_until(lambda status, sink=sink: sink._phase is network_sink.Phase.CONNECTING, PATIENCE_S)
            for pid in sink.processes:
                seen += [Path(f"/proc/{pid}/{file}").read_text() for file in ("cmdline", "environ")]
            assert sink.wait_until(lambda status: status.failures >= 2, PATIENCE_S)
            seen += [repr(sink.status()), repr(output), repr(destination), repr(sink.__dict__)]
            assert sink.stop(PATIENCE_S)
    assert "connects to 127.0.0.1" in caplog.text
    assert canary not in caplog.text
    assert not [text for text in seen if canary in text]


@pytest.mark.logs("output push failed")
def test_the_last_output_of_a_child_is_reported_without_the_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from streamer.video.sinks import push_process_handle

    # Simulates FFmpeg dying: it prints its order, including the key.
    dies = "import json, sys; print(json.dumps({'state': 'ready'}), flush=True); sys.exit('died of ' + sys.stdin.readline())"
    monkeypatch.setattr(push_process_handle, "COMMAND", (sys.executable, "-c", dies))
    sink = pushes(endless(), "rtmp://127.0.0.1:1/live", "live_canary_Wq7Zp2Lk9")
    sink.start()
    assert is_retrying(sink, "the process that sends ended with code 1: died of")
    assert "canary" not in sink.status().error
    assert sink.stop(PATIENCE_S)


def test_udp_comes_in_whole_mpeg_ts_packets_that_can_be_joined_anywhere(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(PATIENCE_S)
        output = MpegtsUdpOutput(kind="mpegts_udp", url=f"udp://127.0.0.1:{listener.getsockname()[1]}")
        sink = NetworkSink("udp", endless().subscribe, lambda: udp_destination(output))
        sink.start()
        packets = [listener.recv(2000) for _ in range(120)]  # about twelve pictures; the last may be cut off
        assert is_live(sink)
        assert sink.stop(PATIENCE_S)
    assert all(len(packet) % 188 == 0 and len(packet) <= 1316 and packet[0] == 0x47 for packet in packets)
    path = tmp_path / "received.ts"
    path.write_bytes(b"".join(packets))
    with av.open(str(path)) as container:
        assert [stream.codec_context.name for stream in container.streams] == ["h264", "aac"]
        assert container.streams.audio[0].codec_context.sample_rate == 48_000
        assert len(list(container.decode(video=0))) >= GOP


@pytest.mark.logs("output udp failed")
def test_udp_to_an_unknown_name_is_reported() -> None:
    output = MpegtsUdpOutput(kind="mpegts_udp", url="udp://no-such-host.invalid:5004")
    sink = NetworkSink("udp", endless().subscribe, lambda: udp_destination(output))
    sink.start()
    assert is_retrying(sink, "the name no-such-host.invalid does not resolve")
    assert sink.stop(PATIENCE_S)


@pytest.mark.logs("output push failed")
def test_without_a_key_it_says_where_to_put_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def find() -> Destination:
        raise StreamKeyError("there is no stream key")

    sink = NetworkSink("push", endless().subscribe, find)
    sink.start()
    assert is_retrying(sink, "there is no stream key")
    assert sink.status().retry_in_s is not None
    assert sink.stop(PATIENCE_S)


def udp_sink(listener: socket.socket) -> NetworkSink:
    output = MpegtsUdpOutput(kind="mpegts_udp", url=f"udp://127.0.0.1:{listener.getsockname()[1]}")
    return NetworkSink("udp", endless().subscribe, lambda: udp_destination(output))


def test_a_child_is_fed_with_more_descriptors_open_than_select_can_count() -> None:
    resource = pytest.importorskip("resource", reason="limits of a process are POSIX")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2048:
        pytest.skip("no process may have so many here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2048), hard))
    taken = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    try:
        child = PushProcessHandle()
        child.send(b"x" * 100)
        assert child.flush(1.0)
        child.kill()
    finally:
        for number in taken:
            os.close(number)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.logs("output udp failed, next try in")
def test_without_descriptors_it_tries_again_until_there_are_some() -> None:
    resource = pytest.importorskip("resource", reason="limits of a process are POSIX")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        sink = udp_sink(listener)
        sink.start()
        assert is_live(sink)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
        try:
            os.kill(sink.processes[0], signal.SIGKILL)
            assert sink.wait_until(lambda status: "no process can be started: Too many open files" in status.error, PATIENCE_S)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert is_live(sink)
        assert sink.stop(PATIENCE_S)
