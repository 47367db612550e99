"""From the loop to rooms that may block: a few threads for their calls, with a bounded line before them."""

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
"""Calls that may be under way or wait for a thread; more are refused politely."""
CALL_S = 5.0
"""Seconds after which a caller is told to try again; the call itself runs on."""


class ThreadBridge:
    """Runs blocking calls of the desk and the status reader in threads."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="web-call")
        self._under_way = 0

    async def __call__(self, function: Callable[[], T]) -> T:
        """Return what ``function`` returns, raise what it raises.

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
            if not outcome.done():  # else it is the call's own
                outcome.add_done_callback(_missed)
            raise ApiError(503, "busy", "the dream did not answer in time", retry_s=2.0) from None

    def _count_down(self, loop: asyncio.AbstractEventLoop) -> None:
        def one_less() -> None:
            self._under_way -= 1

        if not loop.is_closed():
            loop.call_soon_threadsafe(one_less)

    def close(self) -> None:
        """Let go of the threads when the calls under way have ended; waiting ones are dropped."""
        self._pool.shutdown(cancel_futures=True)


def _missed(outcome: asyncio.Future[Any]) -> None:
    """A call ended that nobody waits for any more."""
    if not outcome.cancelled() and (error := outcome.exception()) is not None:
        log.info("a call that its caller had given up failed: %s: %s", type(error).__name__, str(error).partition("\n")[0])
