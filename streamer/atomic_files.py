"""Small files that are put in place whole: whoever looks finds the old one or the new one, whatever ends the program."""

from __future__ import annotations

import os
import threading
from pathlib import Path

PART = ".part"
"""What the name of an unfinished one ends in."""


def write_atomically(path: Path, data: bytes | memoryview, *, alone: bool = True) -> None:
    """Write a file beside its place, and put it there.

    Args:
        alone: whether nobody else writes it at the same time. Then the unfinished one always has the same name, so that one
            which a killed program left is written over; else each writer's has its own.

    Raises:
        OSError: it cannot be written; nothing changed then.
    """
    own = "" if alone else f".{os.getpid()}-{threading.get_ident()}"
    part = path.with_name(f".{path.name}{own}{PART}")
    try:
        part.write_bytes(data)
        os.replace(part, path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
