"""What was measured on this machine, as JSON in the user's cache folder: nothing is lost that could not be measured again."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import platformdirs


class CacheFile:
    """A file of values by keys. Several programs may use it: each finds it whole, and the last to write has its way."""

    def __init__(self, name: str, file: Path | None = None) -> None:
        """Look into a file; None is the one of that name in the user's cache folder."""
        self.path = file or Path(platformdirs.user_cache_dir("zoomdream")) / name

    def read(self) -> dict[str, object]:
        """All that is in it; nothing where it cannot be read."""
        try:
            told = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return told if isinstance(told, dict) else {}

    def write(self, values: Mapping[str, object]) -> None:
        """Put these in place of all that is in it.

        Raises:
            OSError: it cannot be written; nothing changed then.
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
