"""The limit of open files, pipes and connections of this process."""

from __future__ import annotations

import contextlib
import sys

MOST = 4096
"""The most that the program needs; a much higher limit would only hide a leak for longer."""

if sys.platform != "win32":
    import resource

    def most() -> int | None:
        """Return the number of descriptors that may be open; None if there is no limit or it is unknown."""
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return None if soft == resource.RLIM_INFINITY else soft

    def raise_most() -> None:
        """Raise the limit as far as the system allows, up to ``MOST``; processes started from now on inherit it."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = MOST if hard == resource.RLIM_INFINITY else min(MOST, hard)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            with contextlib.suppress(OSError, ValueError):  # macOS may allow fewer than it reports: the limit stays
                resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))

else:

    def most() -> int | None:
        """Return the number of descriptors that may be open; None if there is no limit or it is unknown."""
        return None

    def raise_most() -> None:
        """Do nothing: Windows has no such limit."""
