"""How fast the bot speaks: Twitch mutes an account that sends too many messages in 30 seconds."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable

AS_VIEWER, AS_MODERATOR = 20, 100
"""Messages in 30 s that Twitch allows an account, and a moderator's account."""
WINDOW_S = 30.0
RESERVED = 0.2
"""Share of the messages reserved for replies to moderators, so that they never wait for replies to viewers."""
WAITING = 32
"""Replies to viewers that may wait; further ones are dropped, as they would come too late to make sense."""
PATIENCE_S = 15.0
"""Seconds after which a waiting reply to a viewer is dropped."""
_TURN_S = 0.1


class Throttle:
    """Lets so many messages through in any 30 seconds, replies to moderators first. For one event loop."""

    def __init__(
        self,
        per_30s: int = AS_VIEWER,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.per_30s = per_30s
        """Can be changed at any time, as when the account becomes a moderator."""
        self.dropped = 0
        """Replies that were dropped."""
        self._clock, self._sleep = clock, sleep
        self._said: deque[float] = deque()
        self._lines: tuple[deque[object], deque[object]] = (deque(), deque())
        """What waits: replies to moderators, and the others."""

    async def wait(self, first: bool = False) -> bool:
        """Wait until a message may be sent, and count it as sent.

        Args:
            first: it answers a moderator, so it goes before replies to viewers, and is never dropped.

        Returns:
            Whether to send it; False when it would come too late.
        """
        line = self._lines[0 if first else 1]
        if not first and len(line) >= WAITING:
            self.dropped += 1
            return False
        ticket, since_s = object(), self._clock()
        line.append(ticket)
        try:
            while True:
                if line[0] is ticket and (first or not self._lines[0]):
                    delay_s = self._delay_s(first)
                    if delay_s <= 0:
                        self._said.append(self._clock())
                        return True
                else:
                    delay_s = _TURN_S
                if not first and self._clock() - since_s + delay_s > PATIENCE_S:
                    self.dropped += 1
                    return False
                await self._sleep(max(min(delay_s, PATIENCE_S), 0.001))
        finally:
            line.remove(ticket)

    def _delay_s(self, first: bool) -> float:
        """Seconds until there is room for one more message."""
        now_s = self._clock()
        while self._said and now_s - self._said[0] >= WINDOW_S:
            self._said.popleft()
        room = self.per_30s if first else self.per_30s - max(1, int(self.per_30s * RESERVED))
        over = len(self._said) - room
        return 0.0 if over < 0 else self._said[over] + WINDOW_S - now_s
