"""The client of the streamer's API: one method for each call, typed answers, two errors.

``ApiRefused``: the streamer declines. ``ApiDown``: it cannot be reached, or its answer makes no sense.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal

from bot.adapter import ChatConnection
from bot.api_answers import AcceptedRequest, Clip, CurrentDream, Programme, QueuedRequest, RequestChange, SkipVotes, TextMatch
from bot.api_transport import ApiTransport, Json, reading
from bot.errors import ApiDown, ApiRefused
from bot.poll import Poll, poll_of
from shared.role import Role

MAX_WORDS = 1000
"""Characters of a text that are sent; the streamer reads the first hundred or so."""

Priority = Literal["none", "points", "bits"]
BlockKind = Literal["word", "user", "class"]


class Client(ApiTransport):
    """Calls a streamer. Open it with ``async with``, in the loop that uses it."""

    # Viewers

    async def request(
        self,
        user: str,
        text: str | None,
        *,
        message_id: str = "",
        role: Role = Role.EVERYONE,
        source: str = "chat",
        priority: Priority = "none",
        amount: int = 0,
    ) -> AcceptedRequest:
        """Ask for a dream; with None as ``text``, the streamer chooses."""
        body: Json = {"user": user, "role": role.value, "source": source}
        body |= {"text": text[:MAX_WORDS]} if text is not None else {"random": True}
        body |= {"message_id": message_id[:200]} if message_id else {}
        body |= {"priority": priority, "amount": amount} if priority != "none" else {}
        # With a message's id it is accepted once, however often it arrives.
        answer = await self._call("POST", "/api/requests", body, idempotent=bool(message_id))
        with reading():
            labels = tuple(str(each["label"]) for each in answer["targets"])
            return AcceptedRequest(
                int(answer["id"]), int(answer["position"]), _seconds(answer), labels, str(answer.get("note", ""))
            )

    async def match(self, text: str, role: Role) -> TextMatch:
        """What a text would be understood as, from somebody with that role."""
        answer = await self._call("GET", "/api/match", query={"text": text[:MAX_WORDS], "role": role.value}, idempotent=True)
        with reading():
            labels = tuple(str(each["label"]) for each in answer["targets"])
            return TextMatch(labels, str(answer.get("note", "")), answer.get("exact") is True)

    async def layers(self) -> tuple[str, ...]:
        """The names of the network's layers, from the picture to the classes."""
        answer = await self._call("GET", "/api/layers", idempotent=True)
        with reading():
            return tuple(str(each["name"]) for each in answer["layers"])

    async def examples(self) -> tuple[str, ...]:
        """Subjects that the network at work knows and shows well."""
        answer = await self._call("GET", "/api/network", idempotent=True)
        with reading():
            return tuple(str(label) for label in answer["examples"])

    async def programme(self) -> Programme:
        """What is on air, and the queue."""
        answer = await self._call("GET", "/api/status", idempotent=True)
        with reading():
            on_air = answer["on_air"]
            return Programme(
                None if on_air is None else CurrentDream(str(on_air["title"]), str(on_air["user"]), _number(on_air["left_s"])),
                tuple(_waiting(entry) for entry in answer["queue"]),
                bool(answer["paused"]),
                bool(answer.get("open", True)),
            )

    async def request_state(self, request_id: int) -> tuple[str, str]:
        """A request's state (``queued``, ``on_air``, ``done`` or ``removed``) and title."""
        answer = await self._call("GET", f"/api/requests/{request_id}", idempotent=True)
        with reading():
            return str(answer["state"]), str(answer["title"])

    async def request_states(self, ids: Collection[int]) -> Mapping[int, str]:
        """The states of some requests; unknown ones are ``removed``. Those that the streamer does not report are missing."""
        found: dict[int, str] = {}
        for request_id in ids:
            try:
                found[request_id], _ = await self.request_state(request_id)
            except ApiRefused as refused:
                if refused.status == 404 and refused.code == "not_found":
                    found[request_id] = "removed"
            except ApiDown:
                break
        return found

    async def oops(self, user: str, source: str) -> str:
        """Take back a viewer's latest request; returns its title."""
        answer = await self._call("POST", "/api/oops", {"user": user, "source": source})
        with reading():
            return str(answer["title"])

    async def voteskip(self, user: str, source: str) -> SkipVotes:
        """Vote against what is on air."""
        answer = await self._call("POST", "/api/voteskip", {"user": user, "source": source})
        with reading():
            return SkipVotes(int(answer["votes"]), int(answer["needed"]), bool(answer["skipped"]))

    async def poll(self) -> Poll | None:
        """The poll that is open, or that ended a few seconds ago; None when there is none."""
        return _poll(await self._call("GET", "/api/poll", idempotent=True))

    async def vote(self, votes: Sequence[tuple[str, int]], source: str, poll_id: str) -> Poll:
        """Report viewers' votes (names and numbers) in that poll; each viewer's last one counts."""
        body: Json = {"votes": [[user, choice] for user, choice in votes], "source": source, "poll": poll_id}
        return _existing(_poll(await self._call("POST", "/api/poll/votes", body, idempotent=True)))

    async def clip(self, user: str, source: str) -> Clip:
        """Keep the last seconds of what is on air."""
        # Asked twice for the same clip, the streamer keeps it once.
        answer = await self._call("POST", "/api/clips", {"user": user, "source": source}, idempotent=True)
        with reading():
            url = answer["url"]
            seconds = float(answer["clip_s"]) if answer["clip"] else 0.0
            return Clip(str(answer["title"]), str(answer["path"]), None if url is None else str(url), seconds)

    # Moderators

    async def begin_poll(self, user: str, text: str, seconds: float | None) -> Poll:
        """Open a poll between ``fox / pizza / castle``; without ``seconds``, for as long as the rules say."""
        body: Json = {"user": user, "text": text[:MAX_WORDS]} | ({} if seconds is None else {"seconds": seconds})
        return _existing(_poll(await self._call("POST", "/api/poll", body)))

    async def count_votes(self, source: str, counts: Sequence[int], poll_id: str) -> None:
        """Report how many votes each choice has in the platform's own poll."""
        body: Json = {"source": source, "counts": list(counts), "poll": poll_id}
        await self._call("POST", "/api/poll/counts", body, idempotent=True)

    async def end_poll(self, cancel: bool) -> Poll:
        """End the poll now; the leading choice wins, unless it is cancelled."""
        return _existing(_poll(await self._call("POST", "/api/poll/end", {"cancel": cancel})))

    async def skip(self) -> None:
        """End what is on air."""
        await self._call("POST", "/api/skip", {})

    async def clear(self) -> int:
        """Empty the queue; returns how many waited."""
        answer = await self._call("POST", "/api/clear", {}, idempotent=True)
        with reading():
            return int(answer["removed"])

    async def remove(self, request_id: int) -> None:
        """Remove one request."""
        await self._call("DELETE", f"/api/requests/{request_id}")

    async def remove_user(self, user: str) -> int:
        """Remove a viewer's requests; returns how many there were."""
        answer = await self._call("POST", "/api/remove", {"user": user})
        with reading():
            return int(answer["removed"])

    async def promote(self, request_id: int) -> None:
        """Put a request in front."""
        await self._call("POST", f"/api/requests/{request_id}/promote", {}, idempotent=True)

    async def pause(self, paused: bool) -> None:
        """Hold what is on air, or continue."""
        await self._call("POST", "/api/pause", {"paused": paused}, idempotent=True)

    async def rules(self, **changes: float | bool | str) -> None:
        """RequestChange rules of the queue."""
        await self._call("PATCH", "/api/rules", dict(changes), idempotent=True)

    async def block(self, kind: BlockKind, value: str, blocked: bool = True) -> None:
        """Block a word, a viewer or a class, or take that back."""
        await self._call("POST", "/api/blocks" if blocked else "/api/unblock", {"kind": kind, "value": value}, idempotent=True)

    async def motion(self, speed: float) -> None:
        """Set the zoom factor per second."""
        await self._call("POST", "/api/motion", {"speed": speed}, idempotent=True)

    async def bump(self) -> None:
        """Shake the dream."""
        await self._call("POST", "/api/bump", {})

    async def twist(self) -> None:
        """Twist the middle of the dream a little."""
        await self._call("POST", "/api/twist", {})

    # The bot itself

    async def report(
        self, state: ChatConnection, source: str, heard_s: float | None = None, told: int = 0
    ) -> tuple[RequestChange, ...]:
        """Report how the chat is connected; returns which requests of its viewers have changed.

        Args:
            heard_s: how many seconds ago its last message came; None for none yet.
            told: number of the latest change that viewers have been told of.
        """
        body: Json = {
            "state": state.state,
            "detail": state.detail[:300],
            "account": state.account[:100],
            "channel": state.channel[:100],
            "source": source,
            "heard_s": heard_s,
            "told": told,
        }
        answer = await self._call("POST", "/api/chat", body)
        with reading():
            return tuple(
                RequestChange(int(each["number"]), str(each["user"]), str(each["asked"]), str(each["title"]))
                for each in answer.get("changes", ())
            )


def _poll(answer: Json) -> Poll | None:
    with reading():
        return None if answer["poll"] is None else poll_of(answer["poll"])


def _existing(poll: Poll | None) -> Poll:
    if poll is None:
        raise ApiDown("the streamer reports no poll where there is one")
    return poll


def _waiting(entry: Json) -> QueuedRequest:
    return QueuedRequest(int(entry["id"]), str(entry["user"]), str(entry["title"]), int(entry["position"]), _seconds(entry))


def _seconds(entry: Mapping[str, Any]) -> float | None:
    return _number(entry.get("eta_s"))


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
