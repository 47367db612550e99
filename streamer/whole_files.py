"""Small files that are put in place whole: whoever looks finds the old one or the new one, whatever ends the program."""

from __future__ import annotations

import os
from pathlib import Path

PART = ".part"
"""What the name of an unfinished one ends in."""


def write_whole(path: Path, data: bytes) -> None:
    """Write a file beside its place, and put it there.

    The unfinished one always has the same name, so that one which a killed program left is written over. One writer a file.

    Raises:
        OSError: it cannot be written; nothing changed then.
    """
    part = path.with_name(f".{path.name}{PART}")
    try:
        part.write_bytes(data)
        os.replace(part, path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
