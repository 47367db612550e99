"""Who may call what: host names, origins, the moderators' token, and the headers that keep browsers careful.

Each call has a scope, by its method and path: everybody's, to view, to ask, or to control. The page is public, so viewing is
free, unless there is a token for that, too. A write or an event stream must come from a page of ours or from no page at all (a
program), under a host name that is ours: otherwise any web site could use a visitor's browser to reach a server on loopback.
Moderating takes the token, as ``Authorization: Bearer`` or in a cookie that ``/control`` gets by logging in. Without a
configured token the server listens on loopback only, and whoever sits at the machine moderates.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection
from enum import Enum, auto
from urllib.parse import urlsplit

from aiohttp import web

from streamer.config import is_loopback
from streamer.web.errors import ApiError, Handler
from streamer.web.token_buckets import client_key

COOKIE = "zoomdream_control"
COOKIE_S = 30 * 24 * 3600
FAILURES = 10
"""Wrong tokens an address may offer within FAILURE_S before it is told to wait."""
FAILURE_S = 60.0
SLOW_S = (0.05, 3.0)
"""Before a wrong token is answered: after the first, and at most; doubled with each that came within FAILURE_S."""
SLOWED = 8
"""Calls of an address that wait so at once; the limits hold for more of them (``limits``)."""
GUESSES = frozenset({"wrong_token", "too_many_tries"})
"""Codes of answers to wrong tokens."""
ADDRESSES = 1024
"""Addresses whose failures are remembered; the oldest is forgotten first."""

OPEN = frozenset({"/healthz", "/metrics"})
"""Watched by machines, under whatever name they know the server."""
PAGES = frozenset({"/", "/how", "/overlay"})
"""Whose addresses may come with a token…"""
DREAMS = "/d/"
"""…and how further ones begin."""
EVENTS = "/api/events"
LOGIN = frozenset({"/control", "/static", "/api/session", "/api/login", "/api/logout"})
"""What a moderator needs before being known as one; with the static files, which hold nothing of the stream."""
ASK = frozenset({"/api/requests", "/api/poll/vote"})
"""Where viewers may write."""
MODERATORS = frozenset({"/api/reload", "/api/controls"})
"""What only moderators may read, too."""
VIEW_COOKIE = "zoomdream_view"


class Scope(Enum):
    """What a caller must be allowed to do."""

    ANY = auto()
    """Nothing."""
    VIEW = auto()
    """See pages, video and status."""
    ASK = auto()
    """Ask for something."""
    CONTROL = auto()
    """Moderate."""


def scope_of(method: str, route: str) -> Scope:
    """Which scope a call has: what is not known to be for viewers is for moderators.

    Args:
        route: the path as it was registered, since a path that is sent can be written in many ways.
    """
    if route in OPEN or route in LOGIN:
        return Scope.ANY
    if method in ("GET", "HEAD") and route not in MODERATORS:
        return Scope.VIEW
    return Scope.ASK if route in ASK else Scope.CONTROL


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


class Auth:
    """Decides about each request; one per server, used in its loop only."""

    def __init__(
        self,
        host: str,
        token: str | None,
        names: Collection[str] = (),
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        *,
        view_token: str | None = None,
    ) -> None:
        """Begin to judge.

        Args:
            names: host names besides loopback, the address itself and, off loopback, any numeric address.
            view_token: what viewing takes; None: everybody may.
        """
        self._token, self._view_token = token, view_token
        self._loopback = is_loopback(host)
        self._names = {name.lower() for name in (*names, host)}
        self._clock = clock
        self._wall = wall
        self._failures: OrderedDict[str, list[float]] = OrderedDict()
        self._slowed: Counter[str] = Counter()

    @property
    def login(self) -> bool:
        """Whether there is a token to log in with."""
        return self._token is not None

    @property
    def view_login(self) -> bool:
        """Whether viewing takes a token."""
        return self._view_token is not None

    @property
    def all_write(self) -> bool:
        """Whether whoever may view may ask."""
        return self._loopback

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
            ApiError: 401 for a wrong token, 429 for one after too many of them.
        """
        if self._token is None:
            # what a proxy passes on comes from elsewhere
            return self._loopback and not any(name in request.headers for name in ("Forwarded", "X-Forwarded-For"))
        if self.has_token(request):
            return True
        if "Authorization" in request.headers:
            self.try_token(request, _bearer(request))
        return False

    def has_token(self, request: web.Request) -> bool:
        """Whether the moderators' token or a cookie for it came with a call, whatever else did."""
        if self._token is None:
            return False
        cookie = request.cookies.get(COOKIE, "")
        return _equal(_bearer(request), self._token) or self._cookie_holds(self._token, "control", cookie)

    def writes(self, request: web.Request) -> bool:
        """Whether the caller may ask for something."""
        return self._loopback or self.moderates(request)

    def views(self, request: web.Request) -> bool:
        """Whether the caller may see pages, video and status: with the token for that, or as a moderator.

        Raises:
            ApiError: 401 for a wrong token, 429 for one after too many of them.
        """
        if self._view_token is None or self._cookie_holds(self._view_token, "view", request.cookies.get(VIEW_COOKIE, "")):
            return True
        if self.has_token(request):
            return True
        offered = request.query.get("token")
        if offered is not None:
            self.try_token(request, offered, self._view_token)
            return True
        return self.moderates(request)

    def require(self, scope: Scope, request: web.Request) -> None:
        """Raise ApiError 401 unless the caller may do that."""
        if scope is Scope.ANY:
            return
        if scope is Scope.CONTROL:
            self.require_moderator(request)
            return
        if not self.views(request):
            raise ApiError(401, "unauthorized", "this stream takes a token to view: add ?token=… to the address")
        if scope is Scope.ASK:
            self.require_writer(request)

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

    def try_token(self, request: web.Request, offered: str, right: str | None = None) -> None:
        """Compare a token in constant time. Who guesses is slowed down; the right one is let in at once, whoever guesses at the
        same address: behind a proxy that is everybody.

        Args:
            right: what it should be; None: the moderators' token.

        Raises:
            ApiError: 401 if it is wrong, 429 if it is after too many wrong ones.
        """
        right = self._token if right is None else right
        if right is not None and _equal(offered, right):
            return
        address, now = client_key(request.remote or ""), self._clock()
        recent = [then for then in self._failures.get(address, ()) if now - then < FAILURE_S]
        self._failures[address] = [*recent, now][-FAILURES - 1 :]
        self._failures.move_to_end(address)
        if len(self._failures) > ADDRESSES:
            self._failures.popitem(last=False)
        if len(recent) >= FAILURES:
            raise ApiError(429, "too_many_tries", "too many wrong tokens", retry_s=recent[-FAILURES] + FAILURE_S - now)
        raise ApiError(401, "wrong_token", "that is not the token")

    async def _slow_down(self, request: web.Request) -> None:
        """Let who has just guessed wait for the answer: longer with each guess of the address, and only some at once."""
        address = client_key(request.remote or "")
        if self._slowed[address] >= SLOWED:
            return
        first_s, most_s = SLOW_S
        self._slowed[address] += 1
        try:
            await asyncio.sleep(min(most_s, first_s * 2.0 ** (len(self._failures.get(address, ())) - 1)))
        finally:
            self._slowed[address] -= 1
            if not self._slowed[address]:
                del self._slowed[address]

    def remember(self, request: web.Request, response: web.StreamResponse) -> None:
        """Give a moderator's browser the cookie: the token itself is not in it, a new token ends it."""
        assert self._token is not None
        self._set_cookie(request, response, COOKIE, self._token, "control")

    def remember_viewer(self, request: web.Request, response: web.StreamResponse) -> None:
        """Likewise for a viewer's."""
        assert self._view_token is not None
        self._set_cookie(request, response, VIEW_COOKIE, self._view_token, "view")

    def _set_cookie(self, request: web.Request, response: web.StreamResponse, name: str, token: str, purpose: str) -> None:
        expires = str(int(self._wall()) + COOKIE_S)
        response.set_cookie(
            name,
            f"{expires}.{_signature(token, purpose, expires)}",
            max_age=COOKIE_S,
            path="/",
            httponly=True,
            samesite="Strict",
            secure=request.headers.get("X-Forwarded-Proto", request.scheme) == "https",
        )

    def _cookie_holds(self, token: str, purpose: str, cookie: str) -> bool:
        expires, _, signature = cookie.partition(".")
        if not (expires.isascii() and expires.isdigit() and len(expires) <= 12):
            return False
        genuine = hmac.compare_digest(signature.encode(), _signature(token, purpose, expires).encode())
        return genuine and self._wall() < int(expires)

    @web.middleware
    async def guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse what ``check`` refuses and who may not do it; a page's address loses the token that it came with."""
        try:
            return await self._guarded(request, handler)
        except ApiError as error:
            if error.code in GUESSES:
                await self._slow_down(request)
            raise

    async def _guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self.check(request)
        resource = request.match_info.route.resource
        if resource is not None:  # there is something at that address
            self.require(scope_of(request.method, resource.canonical), request)
        if self._view_token is not None and "token" in request.query and _is_page(request.path):
            answer = web.HTTPSeeOther(request.rel_url.with_query([(k, v) for k, v in request.query.items() if k != "token"]))
            self.remember_viewer(request, answer)
            raise answer
        return await handler(request)


def _is_page(path: str) -> bool:
    return path in PAGES or path.startswith(DREAMS)


def _bearer(request: web.Request) -> str:
    """The token in a call's Authorization; empty where there is none."""
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def _equal(offered: str, right: str) -> bool:
    """Compared in constant time."""
    return hmac.compare_digest(offered.encode(errors="surrogateescape"), right.encode())


def _signature(token: str, purpose: str, expires: str) -> str:
    return hmac.new(token.encode(), f"zoomdream {purpose} until {expires}".encode(), hashlib.sha256).hexdigest()


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Put the careful headers on every answer; a handler's own win."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    # files are asked for each time, but sent only when they have changed
    response.headers.setdefault("Cache-Control", "no-cache" if isinstance(response, web.FileResponse) else "no-store")
