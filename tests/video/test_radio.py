from __future__ import annotations

import base64
import logging
import shutil
import socket
import ssl
import subprocess
import threading

import numpy as np
import pytest

from streamer.video.sound.decoding import SoundError
from streamer.video.sound.icy import shown
from streamer.video.sound.radio import Radio, playlist_entries
from tests.patience import PATIENCE_S
from tests.sounds import RATE, pitch, radio_server, sends, sine, sound_bytes, stays_silent


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


MP3 = sound_bytes(".mp3", sine(2.0))


def listen(radio: Radio, seconds: float) -> np.ndarray:
    parts, count = [], 0
    while count < seconds * RATE:
        parts.append(radio.read())
        count += len(parts[-1])
    return np.concatenate(parts)


def problem(radio: Radio) -> str:
    """Read until the radio fails, and return its error."""
    for _ in range(10_000):
        try:
            radio.read()
        except SoundError as error:
            return str(error)
    raise AssertionError("it never ended")


@pytest.mark.parametrize("ending", [".mp3", ".aac", ".ogg", ".opus", ".flac"])
def test_a_station_is_heard_as_it_comes(ending):
    with radio_server(
        sends(sound_bytes(ending, sine(2.0)), "Content-Type: application/octet-stream", then=stays_silent)
    ) as server:
        radio = Radio(server.url(), RATE)
        samples = listen(radio, 1.0)
        assert abs(pitch(samples[RATE // 4 :]) - 440) < 3
        assert radio.playing == server.url()
        radio.close()
        assert radio.playing == ""
    assert b"Icy-Metadata: 1\r\n" in server.requests[0].replace(b"Icy-MetaData", b"Icy-Metadata")


def test_shoutcast_greets_in_its_own_way_and_sends_titles_between_the_sound():
    interval, body = 1000, b""
    for number, at in enumerate(range(0, len(MP3), interval)):
        body += MP3[at : at + interval]
        title = "StreamTitle='It\u2019s Björk - Jóga; live\x07';StreamUrl='';".encode() if number == 2 else b""
        if at + interval <= len(MP3):
            blocks = -(-len(title) // 16)
            body += bytes([blocks]) + title.ljust(16 * blocks, b"\0")
    answer = sends(body, "icy-name: Radio X", f"icy-metaint: {interval}", status="ICY 200 OK")
    with radio_server(answer) as server:
        radio = Radio(server.url(), RATE)
        radio.read()
        assert radio.playing == "Radio X" or radio.playing.startswith("It")
        samples = listen(radio, 1.5)
        assert radio.playing == "It\u2019s Björk - Jóga; live"
        assert abs(pitch(samples[RATE // 4 :]) - 440) < 3  # a title decoded as sound would be noise
        assert np.abs(np.diff(samples[RATE // 4 : RATE], axis=0)).max() < 0.04
        assert "it ended the stream" in problem(radio)


def test_a_station_that_drops_is_called_again():
    with radio_server(sends(MP3)) as server:
        radio = Radio(server.url(), RATE)
        for _ in range(3):
            assert len(listen(radio, 0.5))
            assert problem(radio) == f"radio '{server.url()}': it ended the stream"
    assert len(server.requests) == 3


def test_a_silent_server_is_disconnected_after_a_while_and_blocks_nobody():
    with radio_server(stays_silent) as server:
        assert problem(Radio(server.url(), RATE, timeout_s=0.2)) == f"radio '{server.url()}': it sent nothing for 0.2 s"


@pytest.mark.parametrize("body", [b"", MP3[:3000]])
def test_a_server_that_falls_silent_is_left_too(body):
    with radio_server(sends(body, "Content-Type: audio/mpeg", then=stays_silent)) as server:
        radio = Radio(server.url(), RATE, timeout_s=0.2)
        assert "it sent nothing for 0.2 s" in problem(radio)


def drip(data: bytes) -> None:
    def answer(connection: socket.socket, _head: bytes = b"") -> None:
        pause = threading.Event()
        for byte in data:
            connection.sendall(bytes([byte]))
            pause.wait(0.02)

    return answer


@pytest.mark.parametrize("answer", [drip(b"HTTP/1.0 200 OK\r\n" + b"X: y\r\n" * 200), sends(b"", then=drip(bytes(2000)))])
def test_a_server_that_drips_is_left_although_each_byte_comes_in_time(answer):
    with radio_server(answer) as server:
        assert "it sent nothing for 0.3 s" in problem(Radio(server.url(), RATE, timeout_s=0.3))


def test_who_waits_for_a_silent_server_can_be_called_off():
    with radio_server(stays_silent) as server:
        radio = Radio(server.url(), RATE, timeout_s=60)
        said: list[str] = []
        thread = threading.Thread(target=lambda: said.append(problem(radio)))
        thread.start()
        while not server.requests:
            thread.join(0.01)
        radio.hang_up()
        thread.join(PATIENCE_S)
        assert not thread.is_alive()
        assert said
        assert problem(radio)  # it no longer opens a connection
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (sends(b"<html>no</html>" * 500, "Content-Type: text/html"), "it sends text, not sound; the address must be"),
        (sends(b"\0" * 5000, "Content-Type: audio/mpeg"), "it is no sound file of a known format"),
        (sends(b"", "Content-Type: audio/mpeg"), "it "),
        (sends(b"", status="HTTP/1.0 404 Not Found"), "it answers 404"),
        (sends(b"", status="HTTP/1.0 401 Unauthorized"), "it asks for another user name and password"),
        (sends(b"", "Location: /live.mp3", status="HTTP/1.0 302 Found"), "it answers 302"),
        (sends(b"", "Location: file:///etc/passwd", status="HTTP/1.0 302 Found"), "it answers 302"),
        (sends(b"", "Location: ftp://127.0.0.1/x", status="HTTP/1.0 302 Found"), "it leads to an address that is not HTTP"),
        (sends(b"", status="220 smtp.example.org"), "it does not speak HTTP as it should (BadStatusLine)"),
        (lambda connection, _: connection.close(), "the connection broke"),
    ],
)
def test_whatever_else_comes_is_said_in_a_line(answer, says):
    with radio_server(answer) as server:
        said = problem(Radio(server.url(), RATE, timeout_s=5))
    assert said.startswith(f"radio '{server.url()}': {says}")
    assert "\n" not in said


def test_nobody_there():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/x"
    assert problem(Radio(url, RATE)) == f"radio '{url}': it refuses the connection"
    said = problem(Radio("http://radio.invalid/x", RATE, timeout_s=5))
    assert said == "radio 'http://radio.invalid/x': no machine of that name is known (DNS)"


def test_a_password_is_sent_and_never_shown(caplog):
    caplog.set_level(logging.DEBUG)
    with radio_server(sends(b"nothing", "Content-Type: audio/mpeg")) as server:
        url = server.url("/a%20b.mp3?token=canary2").replace("//", "//me:canary%401@")
        radio = Radio(url, RATE)
        with pytest.raises(SoundError) as caught:
            radio.read()
    assert f"Basic {base64.b64encode(b'me:canary@1').decode()}".encode() in server.requests[0]
    assert b"GET /a%20b.mp3?token=canary2 HTTP/1.1\r\n" in server.requests[0]
    assert caught.value.__cause__ is caught.value.__context__ is None
    assert "canary" not in f"{caught.value!r} {caplog.text} {radio.playing}"
    assert shown("https://u:p@[::1]:8000/x?y=z#f") == "https://[::1]:8000/x"


def test_a_password_is_not_handed_on_to_where_a_station_redirects():
    with radio_server(sends(MP3)) as other:
        moved = sends(b"", f"Location: {other.url('/there')}", status="HTTP/1.0 302 Found")
        with radio_server(moved) as server:
            radio = Radio(server.url().replace("//", "//me:secret@"), RATE)
            assert len(radio.read())
            radio.close()
    assert b"Authorization" in server.requests[0]
    assert other.requests
    assert b"Authorization" not in other.requests[0]


M3U = b"\xef\xbb\xbf#EXTM3U\r\n#EXTINF:-1,Radio\r\nfile:///etc/passwd\r\n/one\r\nhttp://other.example/two\r\n"
PLS = b"[playlist]\nNumberOfEntries=2\nTitle1=http://no.example/\nFile1=http://a.example/one\nfile2 = two\n"


def test_playlists_name_addresses():
    assert playlist_entries(M3U, "http://x.example/list/live.m3u") == ["http://x.example/one", "http://other.example/two"]
    assert playlist_entries(PLS, "http://x.example/list/live.pls") == ["http://a.example/one", "http://x.example/list/two"]
    assert playlist_entries(b"http://[bad\nftp://x/y\n\0", "http://x.example/") == []
    with pytest.raises(SoundError, match="it is an HLS stream"):
        playlist_entries(b"#EXTM3U\n#EXT-X-VERSION:3\nchunks.m3u8\n", "http://x.example/")


@pytest.mark.parametrize(
    ("path", "kind", "entries"),
    [
        ("/live.m3u", "text/plain", b"/dead\n/live.mp3\n"),
        ("/live.pls", "text/plain", b"[playlist]\nFile1=/dead\nFile2=/live.mp3\n"),
        ("/live", "audio/x-scpls", b"[playlist]\nFile1=/dead\nFile2=/live.mp3\n"),
    ],
)
def test_a_playlist_leads_to_its_station_and_after_a_failure_to_its_next(path, kind, entries):
    playlist = sends(entries, f"Content-Type: {kind}")
    with radio_server(playlist, sends(b"", status="HTTP/1.0 503 Busy"), playlist, sends(MP3)) as server:
        radio = Radio(server.url(path), RATE)
        with pytest.raises(SoundError, match="it answers 503"):
            radio.read()
        assert len(listen(radio, 0.5))
        radio.close()
    assert [head.split()[1].decode() for head in server.requests] == [path, "/dead", path, "/live.mp3"]


@pytest.mark.parametrize(
    ("playlist", "says"),
    [
        (b"/again.m3u\n", "its playlist leads to playlists only"),
        (b"# none\n", "its playlist names no http:// or https:// address"),
    ],
)
def test_a_playlist_that_leads_nowhere(playlist, says):
    with radio_server(sends(playlist)) as server:
        assert problem(Radio(server.url("/x.m3u"), RATE)).endswith(says)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to make a certificate")
def test_over_tls_a_certificate_must_be_trusted(tmp_path, monkeypatch):
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=radio"
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command.split(), *names], check=True, capture_output=True, timeout=300)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    with radio_server(sends(MP3), tls=tls) as server:
        said = problem(Radio(server.url(), RATE))
        assert said.startswith(f"radio '{server.url()}': its TLS certificate is not trusted (self")
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        radio = Radio(server.url(), RATE)
        assert abs(pitch(listen(radio, 1.0)[RATE // 4 :]) - 440) < 3
        radio.close()
