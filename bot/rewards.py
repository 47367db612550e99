"""What became of the requests that channel points paid for: fulfilled when on air, refunded when they will never be."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, Protocol

from bot.faults import Fault, explain, judge
from bot.tokens import TokenFileError, write_private
from bot.watchdog import TROUBLE, Pause

log = logging.getLogger(__name__)

KEPT = 1000
"""Redemptions remembered at a time. Beyond it the oldest is forgotten: it stays open at Twitch, for the streamer to settle."""
ASKED = 20
"""Requests asked after in one look; with more, the looks take turns."""
SHOWN = frozenset({"on_air", "done"})
REMOVED = "removed"


class Standing(Protocol):
    """Asks the streamer where requests stand."""

    async def __call__(self, ids: Collection[int]) -> Mapping[int, str]:
        """For each id: ``queued``, ``on_air``, ``done`` or ``removed``; empty when the streamer does not answer."""
        ...


Settle = Callable[[str, str, bool], Awaitable[None]]
"""Tells Twitch: reward, redemption, and whether it is fulfilled rather than refunded. Raises as ``watchdog.TROUBLE``."""


@dataclass(frozen=True, slots=True)
class Redemption:
    """A redemption that is answered and not settled at Twitch."""

    reward_id: str
    request_id: int | None
    """The request that it became; None: it was refused, and the points have to go back."""


class Rewards:
    """The redemptions that wait for their end; they outlive the bot, in a file."""

    def __init__(self, path: Path, standing: Standing, settle: Settle, every_s: float, pause: Pause) -> None:
        """Args:
        path: where they are kept.
        every_s: from one look at them to the next.
        pause: while Twitch has trouble.
        """
        self._path, self._standing, self._settle = path, standing, settle
        self._every_s, self._pause = every_s, pause
        self._waiting: OrderedDict[str, Redemption] = OrderedDict(self._load())
        self._heard: OrderedDict[str, None] = OrderedDict()
        self._wake = asyncio.Event()
        self._looks = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def new(self, redemption_id: str) -> bool:
        """Whether a redemption was not heard before; Twitch tells some twice."""
        if redemption_id in self._heard or redemption_id in self._waiting:
            return False
        self._heard[redemption_id] = None
        while len(self._heard) > KEPT:
            self._heard.popitem(last=False)
        return True

    def settled(self, reward_id: str, redemption_id: str, request_id: int | None) -> None:
        """A redemption became a request, or (None) it was refused."""
        self._waiting[redemption_id] = Redemption(reward_id, request_id)
        while len(self._waiting) > KEPT:
            lost, _ = self._waiting.popitem(last=False)
            log.warning("too many redemptions wait; forgot %s, settle it on your dashboard", lost)
        self._save()
        self._wake.set()

    async def run(self) -> NoReturn:
        """Settle redemptions until cancelled."""
        while True:
            self._wake.clear()
            trouble = await self._settle_due() if self._waiting else None
            if trouble:
                wait_s = self._pause.next_s()
                log.warning("redemptions cannot be settled: %s; trying again in %.0f s", trouble, wait_s)
                await asyncio.sleep(wait_s)
                continue
            self._pause.reset()
            try:
                async with asyncio.timeout(self._every_s if self._waiting else None):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _settle_due(self) -> str:
        """Settle whatever can be; returns what hindered it."""
        ids = [each.request_id for each in self._waiting.values() if each.request_id is not None]
        if len(ids) > ASKED:
            first = self._looks * ASKED % len(ids)
            ids = (ids + ids)[first : first + ASKED]
            self._looks += 1
        standing = await self._standing(ids) if ids else {}
        for redemption_id, each in list(self._waiting.items()):
            state = REMOVED if each.request_id is None else standing.get(each.request_id, "")
            if state != REMOVED and state not in SHOWN:
                continue
            fulfilled = state in SHOWN
            try:
                await self._settle(each.reward_id, redemption_id, fulfilled)
            except TROUBLE as error:
                if judge(error) is not Fault.REFUSED:
                    return explain(error)
                log.warning(
                    "Twitch refused to have redemption %s %s: %s; settle it on your dashboard",
                    redemption_id,
                    "fulfilled" if fulfilled else "refunded",
                    explain(error),
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
                "%s: cannot be read (%s); redemptions from before are for you to settle on your dashboard",
                self._path,
                type(error).__name__,
            )
            return {}

    def _save(self) -> None:
        entries = [[key, each.reward_id, each.request_id] for key, each in self._waiting.items()]
        try:
            write_private(self._path, json.dumps({"version": 1, "redemptions": entries}))
        except TokenFileError as error:
            log.warning("%s; redemptions will not outlive the bot", error)
