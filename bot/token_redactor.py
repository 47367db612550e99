"""Keeps tokens and the client secret out of the log."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

HIDDEN = "[hidden]"
_NAMES = "client_secret|refresh_token|access_token|device_code|refresh|token"
_SHAPES = re.compile(
    rf"""(?P<key>
        (?<![\w-])(?:{_NAMES}|code)=(?=[^&\s"'\]])  # in an address, which twitchio's errors hold whole
        | ["'](?:{_NAMES})["']\s*:\s*["']  # in JSON, or in a printed dict
        | \btoken:\s*"  # in twitchio's InvalidTokenException
        | \b(?:Bearer|OAuth)\s+(?=\S{{16}})
    )[^&\s"']+""",
    re.VERBOSE,
)
"""What stands in front of a secret, wherever it comes from."""
_SHORTEST = 8
"""Characters; hiding shorter secrets would garble harmless text."""
NOISE = "StarletteAdapter please install"
"""In a warning of twitchio's at every start, about something that the bot does not use."""


class TokenRedactor(logging.Filter):
    """Removes secrets from texts, and, as a filter, from the records of the loggers that it is attached to."""

    def __init__(self) -> None:
        super().__init__()
        self._known: set[str] = set()

    def learn(self, *secrets: str | None) -> None:
        """Hide these from now on, wherever they occur."""
        self._known |= {secret for secret in secrets if secret and len(secret) >= _SHORTEST}

    def __call__(self, text: object) -> str:
        """The text without secrets."""
        clean = str(text)
        for secret in self._known:
            clean = clean.replace(secret, HIDDEN)
        return _SHAPES.sub(lambda match: match["key"] + HIDDEN, clean)

    def filter(self, record: logging.LogRecord) -> bool:
        """Clean a record and its traceback; drop twitchio's advertisement."""
        message = record.getMessage()
        record.msg, record.args = self(message), ()
        if record.exc_info:
            record.exc_text = self(logging.Formatter().formatException(record.exc_info))
            record.exc_info = None
        return NOISE not in message

    @contextmanager
    def attached(self, *roots: str) -> Iterator[None]:
        """Clean the records of these loggers and of those below them that exist already."""
        names = {
            *roots,
            *(name for name in logging.Logger.manager.loggerDict if name.startswith(tuple(f"{r}." for r in roots))),
        }
        loggers = [logging.getLogger(name) for name in sorted(names)]
        for logger in loggers:
            logger.addFilter(self)
        try:
            yield
        finally:
            for logger in loggers:
                logger.removeFilter(self)
