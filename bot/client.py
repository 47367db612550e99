"""The streamer's API, as the bot calls it: one method a call, typed answers, two ways to fail.

What the streamer declines is an ``ApiRefused``; that it cannot be reached, or talks nonsense, is an ``ApiDown``.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Self

import aiohttp

from bot.messages import ChatState
from bot.poll import Poll, poll_of
from viewer_text.role import Role

log = logging.getLogger(__name__)

TIMEOUT_S = 5.0
"""Seconds that a call may take."""
AGAIN_S = 0.25
"""Seconds before a call that changes nothing when it is made twice is tried once more."""
MAX_BYTES = 1024 * 1024
"""Longest answer read; a full queue's status has about 300 kB."""
MAX_WORDS = 1000
"""Characters of a text that are sent; the desk keeps a tenth of them."""

Json = dict[str, Any]
Priority = Literal["none", "points", "bits"]
BlockKind = Literal["word", "user", "class"]


class ApiRefused(Exception):
    """The streamer said no."""

    def __init__(self, status: int, code: str, message: str, body: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.status = status
        """As in HTTP."""
        self.code = code
        """For programs, for example ``unknown_word``."""
        self.message = message
        self.body = body
        """What else was told."""

    @property
    def suggestions(self) -> tuple[str, ...]:
        """What would have been understood, nearest first."""
        found = self.body.get("suggestions")
        return tuple(str(each) for each in found) if isinstance(found, list) else ()

    def number(self, key: str) -> float | None:
        """A number that was told, for example ``retry_s``."""
        found = self.body.get(key)
        return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else None


class ApiDown(Exception):
    """The streamer cannot be reached, or is not what answers there."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A request that was taken."""

    id: int
    position: int
    eta_s: float | None
    labels: tuple[str, ...]
    """What was understood."""
    note: str = ""
    """What was guessed."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A request in line."""

    id: int
    user: str
    title: str
    position: int
    eta_s: float | None

    @property
    def labels(self) -> tuple[str, ...]:
        """The subjects of the title."""
        return labels_of(self.title)


@dataclass(frozen=True, slots=True)
class OnAir:
    """What is being dreamt."""

    title: str
    user: str
    """Empty while nobody asked for it."""
    left_s: float | None

    @property
    def labels(self) -> tuple[str, ...]:
        """The subjects of the title."""
        return labels_of(self.title)


@dataclass(frozen=True, slots=True)
class Programme:
    """What is on air and what waits."""

    on_air: OnAir | None
    waiting: tuple[Waiting, ...]
    paused: bool
    open: bool


@dataclass(frozen=True, slots=True)
class Skip:
    """How a vote to skip stands."""

    votes: int
    needed: int
    skipped: bool


@dataclass(frozen=True, slots=True)
class Clip:
    """A moment of the dream that was kept."""

    title: str
    path: str
    """Its page on the streamer's server."""
    url: str | None
    """Where viewers find it, if the streamer knows an address of its own."""
    seconds: float
    """How long it plays; 0: it is a picture, for no video was encoded."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The subjects of the title."""
        return labels_of(self.title)


@dataclass(frozen=True, slots=True)
class Change:
    """A request that is dreamt as something else than was answered."""

    number: int
    """Rises with each change."""
    user: str
    asked: str
    """The title that was answered."""
    title: str
    """What is dreamt instead; empty for nothing."""


@dataclass(frozen=True, slots=True)
class Understood:
    """What words would match."""

    labels: tuple[str, ...]
    note: str = ""
    exact: bool = False
    """Whether the words were names and nothing else."""


def labels_of(title: str) -> tuple[str, ...]:
    """The subjects of a title such as ``volcano + bubble``."""
    return tuple(part for part in title.split(" + ") if part)


class Client:
    """Calls a streamer. Open it with ``async with``, in the loop that uses it."""

    def __init__(self, api_url: str, token: str | None = None, timeout_s: float = TIMEOUT_S) -> None:
        self._url, self._timeout_s = api_url.rstrip("/"), timeout_s
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._session: aiohttp.ClientSession | None = None
        self._reachable = True
        self.quiet = False
        """Whether the log is not told when the streamer is away; at the end it may have gone first."""

    async def __aenter__(self) -> Self:
        # No proxy of the environment's and no cookies: the two talk with each other.
        self._session = aiohttp.ClientSession(
            headers=self._headers,
            timeout=aiohttp.ClientTimeout(total=self._timeout_s),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=True,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

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
    ) -> Taken:
        """Ask for a dream; a ``text`` of None lets the streamer choose."""
        body: Json = {"user": user, "role": role.value, "source": source}
        body |= {"text": text[:MAX_WORDS]} if text is not None else {"random": True}
        body |= {"message_id": message_id[:200]} if message_id else {}
        body |= {"priority": priority, "amount": amount} if priority != "none" else {}
        # With a message's id it is taken once, however often it arrives.
        answer = await self._call("POST", "/api/requests", body, again=bool(message_id))
        with _reading():
            labels = tuple(str(each["label"]) for each in answer["targets"])
            return Taken(int(answer["id"]), int(answer["position"]), _seconds(answer), labels, str(answer.get("note", "")))

    async def match(self, text: str, role: Role) -> Understood:
        """What somebody's words would be understood as."""
        answer = await self._call("GET", "/api/match", query={"text": text[:MAX_WORDS], "role": role.value}, again=True)
        with _reading():
            labels = tuple(str(each["label"]) for each in answer["targets"])
            return Understood(labels, str(answer.get("note", "")), answer.get("exact") is True)

    async def layers(self) -> tuple[str, ...]:
        """The names of the network's layers, from the picture to the classes."""
        answer = await self._call("GET", "/api/layers", again=True)
        with _reading():
            return tuple(str(each["name"]) for each in answer["layers"])

    async def examples(self) -> tuple[str, ...]:
        """Subjects that can be asked for now and show well."""
        answer = await self._call("GET", "/api/network", again=True)
        with _reading():
            return tuple(str(label) for label in answer["examples"])

    async def programme(self) -> Programme:
        """What is on air and what waits."""
        answer = await self._call("GET", "/api/status", again=True)
        with _reading():
            on_air = answer["on_air"]
            return Programme(
                None if on_air is None else OnAir(str(on_air["title"]), str(on_air["user"]), _number(on_air["left_s"])),
                tuple(_waiting(entry) for entry in answer["queue"]),
                bool(answer["paused"]),
                bool(answer.get("open", True)),
            )

    async def standing(self, request_id: int) -> tuple[str, str]:
        """A request's state (``queued``, ``on_air``, ``done`` or ``removed``) and title."""
        answer = await self._call("GET", f"/api/requests/{request_id}", again=True)
        with _reading():
            return str(answer["state"]), str(answer["title"])

    async def standings(self, ids: Collection[int]) -> Mapping[int, str]:
        """The states of some requests; those that the streamer does not tell are missing, one it never heard of is removed."""
        found: dict[int, str] = {}
        for request_id in ids:
            try:
                found[request_id], _ = await self.standing(request_id)
            except ApiRefused as refused:
                if refused.status == 404 and refused.code == "not_found":
                    found[request_id] = "removed"
            except ApiDown:
                break
        return found

    async def oops(self, user: str, source: str) -> str:
        """Take back a viewer's latest request; returns its title."""
        answer = await self._call("POST", "/api/oops", {"user": user, "source": source})
        with _reading():
            return str(answer["title"])

    async def voteskip(self, user: str, source: str) -> Skip:
        """Vote against what is on air."""
        answer = await self._call("POST", "/api/voteskip", {"user": user, "source": source})
        with _reading():
            return Skip(int(answer["votes"]), int(answer["needed"]), bool(answer["skipped"]))

    async def poll(self) -> Poll | None:
        """The poll that is open, or ended a few seconds ago."""
        return _poll(await self._call("GET", "/api/poll", again=True))

    async def vote(self, votes: Sequence[tuple[str, int]], source: str, poll_id: str) -> Poll:
        """Bring viewers' votes, names and numbers, for that poll; each viewer's last one counts."""
        body: Json = {"votes": [[user, choice] for user, choice in votes], "source": source, "poll": poll_id}
        return _must(_poll(await self._call("POST", "/api/poll/votes", body, again=True)))

    async def clip(self, user: str, source: str) -> Clip:
        """Keep the last seconds of what is on air."""
        # Asked twice for the same, the streamer keeps it once.
        answer = await self._call("POST", "/api/clips", {"user": user, "source": source}, again=True)
        with _reading():
            url = answer["url"]
            seconds = float(answer["clip_s"]) if answer["clip"] else 0.0
            return Clip(str(answer["title"]), str(answer["path"]), None if url is None else str(url), seconds)

    # Moderators

    async def begin_poll(self, user: str, text: str, seconds: float | None) -> Poll:
        """Open a poll between ``fox / pizza / castle``; without a time, as the rules say."""
        body: Json = {"user": user, "text": text[:MAX_WORDS]} | ({} if seconds is None else {"seconds": seconds})
        return _must(_poll(await self._call("POST", "/api/poll", body)))

    async def count_votes(self, source: str, counts: Sequence[int], poll_id: str) -> None:
        """Tell how many votes each choice has elsewhere."""
        body: Json = {"source": source, "counts": list(counts), "poll": poll_id}
        await self._call("POST", "/api/poll/counts", body, again=True)

    async def end_poll(self, cancel: bool) -> Poll:
        """End the poll now, with whoever leads or for nothing."""
        return _must(_poll(await self._call("POST", "/api/poll/end", {"cancel": cancel})))

    async def skip(self) -> None:
        """End what is on air."""
        await self._call("POST", "/api/skip", {})

    async def clear(self) -> int:
        """Empty the queue; returns how many waited."""
        answer = await self._call("POST", "/api/clear", {}, again=True)
        with _reading():
            return int(answer["removed"])

    async def remove(self, request_id: int) -> None:
        """Take one request out."""
        await self._call("DELETE", f"/api/requests/{request_id}")

    async def remove_user(self, user: str) -> int:
        """Take a viewer's requests out; returns how many there were."""
        answer = await self._call("POST", "/api/remove", {"user": user})
        with _reading():
            return int(answer["removed"])

    async def promote(self, request_id: int) -> None:
        """Put a request in front."""
        await self._call("POST", f"/api/requests/{request_id}/promote", {}, again=True)

    async def pause(self, paused: bool) -> None:
        """Hold what is on air, or go on."""
        await self._call("POST", "/api/pause", {"paused": paused}, again=True)

    async def rules(self, **changes: float | bool | str) -> None:
        """Change rules of the queue."""
        await self._call("PATCH", "/api/rules", dict(changes), again=True)

    async def block(self, kind: BlockKind, value: str, blocked: bool = True) -> None:
        """Block a word, a viewer or a class, or take that back."""
        await self._call("POST", "/api/blocks" if blocked else "/api/unblock", {"kind": kind, "value": value}, again=True)

    async def motion(self, speed: float) -> None:
        """Set the zoom factor per second."""
        await self._call("POST", "/api/motion", {"speed": speed}, again=True)

    async def bump(self) -> None:
        """Shake the dream."""
        await self._call("POST", "/api/bump", {})

    async def twist(self) -> None:
        """Wake the dream by a slight twist."""
        await self._call("POST", "/api/twist", {})

    # The bot itself

    async def report(self, state: ChatState, source: str, heard_s: float | None = None, told: int = 0) -> tuple[Change, ...]:
        """Tell how the chat is connected, and hear which requests of its viewers have changed.

        Args:
            heard_s: how many seconds ago its last message came; None for none yet.
            told: number of the latest change that viewers were told of.
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
        with _reading():
            return tuple(
                Change(int(each["number"]), str(each["user"]), str(each["asked"]), str(each["title"]))
                for each in answer.get("changes", ())
            )

    async def _call(
        self, method: str, path: str, body: Json | None = None, *, query: Mapping[str, str] | None = None, again: bool = False
    ) -> Json:
        """Call once, or twice if ``again`` allows it and nothing answers at first.

        Raises:
            ApiRefused, ApiDown: see there.
        """
        try:
            try:
                answer = await self._once(method, path, body, query)
            except ApiDown:
                if not again or not self._reachable:  # one who was not there a moment ago is not waited for
                    raise
                await asyncio.sleep(AGAIN_S)
                answer = await self._once(method, path, body, query)
        except ApiDown as error:
            if self._reachable and not self.quiet:
                log.warning("the streamer does not answer, chat has to wait: %s", error)
            self._reachable = False
            raise
        if not self._reachable:
            log.info("the streamer answers again")
        self._reachable = True
        return answer

    async def _once(self, method: str, path: str, body: Json | None, query: Mapping[str, str] | None) -> Json:
        assert self._session is not None, "a client is opened with 'async with'"
        try:
            # Half a surrogate pair, as broken clients send it, is no text for JSON's UTF-8: it goes out escaped.
            data = None if body is None else json.dumps(body).encode()
            headers = {"Content-Type": "application/json"} if data is not None else {}
            async with self._session.request(
                method, f"{self._url}{path}", data=data, params=query, headers=headers, allow_redirects=False
            ) as response:
                raw = await response.content.read(MAX_BYTES + 1)
                while len(raw) <= MAX_BYTES and (more := await response.content.read(MAX_BYTES)):
                    raw += more
                status = response.status
        except TimeoutError:
            raise ApiDown(f"{self._url} took more than {self._timeout_s:g} s") from None
        except aiohttp.ClientConnectorError as error:
            raise ApiDown(f"{self._url}: {error.os_error.strerror or error.os_error}") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise ApiDown(f"{self._url}: {error or type(error).__name__}") from None
        try:
            answer = json.loads(raw) if len(raw) <= MAX_BYTES else None
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            raise ApiDown(f"{self._url} answered {status} with something that no streamer says; is another program there?")
        if status < 300:
            return answer
        raise _refusal(status, answer)


def _poll(answer: Json) -> Poll | None:
    with _reading():
        return None if answer["poll"] is None else poll_of(answer["poll"])


def _must(poll: Poll | None) -> Poll:
    if poll is None:
        raise ApiDown("the streamer tells of no poll where there is one")
    return poll


def _refusal(status: int, answer: Json) -> ApiRefused:
    """An error answer, whether its parts lie in an ``error`` block or beside an ``error`` code."""
    error = answer.get("error")
    inner = error if isinstance(error, dict) else {}
    body = {**answer, **inner}
    code = inner.get("code") if inner else error
    return ApiRefused(status, str(code or status), str(body.get("message") or f"the streamer answered {status}"), body)


class _reading:  # noqa: N801  reads like a statement
    """Within, an answer that lacks something is an ApiDown."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if isinstance(error, KeyError | TypeError | ValueError | AttributeError):
            raise ApiDown("the streamer's answer is not understood; is it of the same version as the bot?") from error


def _waiting(entry: Json) -> Waiting:
    return Waiting(int(entry["id"]), str(entry["user"]), str(entry["title"]), int(entry["position"]), _seconds(entry))


def _seconds(entry: Mapping[str, Any]) -> float | None:
    return _number(entry.get("eta_s"))


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
