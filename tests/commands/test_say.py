import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest

from streamer.commands.say import ChatRequest, NotSaid, address, say, wish


class Streamer:
    """A stand-in for the API that gives every call the answer a test sets."""

    def __init__(self) -> None:
        self.code, self.answer = 201, b""
        self.heard: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        streamer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                streamer.heard.append((self.path, dict(self.headers), json.loads(body)))
                self.send_response(streamer.code)
                self.end_headers()
                self.wfile.write(streamer.answer)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def answers(self, code: int, **answer: object) -> None:
        self.code, self.answer = code, json.dumps(answer).encode()


@pytest.fixture
def streamer() -> Iterator[Streamer]:
    stand_in = Streamer()
    thread = Thread(target=stand_in.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield stand_in
    stand_in.server.shutdown()
    thread.join()
    stand_in.server.server_close()


@pytest.mark.parametrize("line", ["!dream volcano", "volcano", "  !DREAM   volcano "])
def test_a_line_with_or_without_the_command_asks_for_the_same(line: str) -> None:
    assert wish(line) == ChatRequest("volcano")


@pytest.mark.parametrize("line", ["!layer fire5", " !LAYER  fire5 "])
def test_a_layer_is_a_moderators_request(line: str) -> None:
    assert wish(line) == ChatRequest("layer fire5", "moderator")


def test_a_layer_has_to_be_named() -> None:
    with pytest.raises(ValueError, match=r'which layer.*"!layer fire5".*classes --layers'):
        wish("!layer")


@pytest.mark.parametrize("line", ["", "!dream", "!dream  ", "!skip"])
def test_a_line_that_asks_for_nothing_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match='say for example "!dream jellyfish"'):
        wish(line)


@pytest.mark.parametrize(
    ("position", "eta_s", "note", "says"),
    [
        (1, 20.4, "", "volcano + bubble: next, in about 20 s"),
        (1, 0.0, "", "volcano + bubble: next, immediately"),
        (3, 125.0, "", "volcano + bubble: number 3 in line, in about 2 min"),
        (1, 7200.0, "read 'vulcano' as volcano", "volcano + bubble: next, in about 2.0 h (read 'vulcano' as volcano)"),
    ],
)
def test_an_accepted_request_is_shown_plainly(streamer: Streamer, position: int, eta_s: float, note: str, says: str) -> None:
    targets = [{"label": "volcano"}, {"label": "bubble"}]
    streamer.answers(201, id=7, position=position, eta_s=eta_s, targets=targets, **({"note": note} if note else {}))
    assert say(streamer.url, "ann", "volcano + bubble") == says
    ((path, _, body),) = streamer.heard
    assert path == "/api/requests"
    assert body == {"user": "ann", "text": "volcano + bubble", "source": "say"}


def test_the_token_goes_along(streamer: Streamer) -> None:
    streamer.answers(201, id=7, position=1, eta_s=0, targets=[])
    say(streamer.url, "ann", "volcano", token="a secret")
    assert streamer.heard[0][1]["Authorization"] == "Bearer a secret"


def test_a_moderators_request_sends_the_role(streamer: Streamer) -> None:
    streamer.answers(201, id=7, position=1, eta_s=0, targets=[])
    say(streamer.url, "ann", "layer fire5", role="moderator")
    assert streamer.heard[0][2] == {"user": "ann", "text": "layer fire5", "source": "say", "role": "moderator"}


@pytest.mark.parametrize(
    ("code", "error", "says"),
    [
        (
            422,
            {"message": "I don't know 'vulcan'", "suggestions": ["volcano", "bubble"]},
            "I don't know 'vulcan'; near: volcano, bubble",
        ),
        (422, {"message": "no 'vulcan'; try volcano", "suggestions": ["volcano"]}, "no 'vulcan'; try volcano"),
        (
            422,
            {"message": "no 'fox' here; try lion", "suggestions": ["lion"], "remedy": "take a larger network"},
            "no 'fox' here; try lion; take a larger network",
        ),
        (429, {"message": "three are enough", "retry_s": 95.0}, "three are enough; try again in 2 min"),
    ],
)
def test_what_was_refused_says_why(streamer: Streamer, code: int, error: dict[str, object], says: str) -> None:
    streamer.answers(code, error=error)
    with pytest.raises(NotSaid) as caught:
        say(streamer.url, "ann", "vulcan")
    assert str(caught.value) == says


def test_another_program_at_that_address_is_recognised(streamer: Streamer) -> None:
    streamer.code, streamer.answer = 501, b"<html>"
    with pytest.raises(NotSaid, match="answered 501 Not Implemented"):
        say(streamer.url, "ann", "volcano")
    streamer.code, streamer.answer = 200, b"<html>"
    with pytest.raises(NotSaid, match="no streamer answered"):
        say(streamer.url, "ann", "volcano")


def test_nothing_running_there_is_said_plainly() -> None:
    server = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    url = f"http://127.0.0.1:{server.server_port}"
    server.server_close()
    with pytest.raises(NotSaid, match=f"nothing is running at {url}; start it with: zoomdream run"):
        say(url, "ann", "volcano")


@pytest.mark.parametrize(
    ("where", "url"),
    [
        ("127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("0.0.0.0:9000", "http://127.0.0.1:9000"),
        ("::1:8080", "http://[::1]:8080"),
        (":::8080", "http://[::1]:8080"),
        ("http://dream.example/control", "http://dream.example"),
        ("https://dream.example:8443/", "https://dream.example:8443"),
    ],
)
def test_addresses(where: str, url: str) -> None:
    assert address(where) == url


@pytest.mark.parametrize("where", ["ftp://dream.example", "http://", "127.0.0.1:99999"])
def test_what_is_no_address(where: str) -> None:
    with pytest.raises(ValueError, match=r"is not an address|out of range"):
        address(where)
