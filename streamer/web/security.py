"""Access control: host names, origins, tokens, and security headers.

The scope of a call follows from its method and path: any, view, ask or control. The page is public, so viewing is open unless
there is a token for it. Writes and event streams are accepted only from the server's own pages or from programs, and under one
of the server's host names: otherwise any web site could use a visitor's browser to reach a server on loopback. Moderators need
the token, as ``Authorization: Bearer`` or in the cookie that ``/control`` gets at login. Without a configured token the server
listens on loopback only, and everybody at the machine is a moderator.
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
"""Wrong tokens that an address may send within FAILURE_S before it has to wait."""
FAILURE_S = 60.0
SLOW_S = (0.05, 3.0)
"""Delay before a wrong token is answered: the first one, and the longest; it doubles with each within FAILURE_S."""
SLOWED = 8
"""Calls of an address that are delayed at the same time; ``limits`` bounds the rest."""
GUESSES = frozenset({"wrong_token", "too_many_tries"})
"""Error codes of wrong tokens."""
ADDRESSES = 1024
"""Addresses whose failures are remembered; the oldest is forgotten first."""

OPEN = frozenset({"/healthz", "/metrics"})
"""Monitoring, allowed under any host name."""
PAGES = frozenset({"/", "/how", "/overlay"})
"""Pages that can be opened with ``?token=…``."""
DREAMS = "/d/"
"""Prefix of further such pages."""
EVENTS = "/api/events"
LOGIN = frozenset({"/control", "/static", "/api/session", "/api/login", "/api/logout"})
"""What a moderator needs to log in, and the static files, which contain nothing about the stream."""
ASK = frozenset({"/api/requests", "/api/poll/vote"})
"""Calls with which viewers may write."""
MODERATORS = frozenset({"/api/reload", "/api/controls"})
"""Calls that only moderators may read."""
VIEW_COOKIE = "zoomdream_view"


class Scope(Enum):
    """What a caller needs permission for."""

    ANY = auto()
    """Nothing."""
    VIEW = auto()
    """See pages, video and status."""
    ASK = auto()
    """Make requests and vote."""
    CONTROL = auto()
    """Moderate."""


def scope_of(method: str, route: str) -> Scope:
    """Return the scope of a call; writes are for moderators unless listed here.

    Args:
        route: the path as registered, since callers can spell a path in many ways.
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
    """Authorises each call; one per server, used in its event loop only."""

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
        """Set up.

        Args:
            names: host names besides loopback, the address itself and, off loopback, any numeric address.
            view_token: the token for viewing; None: everybody may view.
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
        """Whether a token is configured to log in with."""
        return self._token is not None

    @property
    def view_login(self) -> bool:
        """Whether viewing needs a token."""
        return self._view_token is not None

    @property
    def all_write(self) -> bool:
        """Whether everybody who may view may also make requests."""
        return self._loopback

    def check(self, request: web.Request) -> None:
        """Check the host name and, for writes and events, the origin.

        Raises:
            ApiError: 403 with ``bad_host`` or ``bad_origin``.
        """
        if request.path in OPEN:
            return
        if not self._known(request.host):
            raise ApiError(403, "bad_host", f"{request.host!r} is not a name of this server; add it to web.hosts")
        if request.method in ("GET", "HEAD") and request.path != EVENTS:
            return
        origin = request.headers.get("Origin")
        foreign = request.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site")
        if foreign or (origin is not None and urlsplit(origin).netloc.lower() != request.host.lower()):
            raise ApiError(403, "bad_origin", "this call is allowed from this server's own pages only")

    def _known(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        name = name.rstrip(".")
        # DNS rebinding uses a name, never a bare address, so addresses are safe on a server that others may reach.
        return is_loopback(name) or name in self._names or (not self._loopback and _is_address(name))

    def moderates(self, request: web.Request) -> bool:
        """Whether the caller is a moderator.

        Raises:
            ApiError: 401 for a wrong token, 429 for one after too many of them.
        """
        if self._token is None:
            # A forwarded call comes from another machine.
            return self._loopback and not any(name in request.headers for name in ("Forwarded", "X-Forwarded-For"))
        if self.has_token(request):
            return True
        if "Authorization" in request.headers:
            self.try_token(request, _bearer(request))
        return False

    def has_token(self, request: web.Request) -> bool:
        """Whether a call has the moderators' token or its cookie; other credentials are ignored."""
        if self._token is None:
            return False
        cookie = request.cookies.get(COOKIE, "")
        return _equal(_bearer(request), self._token) or self._cookie_holds(self._token, "control", cookie)

    def writes(self, request: web.Request) -> bool:
        """Whether the caller may make requests."""
        return self._loopback or self.moderates(request)

    def views(self, request: web.Request) -> bool:
        """Whether the caller may see pages, video and status: with the viewers' token, or as a moderator.

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
        """Raise ApiError 401 unless the caller has the permission."""
        if scope is Scope.ANY:
            return
        if scope is Scope.CONTROL:
            self.require_moderator(request)
            return
        if not self.views(request):
            raise ApiError(401, "unauthorized", "this stream needs a token: add ?token=… to the address")
        if scope is Scope.ASK:
            self.require_writer(request)

    def require_moderator(self, request: web.Request) -> None:
        """Raise ApiError 401 unless the caller is a moderator."""
        if not self.moderates(request):
            raise ApiError(401, "unauthorized", self._how())

    def require_writer(self, request: web.Request) -> None:
        """Raise ApiError 401 unless the caller may make requests."""
        if not self.writes(request):
            raise ApiError(401, "unauthorized", self._how())

    def _how(self) -> str:
        if self._token is None:
            return "this call works on this machine only, because no token is configured"
        return "this call needs the token: log in on /control, or send Authorization: Bearer"

    def try_token(self, request: web.Request, offered: str, right: str | None = None) -> None:
        """Compare a token in constant time.

        Wrong tokens slow an address down; the right one is accepted immediately even then, because behind a proxy everybody has
        the same address.

        Args:
            right: the expected token; None: the moderators' token.

        Raises:
            ApiError: 401 if it is wrong, 429 after too many wrong ones.
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
        """Delay the answer to a wrong token, longer with each one from the address; at most SLOWED calls wait."""
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
        """Set the moderator's cookie; it does not contain the token, and a new token invalidates it."""
        assert self._token is not None
        self._set_cookie(request, response, COOKIE, self._token, "control")

    def remember_viewer(self, request: web.Request, response: web.StreamResponse) -> None:
        """Set the viewer's cookie; it does not contain the token, and a new token invalidates it."""
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
        """Refuse calls that ``check`` or the scope forbids; redirect a page to its address without the token."""
        try:
            return await self._guarded(request, handler)
        except ApiError as error:
            if error.code in GUESSES:
                await self._slow_down(request)
            raise

    async def _guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self.check(request)
        resource = request.match_info.route.resource
        if resource is not None:  # the address exists
            self.require(scope_of(request.method, resource.canonical), request)
        if self._view_token is not None and "token" in request.query and _is_page(request.path):
            answer = web.HTTPSeeOther(request.rel_url.with_query([(k, v) for k, v in request.query.items() if k != "token"]))
            self.remember_viewer(request, answer)
            raise answer
        return await handler(request)


def _is_page(path: str) -> bool:
    return path in PAGES or path.startswith(DREAMS)


def _bearer(request: web.Request) -> str:
    """The token in the Authorization header; empty if there is none."""
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def _equal(offered: str, right: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(offered.encode(errors="surrogateescape"), right.encode())


def _signature(token: str, purpose: str, expires: str) -> str:
    return hmac.new(token.encode(), f"zoomdream {purpose} until {expires}".encode(), hashlib.sha256).hexdigest()


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Add the security headers to every response; a handler's own values take precedence."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    # Browsers revalidate files each time; they are sent again only if they have changed.
    response.headers.setdefault("Cache-Control", "no-cache" if isinstance(response, web.FileResponse) else "no-store")
