"""How many files, pipes and connections the system lets this process have open; None where it does not say."""

from __future__ import annotations

import contextlib
import sys

MOST = 4096
"""What a program needs at most; far more would only make a leak take longer to show."""

if sys.platform != "win32":
    import resource

    def most() -> int | None:
        """Descriptors that may be open at once."""
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return None if soft == resource.RLIM_INFINITY else soft

    def raise_most() -> None:
        """Have as many as the system allows, up to MOST; processes started from now on have as many."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = MOST if hard == resource.RLIM_INFINITY else min(MOST, hard)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            with contextlib.suppress(OSError, ValueError):  # macOS gives fewer than it says: it stays as it was
                resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))

else:

    def most() -> int | None:
        """Descriptors that may be open at once."""
        return None

    def raise_most() -> None:
        """Have as many as the system allows, up to MOST; processes started from now on have as many."""
