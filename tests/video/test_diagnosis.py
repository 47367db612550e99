from __future__ import annotations

import errno

import pytest

from streamer.video.sinks.diagnosis import why_lost, why_not_connected

WHERE = "live.example:1935"
BEGUN = [("tcp", "Successfully connected to 10.0.0.1 port 1935\n")]
GREETED = [*BEGUN, ("rtmp", "Handshaking...\n")]
SET_UP = [*GREETED, ("rtmp", "Type answer 3\n"), ("rtmp", "Proto = rtmp, path = /app/canary, app = app, fname = canary\n")]
PUBLISHED = [*SET_UP, ("rtmp", "Creating stream...\n"), ("rtmp", "Sending publish command for 'canary'\n")]


@pytest.mark.parametrize(
    ("lines", "number", "text"),
    [
        (
            [("tcp", "Failed to resolve hostname live.example: Name or service not known\n")],
            errno.EIO,
            "the name live.example does not resolve (Name or service not known); check the address and this machine's network",
        ),
        (
            [("udp", "getaddrinfo(live.example, 5004): Temporary failure in name resolution\n")],
            errno.EIO,
            "the name live.example does not resolve (Temporary failure in name resolution); "
            "check the address and this machine's network",
        ),
        ([], errno.ECONNREFUSED, f"{WHERE} refuses connections; is the server running, and is the port right?"),
        ([], errno.ETIMEDOUT, f"{WHERE} cannot be reached: no answer; check the address and firewalls on the way"),
        ([], errno.ENETUNREACH, f"no connection to {WHERE}: Network is unreachable"),
        (BEGUN, errno.ETIMEDOUT, f"{WHERE} accepted the connection but did not start TLS; does it want rtmp instead of rtmps?"),
        (
            [*BEGUN, ("tls", "The certificate's owner does not match hostname live.example\n")],
            errno.EIO,
            f"TLS to {WHERE} failed: The certificate's owner does not match hostname live.example",
        ),
        (
            GREETED,
            errno.ETIMEDOUT,
            f"{WHERE} accepted the connection but sends nothing; is it an RTMP server, and does it want rtmps?",
        ),
        (
            GREETED,
            errno.ECONNRESET,
            f"{WHERE} closed the connection during the handshake; is it an RTMP server, and does it want rtmps?",
        ),
        (
            [*GREETED, ("rtmp", "Type answer 72\n"), ("rtmp", "Proto = rtmp, path = /app/canary\n")],
            errno.EIO,
            f"{WHERE} answers, but not as an RTMP server does; check address and port",
        ),
        (
            SET_UP,
            errno.EIO,
            f"{WHERE} refused the stream; is the application, the first word of the address's path, right?",
        ),
        (SET_UP, errno.ETIMEDOUT, f"{WHERE} stopped answering while the stream was being set up"),
        (PUBLISHED, errno.EIO, f"{WHERE} refused the stream key; is the key right, and does nobody else stream with it?"),
        (
            [*PUBLISHED, ("rtmp", "Server error: Already publishing\n")],
            errno.EIO,
            f"{WHERE} refused the stream key; is the key right, and does nobody else stream with it? "
            "It said: Already publishing",
        ),
        (PUBLISHED, errno.ETIMEDOUT, f"{WHERE} did not answer when it was given the stream key"),
    ],
)
def test_how_far_it_came_says_why_it_failed(lines: list[tuple[str, str]], number: int, text: str) -> None:
    told = why_not_connected(lines, OSError(number, "cannot open rtmp://live.example/app/canary"), WHERE)
    assert told == text
    assert "canary" not in told


@pytest.mark.parametrize(
    ("number", "lived_s", "keyed", "text"),
    [
        (errno.ECONNRESET, 2.2, True, "hung up 2 s after it was given the stream key; is the key right, and does nobody else"),
        (errno.EPIPE, 2.2, False, f"{WHERE} closed the connection"),
        (errno.EPIPE, 60.0, True, f"{WHERE} closed the connection"),
        (errno.ETIMEDOUT, 60.0, True, f"{WHERE} stopped accepting data"),
        (errno.EHOSTUNREACH, 60.0, True, f"the connection to {WHERE} was lost: No route to host"),
    ],
)
def test_a_lost_connection_is_reported_with_its_likely_cause(number: int, lived_s: float, keyed: bool, text: str) -> None:
    told = why_lost(OSError(number, "rtmp://live.example/app/canary"), lived_s, WHERE, keyed=keyed)
    assert text in told
    assert "canary" not in told
