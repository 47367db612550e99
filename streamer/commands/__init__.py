"""What each command of the command line does; ``streamer.__main__`` reads the call and imports the one that is wanted."""

from __future__ import annotations

FAILED, WRONG_CALL = 1, 2
"""Exit codes."""


class CommandError(Exception):
    """A command that cannot go on; its message is the one line that its caller is told."""

    def __init__(self, message: str, code: int = FAILED) -> None:
        super().__init__(message)
        self.code = code
        """What the program exits with."""
