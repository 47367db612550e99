"""How long tests wait for something to happen."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

PATIENCE_S = 120.0
"""Time limit, far longer than anything takes on a busy machine. It costs nothing while tests pass."""
LOOK_S = 0.01
"""Time between two checks of a condition."""


def faults(told: Mapping[str, Any]) -> list[str]:
    """Return the problems that a status reports, except those that a busy machine causes in a healthy stream."""
    return [problem for problem in told["health"]["problems"] if "frames come slower" not in problem]


def until(condition: Callable[[], object], told: Callable[[], object] = lambda: "it did not happen") -> None:
    """Wait until a condition comes true.

    Raises:
        AssertionError: it does not within ``PATIENCE_S``; ``told`` returns the message.
    """
    end_s, pause = time.monotonic() + PATIENCE_S, threading.Event()
    while not condition():
        assert time.monotonic() < end_s, told()
        pause.wait(LOOK_S)
