"""Turns the failures of offline renders into command errors with exit codes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from streamer.cluster import ClusterError
from streamer.commands import FAILED, INTERRUPTED, WRONG_CALL, CommandError
from streamer.commands.script_parser import ScriptError
from streamer.commands.timestamps import TimestampError
from streamer.dream.device import DeviceError
from streamer.dream.interface import DreamError
from streamer.dream.networks.weights import NetworkError
from streamer.dream.sources.picture import SourceError
from streamer.journal_reader import JournalError
from streamer.settings_file import ConfigError
from streamer.video.files.movie import MovieError


@contextlib.contextmanager
def as_command_error() -> Iterator[None]:
    """Turn every expected failure, and Ctrl+C, into a CommandError with the matching exit code.

    Raises:
        CommandError: the call was wrong, or it failed.
    """
    try:
        yield
    except ConfigError as error:
        raise CommandError("; ".join(error.problems), WRONG_CALL) from error
    except (ScriptError, TimestampError, JournalError, SourceError, DreamError, ClusterError) as error:
        raise CommandError(str(error), WRONG_CALL) from error
    except MovieError as error:
        raise CommandError(str(error), WRONG_CALL if error.wrong_call else FAILED) from error
    except (NetworkError, DeviceError) as error:
        raise CommandError(str(error)) from error
    except KeyboardInterrupt as stopped:
        raise CommandError("stopped before the end", getattr(stopped, "code", INTERRUPTED)) from None
