"""Watches the free space of a disk."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

from streamer.video.sinks.sink import SinkError

MB = 1_000_000


class DiskGuard:
    """Keeps some space free on a disk. After running out, it requires a margin on top, so as not to flap at the limit."""

    def __init__(self, folder: Path, min_free_mb: int, margin_mb: int, purpose: str) -> None:
        """Watch the disk that holds ``folder``, which need not exist yet.

        Args:
            margin_mb: Megabytes above ``min_free_mb`` required to resume after running out.
            purpose: What stops meanwhile, for the message.
        """
        self._folder, self._purpose = folder, purpose
        self._min_free_mb, self._margin_mb = min_free_mb, margin_mb
        self._ran_out = False

    def check(self) -> None:
        """Raise SinkError if there is too little space."""
        wanted_mb = self._min_free_mb + (self._margin_mb if self._ran_out else 0)
        if shutil.disk_usage(self._existing()).free < wanted_mb * MB:
            raise self.full()
        self._ran_out = False

    def full(self) -> SinkError:
        """Return the error to raise when the disk is full, as found here or by writing."""
        self._ran_out = True
        # No figure that changes from try to try, so that the message stays the same.
        left = f" but for the {self._min_free_mb} MB to be left free (min_free_mb)" if self._min_free_mb else ""
        return SinkError(
            f"the disk of {self._folder} is full{left}; "
            f"{self._purpose} resumes by itself once {self._min_free_mb + self._margin_mb} MB are free"
        )

    def _existing(self) -> Path:
        return next(folder for folder in (self._folder, *self._folder.absolute().parents) if folder.is_dir())


def is_full(error: OSError) -> bool:
    """Return whether an error means that the disk, or this user's quota, is full."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)
