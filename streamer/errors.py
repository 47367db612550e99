"""The base class of the errors that an operator reads."""

from __future__ import annotations


class ZoomdreamError(Exception):
    """Something that the operator can put right; the message says what is wrong and, where possible, what to do.

    Commands print the message and exit with a code. Errors that never leave their package, answers to viewers (``Refused``) and
    HTTP answers (``ApiError``) do not derive from it.
    """

    wrong_call: bool = False
    """Whether the command or the config is wrong (exit code 2), rather than that something failed (exit code 1)."""
