"""Caches measurements of this machine as JSON in the user's cache folder; all of them can be repeated."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import platformdirs


class CacheFile:
    """A file of values by key. Several programs may use it: it is always complete, and the last writer wins."""

    def __init__(self, name: str, file: Path | None = None) -> None:
        """Use ``file``, or if None the file of that name in the user's cache folder."""
        self.path = file or Path(platformdirs.user_cache_dir("zoomdream")) / name

    def read(self) -> dict[str, object]:
        """Return its values; empty if it cannot be read."""
        try:
            values = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return values if isinstance(values, dict) else {}

    def write(self, values: Mapping[str, object]) -> None:
        """Replace its contents with these values.

        Raises:
            OSError: it cannot be written; the old contents are unchanged.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=self.path.name)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(values, file, indent=1)
            os.replace(name, self.path)
        except OSError:
            with suppress(OSError):
                os.unlink(name)
            raise
