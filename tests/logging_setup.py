"""Undoes the logging setup of commands that tests call."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from streamer.logs import CHATTY, Counting


@contextmanager
def restored_logging() -> Iterator[None]:
    """Restore the root logger's handlers and all levels at the end; fixtures of a wider scope call commands within it."""
    root, chatty = logging.getLogger(), [logging.getLogger(name) for name in CHATTY]
    assert not any(isinstance(handler, Counting) for handler in root.handlers), "a fixture has left its logging set up"
    handlers, levels = root.handlers[:], [logger.level for logger in (root, *chatty)]
    try:
        yield
    finally:
        for handler in root.handlers:
            if isinstance(handler, Counting):
                handler.close()  # otherwise it writes its counts later, to a closed stream
        root.handlers[:] = handlers
        for logger, level in zip((root, *chatty), levels, strict=True):
            logger.setLevel(level)
