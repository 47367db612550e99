"""Channel-point redemptions until they are settled: fulfilled when their request is on air, refunded when it never will be."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, Protocol

from bot.tokens import TokenFileError, write_private
from bot.twitch_errors import TWITCH_ERRORS, ErrorKind, classify, describe
from bot.twitch_timings import RetryDelay

log = logging.getLogger(__name__)

KEPT = 1000
"""Redemptions remembered. Beyond that the oldest is forgotten: it stays open at Twitch, for the streamer to settle."""
ASKED = 20
"""Requests asked after in one look; with more, the looks take turns."""
SHOWN = frozenset({"on_air", "done"})
REMOVED = "removed"


class RequestStates(Protocol):
    """Asks the streamer for the states of requests."""

    async def __call__(self, ids: Collection[int]) -> Mapping[int, str]:
        """For each id: ``queued``, ``on_air``, ``done`` or ``removed``; empty when the streamer does not answer."""
        ...


SettleAtTwitch = Callable[[str, str, bool], Awaitable[None]]
"""Called with reward, redemption, and whether it is fulfilled rather than refunded. Raises TWITCH_ERRORS."""


@dataclass(frozen=True, slots=True)
class Redemption:
    """A redemption that was answered and is not settled yet."""

    reward_id: str
    request_id: int | None
    """The request that it became; None when it was refused, so the points go back."""


class RedemptionLedger:
    """The redemptions that are not settled yet. A file keeps them while the bot is off."""

    def __init__(self, path: Path, states: RequestStates, settle: SettleAtTwitch, every_s: float, delay: RetryDelay) -> None:
        """Args:
        path: the file.
        every_s: from one look at them to the next.
        delay: between tries while Twitch has trouble.
        """
        self._path, self._states, self._settle = path, states, settle
        self._every_s, self._delay = every_s, delay
        self._waiting: OrderedDict[str, Redemption] = OrderedDict(self._load())
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._wake = asyncio.Event()
        self._looks = 0

    def is_new(self, redemption_id: str) -> bool:
        """Whether a redemption comes for the first time; Twitch sends some twice."""
        if redemption_id in self._seen or redemption_id in self._waiting:
            return False
        self._seen[redemption_id] = None
        while len(self._seen) > KEPT:
            self._seen.popitem(last=False)
        return True

    def add(self, reward_id: str, redemption_id: str, request_id: int | None) -> None:
        """A redemption became a request, or (None) it was refused."""
        self._waiting[redemption_id] = Redemption(reward_id, request_id)
        while len(self._waiting) > KEPT:
            lost, _ = self._waiting.popitem(last=False)
            log.warning("too many redemptions are open; forgot %s, settle it on your dashboard", lost)
        self._save()
        self._wake.set()

    async def run(self) -> NoReturn:
        """Settle redemptions until cancelled."""
        while True:
            self._wake.clear()
            trouble = await self._settle_due() if self._waiting else None
            if trouble:
                wait_s = self._delay.next_s()
                log.warning("redemptions cannot be settled: %s; trying again in %.0f s", trouble, wait_s)
                await asyncio.sleep(wait_s)
                continue
            self._delay.reset()
            try:
                async with asyncio.timeout(self._every_s if self._waiting else None):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _settle_due(self) -> str:
        """Settle those whose requests are on air or gone; returns what went wrong, empty for nothing."""
        ids = [each.request_id for each in self._waiting.values() if each.request_id is not None]
        if len(ids) > ASKED:
            first = self._looks * ASKED % len(ids)
            ids = (ids + ids)[first : first + ASKED]
            self._looks += 1
        states = await self._states(ids) if ids else {}
        for redemption_id, each in list(self._waiting.items()):
            state = REMOVED if each.request_id is None else states.get(each.request_id, "")
            if state != REMOVED and state not in SHOWN:
                continue
            fulfilled = state in SHOWN
            try:
                await self._settle(each.reward_id, redemption_id, fulfilled)
            except TWITCH_ERRORS as error:
                if classify(error) is not ErrorKind.REFUSED:
                    return describe(error)
                log.warning(
                    "Twitch refused to have redemption %s %s: %s; settle it on your dashboard",
                    redemption_id,
                    "fulfilled" if fulfilled else "refunded",
                    describe(error),
                )
            else:
                log.info("redemption %s %s", redemption_id, "fulfilled" if fulfilled else "refunded")
            del self._waiting[redemption_id]
            self._save()
        return ""

    def _load(self) -> dict[str, Redemption]:
        try:
            entries = json.loads(self._path.read_bytes())["redemptions"]
            return {
                str(key): Redemption(str(reward), None if request is None else int(request)) for key, reward, request in entries
            }
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, KeyError) as error:
            log.warning(
                "%s: cannot be read (%s); settle earlier redemptions on your dashboard", self._path, type(error).__name__
            )
            return {}

    def _save(self) -> None:
        entries = [[key, each.reward_id, each.request_id] for key, each in self._waiting.items()]
        try:
            write_private(self._path, json.dumps({"version": 1, "redemptions": entries}))
        except TokenFileError as error:
            log.warning("%s; open redemptions are lost when the bot ends", error)
