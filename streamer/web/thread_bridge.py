"""Runs blocking calls in a few threads, off the event loop; the number of calls that may wait is bounded."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from streamer.web.errors import ApiError

log = logging.getLogger(__name__)

T = TypeVar("T")

THREADS = 4
WAITING = 64
"""Calls that may run or wait for a thread; more are refused with 503."""
CALL_S = 5.0
"""Seconds after which the caller gets 503; the call itself runs on."""


class ThreadBridge:
    """Runs blocking calls of the request service and the status reader in threads."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="web-call")
        self._under_way = 0

    async def __call__(self, function: Callable[[], T]) -> T:
        """Run ``function`` in a thread; returns what it returns, raises what it raises.

        Raises:
            ApiError: 503 if too many calls wait, or this one takes too long.
        """
        if self._under_way >= WAITING:
            raise ApiError(503, "busy", "too many calls at once", retry_s=1.0)
        self._under_way += 1
        future = self._pool.submit(function)
        loop = asyncio.get_running_loop()
        future.add_done_callback(lambda _: self._count_down(loop))
        outcome = asyncio.wrap_future(future)
        try:
            return await asyncio.wait_for(asyncio.shield(outcome), CALL_S)
        except TimeoutError:
            if not outcome.done():  # otherwise the call itself raised TimeoutError
                outcome.add_done_callback(_missed)
            raise ApiError(503, "busy", "the dream did not answer in time", retry_s=2.0) from None

    def _count_down(self, loop: asyncio.AbstractEventLoop) -> None:
        def one_less() -> None:
            self._under_way -= 1

        if not loop.is_closed():
            loop.call_soon_threadsafe(one_less)

    def close(self) -> None:
        """Release the threads once the running calls have ended; waiting calls are dropped."""
        self._pool.shutdown(cancel_futures=True)


def _missed(outcome: asyncio.Future[Any]) -> None:
    """Log the failure of a call whose caller has got 503 already."""
    if not outcome.cancelled() and (error := outcome.exception()) is not None:
        log.info("a call failed after it had timed out: %s: %s", type(error).__name__, str(error).partition("\n")[0])
