"""Who may call what: host names, origins, the moderators' token, and the headers that keep browsers careful.

The page is public, so reading is free. A write or an event stream must come from a page of ours or from no page at all (a
program), under a host name that is ours: otherwise any web site could use a visitor's browser to reach a server on loopback.
Moderating takes the token, as ``Authorization: Bearer`` or in a cookie that ``/control`` gets by logging in. Without a
configured token the server listens on loopback only, and whoever sits at the machine moderates.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from urllib.parse import urlsplit

from aiohttp import web

from streamer.config import is_loopback
from streamer.web.errors import ApiError, Handler

COOKIE = "zoomdream_control"
COOKIE_S = 30 * 24 * 3600
FAILURES = 10
"""Wrong tokens an address may offer within FAILURE_S."""
FAILURE_S = 60.0
ADDRESSES = 1024
"""Addresses whose failures are remembered; the oldest is forgotten first."""

OPEN = frozenset({"/healthz", "/metrics"})
"""Watched by machines, under whatever name they know the server."""
EVENTS = "/api/events"

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CSP,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


class Gate:
    """Decides about each request; one per server, used in its loop only."""

    def __init__(
        self,
        host: str,
        token: str | None,
        names: Collection[str] = (),
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """``names`` are host names besides loopback, the address itself and, off loopback, any numeric address."""
        self._token = token
        self._loopback = is_loopback(host)
        self._names = {name.lower() for name in (*names, host)}
        self._clock = clock
        self._wall = wall
        self._failures: OrderedDict[str, list[float]] = OrderedDict()

    @property
    def login(self) -> bool:
        """Whether there is a token to log in with."""
        return self._token is not None

    def check(self, request: web.Request) -> None:
        """Let through what comes under our name and, where it matters, from our own pages.

        Raises:
            ApiError: 403 with ``bad_host`` or ``bad_origin``.
        """
        if request.path in OPEN:
            return
        if not self._known(request.host):
            raise ApiError(403, "bad_host", f"this server does not go by the name {request.host!r}; web.hosts lists its names")
        if request.method in ("GET", "HEAD") and request.path != EVENTS:
            return
        origin = request.headers.get("Origin")
        foreign = request.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site")
        if foreign or (origin is not None and urlsplit(origin).netloc.lower() != request.host.lower()):
            raise ApiError(403, "bad_origin", "this call may come from this server's own pages only")

    def _known(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        name = name.rstrip(".")
        # a rebound DNS name is never a bare address, so addresses are safe where others may reach us at all
        return is_loopback(name) or name in self._names or (not self._loopback and _is_address(name))

    def moderates(self, request: web.Request) -> bool:
        """Whether the caller is a moderator.

        Raises:
            ApiError: 401 for a wrong token, 429 after too many of them.
        """
        if self._token is None:
            # what a proxy passes on comes from elsewhere
            return self._loopback and not any(name in request.headers for name in ("Forwarded", "X-Forwarded-For"))
        offered = request.headers.get("Authorization")
        if offered is not None:
            kind, _, token = offered.partition(" ")
            self.try_token(request, token.strip() if kind.lower() == "bearer" else "")
            return True
        return self._cookie_holds(request.cookies.get(COOKIE, ""))

    def writes(self, request: web.Request) -> bool:
        """Whether the caller may ask for something."""
        return self._loopback or self.moderates(request)

    def require_moderator(self, request: web.Request) -> None:
        """Raise ApiError 401 unless a moderator calls."""
        if not self.moderates(request):
            raise ApiError(401, "unauthorized", self._how())

    def require_writer(self, request: web.Request) -> None:
        """Raise ApiError 401 unless the caller may ask for something."""
        if not self.writes(request):
            raise ApiError(401, "unauthorized", self._how())

    def _how(self) -> str:
        if self._token is None:
            return "this call is for this machine only, because no token is configured"
        return "this call needs the token: log in on /control, or send Authorization: Bearer"

    def try_token(self, request: web.Request, offered: str) -> None:
        """Compare a token in constant time, and brake whoever guesses.

        Raises:
            ApiError: 401 if it is wrong, 429 after too many wrong ones.
        """
        address, now = request.remote or "", self._clock()
        recent = [then for then in self._failures.get(address, ()) if now - then < FAILURE_S]
        if len(recent) >= FAILURES:
            raise ApiError(429, "too_many_tries", "too many wrong tokens", retry_s=recent[0] + FAILURE_S - now)
        if self._token is not None and hmac.compare_digest(offered.encode(), self._token.encode()):
            self._failures.pop(address, None)
            return
        self._failures[address] = [*recent, now]
        self._failures.move_to_end(address)
        if len(self._failures) > ADDRESSES:
            self._failures.popitem(last=False)
        raise ApiError(401, "wrong_token", "that is not the token")

    def _sign(self, expires: str) -> str:
        assert self._token is not None
        return hmac.new(self._token.encode(), f"zoomdream control until {expires}".encode(), hashlib.sha256).hexdigest()

    def remember(self, request: web.Request, response: web.StreamResponse) -> None:
        """Give a browser the cookie: the token itself is not in it, a new token ends it."""
        expires = str(int(self._wall()) + COOKIE_S)
        response.set_cookie(
            COOKIE,
            f"{expires}.{self._sign(expires)}",
            max_age=COOKIE_S,
            path="/",
            httponly=True,
            samesite="Strict",
            secure=request.headers.get("X-Forwarded-Proto", request.scheme) == "https",
        )

    def _cookie_holds(self, cookie: str) -> bool:
        expires, _, signature = cookie.partition(".")
        if not (expires.isascii() and expires.isdigit() and len(expires) <= 12):
            return False
        genuine = hmac.compare_digest(signature.encode(), self._sign(expires).encode())
        return genuine and self._wall() < int(expires)

    @web.middleware
    async def guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse what ``check`` refuses."""
        self.check(request)
        return await handler(request)


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Put the careful headers on every answer; a handler's own win."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    # files are asked for each time, but sent only when they have changed
    response.headers.setdefault("Cache-Control", "no-cache" if isinstance(response, web.FileResponse) else "no-store")
