"""Sends a chat line to a running streamer, over its API."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from streamer.commands import CommandError, with_near

COMMAND = "!dream"
LAYER = "!layer"
EXAMPLE = "jellyfish"
"""Every network knows it."""
TIMEOUT_S = 10.0

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """The request in a chat line."""

    text: str
    """The subject, as the queue parses it: ``volcano``, ``layer fire5``."""
    role: str = "everyone"
    """The role that the request needs: layers need a moderator, and this command may act as one."""


class NotSaid(CommandError):
    """A line that did not reach the queue; the message is for the user."""


def wish(line: str) -> ChatRequest:
    """Parse a chat line: ``volcano`` from ``!dream volcano`` or from ``volcano``, ``layer fire5`` from ``!layer fire5``.

    Raises:
        ValueError: it names nothing, or is another command.
    """
    words = line.strip()
    if words.startswith("!"):
        command, _, words = words.partition(" ")
        if command.lower() == LAYER:
            if not words.strip():
                raise ValueError(f'which layer? Say for example "{LAYER} fire5"; zoomdream classes --layers lists them')
            return ChatRequest(f"layer {words.strip()}", "moderator")
        if command.lower() != COMMAND:
            raise ValueError(f"'{command}' is not understood; say for example \"{COMMAND} {EXAMPLE}\"")
    if not words.strip():
        raise ValueError(f'nothing to dream; say for example "{COMMAND} {EXAMPLE}"')
    return ChatRequest(words.strip())


def address(where: str) -> str:
    """Return the address to call for a host and port or a page: ``http://127.0.0.1:8080`` from ``0.0.0.0:8080``.

    Raises:
        ValueError: it is not the address of a web server.
    """
    parts = urllib.parse.urlsplit(where if "://" in where else f"http://{_bracketed(where)}")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"'{where}' is not an address such as http://127.0.0.1:8080")
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(parts.hostname, parts.hostname)  # listening everywhere includes here
    port = f":{parts.port}" if parts.port else ""  # raises for ports beyond 65535
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}"


def _bracketed(where: str) -> str:
    """Return ``[::1]:8080`` for ``::1:8080``, which is a config's host and port joined."""
    host, colon, port = where.rpartition(":")
    return f"[{host}]{colon}{port}" if ":" in host and not host.startswith("[") else where


def say(url: str, user: str, text: str, token: str | None = None, role: str = "everyone") -> str:
    """Send a request to the streamer at ``url``.

    Returns:
        A line for the user, for example ``volcano: next, in about 20 s``.

    Raises:
        NotSaid: no streamer runs there, or it refused.
    """
    said = {"user": user, "text": text, "source": "say"}
    if role != "everyone":  # needs the token, or a call from the streamer's machine if there is none
        said["role"] = role
    body = json.dumps(said).encode()
    request = urllib.request.Request(f"{url}/api/requests", data=body, headers={"Content-Type": "application/json"})
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # never use a proxy for this
    try:
        with opener.open(request, timeout=TIMEOUT_S) as response:
            return _accepted(json.load(response))
    except urllib.error.HTTPError as error:
        with error:
            raise NotSaid(_refused(error.code, error.read())) from None
    except (OSError, ValueError) as error:  # refused, unreachable, timed out, or an answer that is not JSON
        reason = getattr(error, "reason", error)
        if isinstance(reason, ConnectionRefusedError):
            raise NotSaid(f"nothing is running at {url}; start it with: zoomdream run") from None
        raise NotSaid(f"no streamer answered at {url}: {reason}") from None


def _accepted(answer: Json) -> str:
    title = " + ".join(target["label"] for target in answer["targets"])
    position, eta_s = answer["position"], answer["eta_s"]
    place = "next" if position <= 1 else f"number {position} in line"
    when = "immediately" if eta_s < 1 else f"in about {_duration(eta_s)}"
    note = f" ({answer['note']})" if answer.get("note") else ""
    return f"{title}: {place}, {when}{note}"


def _refused(code: int, body: bytes) -> str:
    try:
        error = json.loads(body)["error"]
        message, suggestions = str(error["message"]), [str(item) for item in error.get("suggestions", ())]
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"the streamer answered {code} {_phrase(code)}"
    message = with_near(message, suggestions)
    if error.get("remedy"):
        message += f"; {error['remedy']}"
    if error.get("retry_s"):
        message += f"; try again in {_duration(error['retry_s'])}"
    return message


def _phrase(code: int) -> str:
    try:
        return HTTPStatus(code).phrase
    except ValueError:
        return ""


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
