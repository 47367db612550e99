"""Turns the errors of the packages into command errors with exit codes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from streamer.commands import FAILED, INTERRUPTED, WRONG_CALL, CommandError
from streamer.errors import ZoomdreamError
from streamer.settings_file import ConfigError


@contextlib.contextmanager
def as_command_error() -> Iterator[None]:
    """Turn every ``ZoomdreamError``, and Ctrl+C, into a ``CommandError`` with its exit code.

    Raises:
        CommandError: the call was wrong, or it failed.
    """
    try:
        yield
    except CommandError:
        raise
    except ConfigError as error:
        raise CommandError("; ".join(error.problems), WRONG_CALL) from error
    except ZoomdreamError as error:
        raise CommandError(str(error), WRONG_CALL if error.wrong_call else FAILED) from error
    except KeyboardInterrupt as stopped:
        raise CommandError("stopped before the end", getattr(stopped, "code", INTERRUPTED)) from None
