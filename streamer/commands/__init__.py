"""What each command of the command line does; ``streamer.__main__`` reads the call and imports the one that is wanted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from streamer.errors import ZoomdreamError

if TYPE_CHECKING:  # --help is to be there at once, without numpy
    from streamer.messages.refused import Refused

FAILED, WRONG_CALL, INTERRUPTED, TERMINATED = 1, 2, 130, 143
"""Exit codes; the last two are 128 and the number of the signal, as shells have them: Ctrl+C and SIGTERM."""


class CommandError(ZoomdreamError):
    """A command that cannot go on; its message is the one line that its caller is told."""

    def __init__(self, message: str, code: int = FAILED) -> None:
        super().__init__(message)
        self.code = code
        """What the program exits with."""


def refusal(refused: Refused) -> str:
    """A refusal as the operator is told it: with what would be understood, and how to get what is missing."""
    message = with_near(str(refused), refused.suggestions)
    return f"{message}; {refused.unlearnt.remedy}" if refused.unlearnt else message


def with_near(message: str, suggestions: Sequence[str]) -> str:
    """A refusal's message with what would be understood, unless it offers that itself."""
    if not suggestions or any(suggestion in message for suggestion in suggestions):
        return message
    return f"{message}; near: {', '.join(suggestions)}"
