"""One call of the streamer's API over HTTP: JSON out, JSON or an error back."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import aiohttp

from bot.errors import ApiDown, ApiRefused

log = logging.getLogger(__name__)

TIMEOUT_S = 5.0
"""Seconds that a call may take."""
AGAIN_S = 0.25
"""Seconds before a call that changes nothing when it is made twice is tried once more."""
MAX_BYTES = 1024 * 1024
"""Longest answer read; a full queue's status has about 300 kB."""

Json = dict[str, Any]


class ApiTransport:
    """The connection to a streamer, for one event loop."""

    def __init__(self, api_url: str, token: str | None = None, timeout_s: float = TIMEOUT_S) -> None:
        self._url, self._timeout_s = api_url.rstrip("/"), timeout_s
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._session: aiohttp.ClientSession | None = None
        self._reachable = True
        self.quiet = False
        """Whether to log nothing when the streamer is away: when both end, it may be the first."""

    async def __aenter__(self) -> Self:
        # No proxy from the environment and no cookies: the streamer is called directly.
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

    async def _call(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        *,
        query: Mapping[str, str] | None = None,
        idempotent: bool = False,
    ) -> Json:
        """Call once; repeat an ``idempotent`` call once if the first try gets no answer.

        Raises:
            ApiRefused: the streamer declines.
            ApiDown: the streamer cannot be reached, or its answer makes no sense.
        """
        try:
            try:
                answer = await self._once(method, path, body, query)
            except ApiDown:
                if not idempotent or not self._reachable:  # it was away a moment ago: do not wait for it
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
            # Half a surrogate pair, as broken clients send it, cannot be encoded as UTF-8: json.dumps escapes it.
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
            raise ApiDown(f"{self._url} answered {status}, but not as the streamer's API does; is another program there?")
        if status < 300:
            return answer
        raise _refusal(status, answer)


def _refusal(status: int, answer: Json) -> ApiRefused:
    """An error answer, whether its parts lie in an ``error`` block or beside an ``error`` code."""
    error = answer.get("error")
    inner = error if isinstance(error, dict) else {}
    body = {**answer, **inner}
    code = inner.get("code") if inner else error
    return ApiRefused(status, str(code or status), str(body.get("message") or f"the streamer answered {status}"), body)


class reading:  # noqa: N801  reads like a statement
    """A block in which an answer that lacks something raises ApiDown."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if isinstance(error, KeyError | TypeError | ValueError | AttributeError):
            raise ApiDown("the streamer's answer makes no sense; is it of the same version as the bot?") from error
