"""The commands of the command line; ``streamer.__main__`` parses the call and imports the command it names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from streamer.errors import ZoomdreamError

if TYPE_CHECKING:  # --help must appear quickly, so numpy is not imported
    from streamer.messages.refused import Refused

FAILED, WRONG_CALL, INTERRUPTED, TERMINATED = 1, 2, 130, 143
"""Exit codes. The last two are for Ctrl+C and SIGTERM: 128 plus the signal's number, as in shells."""


class CommandError(ZoomdreamError):
    """A command cannot continue; its message is the one line shown to the user."""

    def __init__(self, message: str, code: int = FAILED) -> None:
        super().__init__(message)
        self.code = code
        """The program's exit code."""


def refusal(refused: Refused) -> str:
    """Return a refusal's message for the operator: with suggestions, and how to get what is missing."""
    message = with_near(str(refused), refused.suggestions)
    return f"{message}; {refused.unlearnt.remedy}" if refused.unlearnt else message


def with_near(message: str, suggestions: Sequence[str]) -> str:
    """Return a refusal's message with suggestions, unless it names one already."""
    if not suggestions or any(suggestion in message for suggestion in suggestions):
        return message
    return f"{message}; near: {', '.join(suggestions)}"
