"""Explains to the operator why a connection failed, from FFmpeg's debug log.

FFmpeg's errors say little ("Input/output error" for a wrong key and for an unknown host alike); its debug log shows how far it
got. Pure, and without the address: the log's text may contain the key, so only parts that cannot contain it are passed on.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Sequence

KEY_S = 5.0
"""Seconds within which hanging up most likely means that the server refuses the key: some check it after their answer."""
_RTMP_VERSION = 3
_ASK = "is the key right, and does nobody else stream with it?"
_NO_NAME = re.compile(r"(?:Failed to resolve hostname|getaddrinfo\() ?(?P<name>[^\s:,)]+)(?:, [^)]*)?\)?: (?P<why>.+)")
_GONE = (errno.EPIPE, errno.ECONNRESET, errno.ECONNABORTED, errno.ESHUTDOWN, errno.ENOTCONN, errno.EIO)

Line = tuple[str, str]
"""The part of FFmpeg that logged, and its message."""


def why_not_connected(lines: Sequence[Line], error: OSError, where: str) -> str:
    """Explain in one line why a connection failed.

    Args:
        lines: What FFmpeg logged during the attempt, at debug level.
        error: The error of the attempt.
        where: Host and port, for the text.
    """
    texts = [text.strip() for _, text in lines]
    for text in texts:
        if match := _NO_NAME.match(text):
            return f"the name {match['name']} does not resolve ({match['why']}); check the address and this machine's network"
    timed_out = error.errno == errno.ETIMEDOUT
    refused = error.errno == errno.ECONNREFUSED or any("Connection refused" in text for text in texts)
    if any(text.startswith("Sending publish command") for text in texts):
        if timed_out:
            return f"{where} did not answer when it was given the stream key"
        return f"{where} refused the stream key; {_ASK}{_said(texts)}"
    if any(text.startswith("Type answer ") and text != f"Type answer {_RTMP_VERSION}" for text in texts):
        return f"{where} answers, but not as an RTMP server does; check address and port"
    if any(text.startswith("Proto = ") for text in texts):
        if timed_out:
            return f"{where} stopped answering while the stream was being set up"
        return f"{where} refused the stream; is the application, the first word of the address's path, right?{_said(texts)}"
    if any(text.startswith("Handshaking") for text in texts):
        if timed_out:
            return f"{where} accepted the connection but sends nothing; is it an RTMP server, and does it want rtmps?"
        return f"{where} closed the connection during the handshake; is it an RTMP server, and does it want {_other(lines)}?"
    if any(text.startswith("Successfully connected") for text in texts):
        if timed_out:
            return f"{where} accepted the connection but did not start TLS; does it want rtmp instead of rtmps?"
        return f"TLS to {where} failed: {_tls(lines)}"
    if refused:
        return f"{where} refuses connections; is the server running, and is the port right?"
    if timed_out or any("timed out" in text for text in texts):
        return f"{where} cannot be reached: no answer; check the address and firewalls on the way"
    return f"no connection to {where}: {_plain(error)}"


def why_lost(error: OSError, lived_s: float, where: str, *, keyed: bool) -> str:
    """Explain in one line why a connection ended after ``lived_s`` seconds; ``keyed``: it used a stream key."""
    if error.errno == errno.ETIMEDOUT:
        return f"{where} stopped accepting data"
    if error.errno in _GONE or isinstance(error, EOFError):
        if keyed and lived_s < KEY_S:
            return f"{where} hung up {lived_s:.0f} s after it was given the stream key; {_ASK}"
        return f"{where} closed the connection"
    return f"the connection to {where} was lost: {_plain(error)}"


def _said(texts: Sequence[str]) -> str:
    said = [text.partition("Server error: ")[2] for text in texts if text.startswith("Server error: ")]
    return f" It said: {said[-1]}" if said else ""


def _other(lines: Sequence[Line]) -> str:
    return "rtmp" if any(part == "rtmps" for part, _ in lines) else "rtmps"


def _tls(lines: Sequence[Line]) -> str:
    said = [text.strip() for part, text in lines if part == "tls" and "whitelist" not in text]
    return said[-1] if said else "the server does not speak it"


def _plain(error: OSError) -> str:
    """Return the system's message; never the exception's own text, which contains the address."""
    return os.strerror(error.errno) if error.errno is not None and 0 < error.errno < 4096 else "it ended unexpectedly"
