"""Watches how much room a disk has left."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

from streamer.video.sinks.sink import SinkError

MB = 1_000_000


class DiskGuard:
    """Keeps some room free on a disk, and does not flutter at the edge: once there was too little, it asks for some more."""

    def __init__(self, folder: Path, min_free_mb: int, margin_mb: int, purpose: str) -> None:
        """Watch the disk that holds ``folder``, which need not exist yet.

        Args:
            margin_mb: Megabytes above ``min_free_mb`` that it takes to go on after there was too little.
            purpose: What stops meanwhile, for the message.
        """
        self._folder, self._purpose = folder, purpose
        self._min_free_mb, self._margin_mb = min_free_mb, margin_mb
        self._ran_out = False

    def check(self) -> None:
        """Raise SinkError when there is too little room."""
        wanted_mb = self._min_free_mb + (self._margin_mb if self._ran_out else 0)
        if shutil.disk_usage(self._existing()).free < wanted_mb * MB:
            raise self.full()
        self._ran_out = False

    def full(self) -> SinkError:
        """What to raise when there is no room left, found out here or by writing."""
        self._ran_out = True
        # No figure that changes from try to try: the message stays the same while nothing else does.
        left = f" but for the {self._min_free_mb} MB to be left free (min_free_mb)" if self._min_free_mb else ""
        return SinkError(
            f"the disk of {self._folder} is full{left}; "
            f"{self._purpose} goes on by itself once {self._min_free_mb + self._margin_mb} MB are free"
        )

    def _existing(self) -> Path:
        return next(folder for folder in (self._folder, *self._folder.absolute().parents) if folder.is_dir())


def is_full(error: OSError) -> bool:
    """Whether something could not be written because there is no room, or none left for this user."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)
