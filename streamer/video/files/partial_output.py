"""Keeps unfinished work in a temporary folder beside its path, so that the path never has incomplete output."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

BEGIN, END = ".zoomdream.", ".part"
"""Prefix and suffix of its name, without the path's own name, which may have the maximum length."""


def beside(path: Path) -> Path:
    """Create an empty private folder on the same disk as ``path`` (in it, if it is an existing folder).

    Files moved out of it have normal permissions, although the folder itself is private.

    Raises:
        OSError: nothing can be written there.
    """
    with contextlib.suppress(FileNotFoundError):
        path.lstat()  # raises here if the name is too long
    return Path(tempfile.mkdtemp(prefix=BEGIN, suffix=END, dir=path if path.is_dir() else path.parent))


def put_in_place(part: Path, path: Path) -> None:
    """Move a finished file to ``path``, replacing what is there."""
    try:
        os.replace(part, path)
    except OSError:
        if not path.exists():
            raise
        shutil.copyfile(part, path)  # a file mounted into a container can be written but not replaced
        part.unlink()


def remove(part: Path) -> None:
    """Delete unfinished work; does nothing if it is gone."""
    if part.is_dir():
        shutil.rmtree(part, ignore_errors=True)
    else:
        part.unlink(missing_ok=True)
