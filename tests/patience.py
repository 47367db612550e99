"""How long tests wait for what has to happen."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

PATIENCE_S = 120.0
"""Far longer than anything takes on a machine with much else to do: where all is well it costs nothing."""
LOOK_S = 0.01
"""From one look to the next."""


def faults(told: Mapping[str, Any]) -> list[str]:
    """The problems that a status tells, but for those that a machine with much else to do has when all is well."""
    return [problem for problem in told["health"]["problems"] if "frames come slower" not in problem]


def until(condition: Callable[[], object], told: Callable[[], object] = lambda: "it did not happen") -> None:
    """Wait until a condition comes true.

    Raises:
        AssertionError: it did not; with what ``told`` says then.
    """
    end_s, pause = time.monotonic() + PATIENCE_S, threading.Event()
    while not condition():
        assert time.monotonic() < end_s, told()
        pause.wait(LOOK_S)
