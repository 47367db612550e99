"""Work that is not finished, beside the place where it is to stand, so that nothing half-made is ever found there."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

BEGIN, END = ".zoomdream.", ".part"
"""How its name begins and ends; the name of the place itself may be as long as a name can be."""


def beside(path: Path) -> Path:
    """An empty folder that nobody else has, on the same disk as ``path`` (in it, if that is a folder that is there).

    What is moved out of it is an ordinary file, although nobody else may look into the folder.

    Raises:
        OSError: nothing can be written there.
    """
    with contextlib.suppress(FileNotFoundError):
        path.lstat()  # a name that is too long is found out here
    return Path(tempfile.mkdtemp(prefix=BEGIN, suffix=END, dir=path if path.is_dir() else path.parent))


def put_in_place(part: Path, path: Path) -> None:
    """Make a finished file the one at ``path``."""
    try:
        os.replace(part, path)
    except OSError:
        if not path.exists():
            raise
        shutil.copyfile(part, path)  # what is there can be written to but not replaced: a container's mounted file
        part.unlink()


def remove(part: Path) -> None:
    """Remove what was begun; does nothing where it is gone."""
    if part.is_dir():
        shutil.rmtree(part, ignore_errors=True)
    else:
        part.unlink(missing_ok=True)
