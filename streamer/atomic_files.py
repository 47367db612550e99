"""Writes small files atomically: readers find the old file or the new one, even if the program is killed."""

from __future__ import annotations

import os
import threading
from pathlib import Path

PART = ".part"
"""Ending of the name of an unfinished file."""


def write_atomically(path: Path, data: bytes | memoryview, *, alone: bool = True) -> None:
    """Write a temporary file in the same folder, then move it to ``path``.

    Args:
        alone: whether there is only one writer. The temporary file then always has the same name, so that one left by a killed
            program is overwritten; else each writer uses its own.

    Raises:
        OSError: the file cannot be written; the old one is unchanged.
    """
    own = "" if alone else f".{os.getpid()}-{threading.get_ident()}"
    part = path.with_name(f".{path.name}{own}{PART}")
    try:
        part.write_bytes(data)
        os.replace(part, path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
