"""Reads stream keys, and keeps them out of logs and messages."""

from __future__ import annotations

import logging
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path

from streamer.errors import ZoomdreamError
from streamer.text_files import decoded

HIDDEN = "[hidden]"
MOST_BYTES = 4096
"""Largest file that can be a key file."""
_SHORTEST = 4
"""Least characters of a secret to hide; hiding shorter words would garble harmless text."""
_URL_KEY = re.compile(
    r"(?P<server>\brtmps?://[^\s/'\"]+/[^\s/'\"?]+(?:\?[^\s/'\"]*)?/)(?:\[hidden\]|[^\s'\"\])}>,])+", re.IGNORECASE
)
"""Everything after server and application in an RTMP address is a key."""
_URL_USER = re.compile(r"(?P<scheme>\b[a-z][a-z0-9+.-]*://)[^\s/@'\"]+@", re.IGNORECASE)


class StreamKeyError(ZoomdreamError):
    """There is no usable key; the text says where it was looked for and what to do, and contains no key."""


def read_key(key: str | None, key_file: Path | None, key_env: str, environment: Mapping[str, str] = os.environ) -> str | None:
    """Find a stream's key.

    Args:
        key: The key itself; used first.
        key_file: A file with nothing but the key; used second.
        key_env: The environment variable with the key, used if neither is given.

    Returns:
        The key; None if there is none.

    Raises:
        StreamKeyError: the file is unusable, or the text found is no key.
    """
    if key is not None:
        return _checked(key, "'key'")
    if key_file is not None:
        return _checked(_read(key_file), f"'key_file' {key_file}")
    found = environment.get(key_env, "").strip()
    return _checked(found, f"the environment variable {key_env}") if found else None


def _read(path: Path) -> str:
    try:
        # Non-blocking, so that a pipe in its place cannot block the stream.
        number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        raise StreamKeyError(f"'key_file' {path} cannot be read: {error.strerror}") from None
    try:
        mode = os.fstat(number).st_mode
        if not stat.S_ISREG(mode):
            raise StreamKeyError(f"'key_file' {path} is not a file")
        if os.name == "posix" and mode & 0o077:
            raise StreamKeyError(f"'key_file' {path} can be read by others (mode {mode & 0o777:o}); run: chmod 600 {path}")
        data = os.read(number, MOST_BYTES + 1)
    finally:
        os.close(number)
    try:
        if len(data) <= MOST_BYTES:
            return decoded(data).strip()
    except UnicodeDecodeError:
        pass
    raise StreamKeyError(f"'key_file' {path} contains no key: write nothing but the key into it, as text")


def _checked(key: str, where: str) -> str:
    key = key.strip().removeprefix("\ufeff")  # from a file with a byte order mark
    if not key:
        raise StreamKeyError(f"{where} is empty; put the stream's key there")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise StreamKeyError(f"{where} contains no key: a key is one word of ASCII letters, digits and symbols")
    return key


class Redactor(logging.Filter):
    """Removes keys from texts, by value and by their position in addresses. It is also a filter for log records."""

    def __init__(self, *secrets: str) -> None:
        super().__init__()
        self._known: set[str] = set()
        self.learn(*secrets)

    def learn(self, *secrets: str) -> None:
        """Hide these secrets from now on; for a key with parameters, also the key alone."""
        words = {word for secret in secrets for word in (secret, secret.partition("?")[0])}
        self._known |= {word for word in words if len(word) >= _SHORTEST}

    def __call__(self, text: object) -> str:
        """Return the text without keys."""
        clean = str(text)
        for secret in sorted(self._known, key=len, reverse=True):
            clean = clean.replace(secret, HIDDEN)
        return _URL_USER.sub(lambda match: match["scheme"], _URL_KEY.sub(lambda match: match["server"] + HIDDEN, clean))

    def filter(self, record: logging.LogRecord) -> bool:
        """Remove keys from a record, including its traceback."""
        record.msg, record.args = self(record.getMessage()), ()
        if record.exc_info:
            record.exc_text = self(logging.Formatter().formatException(record.exc_info))
            record.exc_info = None
        return True
