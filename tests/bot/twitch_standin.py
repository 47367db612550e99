"""A stand-in for Twitch on loopback: OAuth, Helix and EventSub as far as the bot uses them, with faults on demand.

It runs in the event loop that starts it. ``pointed`` directs the real twitchio to it.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

CLIENT_ID = "standinclient"
CHAT = "channel.chat.message"
REDEMPTION = "channel.channel_points_custom_reward_redemption.add"
NEEDED = {CHAT: "user:read:chat", REDEMPTION: "channel:manage:redemptions"}
"""The scope that each type of subscription needs."""


@dataclass
class Grant:
    """The account and the scopes of one access token."""

    login: str
    scopes: tuple[str, ...]
    refresh: str
    alive: bool = True
    """Whether the access token is accepted. A dead one can be refreshed unless it was revoked."""
    expires_in: int = 14_400


@dataclass
class Session:
    """One EventSub websocket."""

    id: str
    socket: web.WebSocketResponse
    silent: bool = False
    """Whether it keeps the connection but no longer sends anything."""


@dataclass
class Subscription:
    id: str
    type: str
    condition: dict[str, str]
    session: Session
    login: str
    status: str = "enabled"

    def shown(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "status": self.status,
            "type": self.type,
            "version": "1",
            "condition": self.condition,
            "created_at": now(),
            "cost": 0,
            "transport": {"method": "websocket", "session_id": self.session.id},
        }


@dataclass(frozen=True)
class Call:
    """One request received."""

    at_s: float
    what: str
    """Method and path."""
    status: int


@dataclass
class Sent:
    """One message sent by the bot."""

    at_s: float
    login: str
    text: str
    parent: str | None
    id: str


@dataclass
class Reward:
    id: str
    title: str
    cost: int
    ours: bool
    """Whether the bot's application created it."""


@dataclass
class Redemption:
    id: str
    reward: str
    login: str
    text: str
    status: str = "UNFULFILLED"


@dataclass
class PollKept:
    """A poll on Twitch."""

    id: str
    title: str
    choices: dict[str, int]
    """Votes by title, in the poll's order."""
    duration: int
    status: str = "ACTIVE"


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")


def new_id(what: str) -> str:
    return f"{what}-{secrets.token_hex(8)}"


@dataclass
class Faults:
    """Faults to simulate. Tests may set them at any time."""

    statuses: dict[str, list[int]] = field(default_factory=dict)
    """Statuses of the next answers, by method and path."""
    hang: bool = False
    """Whether connections are accepted and never answered."""
    no_welcome: int = 0
    """How many of the next websockets are accepted without a welcome message."""
    no_keepalives: bool = False
    slow_refresh_s: float = 0.0
    """Seconds from spending a refresh token to the answer."""
    move_grace_s: float = 30.0
    """Seconds from an order to reconnect to the close of the old websocket."""
    drop_message: str = ""
    """Reason for not sending chat messages; empty to send them."""


class TwitchStandIn:
    """The stand-in; use it as ``async with TwitchStandIn() as twitch``."""

    def __init__(self, keepalive_s: float = 10.0, secret: str | None = None, device_interval_s: float = 0.05) -> None:
        self.keepalive_s, self.secret, self.device_interval_s = keepalive_s, secret, device_interval_s
        self.users = {"streamer": "1001", "dreambot": "1002", "viewer": "2001", "friend": "2002", "mod": "2003", "vip": "2004"}
        self.grants: dict[str, Grant] = {}
        """Grants by access token."""
        self.faults = Faults()
        self.calls: list[Call] = []
        self.sent: list[Sent] = []
        self.sessions: dict[str, Session] = {}
        self.subscriptions: list[Subscription] = []
        self.rewards: dict[str, Reward] = {}
        self.redemptions: dict[str, Redemption] = {}
        self.polls: list[PollKept] = []
        """Polls, oldest first."""
        self.affiliate = True
        """Whether the channel may have polls."""
        self.codes: dict[str, dict[str, Any]] = {}
        """Logins by device code, with the account once approved."""
        self.device_expires_s = 1800.0
        self.browser = ""
        """Account logged in to Twitch in the browser that opens the login page."""
        self.badges: dict[str, list[str]] = {"streamer": ["broadcaster"], "mod": ["moderator"], "vip": ["vip"]}
        self.revoked_by_bot: list[str] = []
        self.port = 0
        self._site: web.TCPSite | None = None
        self._closing: list[asyncio.Task[None]] = []

    # Running

    async def __aenter__(self) -> TwitchStandIn:
        app = web.Application(middlewares=[self._watch])
        app.add_routes(
            [
                web.get("/oauth2/validate", self._validate),
                web.post("/oauth2/token", self._token),
                web.post("/oauth2/device", self._device),
                web.post("/oauth2/revoke", self._revoke),
                web.get("/oauth2/authorize", self._authorize),
                web.get("/helix/users", self._users),
                web.post("/helix/eventsub/subscriptions", self._subscribe),
                web.get("/helix/eventsub/subscriptions", self._subscribed),
                web.post("/helix/chat/messages", self._message),
                web.get("/helix/channel_points/custom_rewards", self._rewards),
                web.post("/helix/channel_points/custom_rewards", self._make_reward),
                web.get("/helix/channel_points/custom_rewards/redemptions", self._redemptions),
                web.patch("/helix/channel_points/custom_rewards/redemptions", self._settle),
                web.get("/helix/polls", self._polls),
                web.post("/helix/polls", self._make_poll),
                web.patch("/helix/polls", self._end_poll),
                web.get("/ws", self._eventsub),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        self._up = asyncio.Event()
        await self.up()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.faults.hang = False
        self._up.set()
        for task in self._closing:
            task.cancel()
        self.drop()
        await self._runner.cleanup()

    async def up(self) -> None:
        """Start to accept connections."""
        self.faults.hang = False
        self._up.set()
        if self._site is None:
            self._site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
            await self._site.start()
            self.port = self.port or self._runner.addresses[0][1]

    async def down(self) -> None:
        """Refuse connections, and break the open ones."""
        assert self._site is not None
        await self._site.stop()
        self._site = None
        self.drop()

    def hang(self) -> None:
        """Accept connections without answering, as behind a dead router, and break the open ones."""
        self._up.clear()
        self.faults.hang = True
        self.drop()

    def drop(self) -> None:
        """Break every connection without a close frame."""
        assert self._runner.server is not None
        for connection in self._runner.server.connections:
            if connection.transport is not None:
                connection.transport.abort()
        self.sessions.clear()
        self.subscriptions.clear()

    @web.middleware
    async def _watch(self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> Any:
        what = f"{request.method} {request.path}"
        if self.faults.hang:
            self.calls.append(Call(time.monotonic(), what, 0))
            await self._up.wait()
        if planned := self.faults.statuses.get(what):
            status = planned.pop(0)
            self.calls.append(Call(time.monotonic(), what, status))
            return refuse(status, "a planned fault")
        call_at = time.monotonic()
        try:
            response = await handler(request)
        except web.HTTPException as error:
            self.calls.append(Call(call_at, what, error.status))
            raise
        except ConnectionResetError:  # the client is gone
            return web.Response()
        if request.path != "/ws":
            self.calls.append(Call(call_at, what, response.status))
        return response

    def count(self, what: str = "") -> int:
        """Return how many requests so far contain ``what`` in their method and path."""
        return sum(what in call.what for call in self.calls)

    def tally(self) -> Counter[str]:
        return Counter(f"{call.what} {call.status}" for call in self.calls)

    # OAuth

    def grant(self, login: str, scopes: tuple[str, ...]) -> tuple[str, str]:
        """Return a token and its refresh token, as after a login."""
        access, refresh = f"access{secrets.token_hex(12)}", f"refresh{secrets.token_hex(20)}"
        self.grants[access] = Grant(login, scopes, refresh)
        return access, refresh

    def expire(self, login: str) -> None:
        """Expire the access tokens, as happens after four hours. They can be refreshed."""
        for grant in self.grants.values():
            if grant.login == login:
                grant.alive = False

    async def disconnect_app(self, login: str, tell: bool = True) -> None:
        """Disconnect the bot's application from an account: its tokens die and its subscriptions are revoked."""
        for access in [access for access, grant in self.grants.items() if grant.login == login]:
            del self.grants[access]
        if tell:
            await self.revoke(login, "authorization_revoked")

    def approve(self, login: str) -> None:
        """Approve the device codes as a person logged in to that account."""
        for code in self.codes.values():
            code["login"] = code["login"] or login

    def _answer(self, login: str, scopes: tuple[str, ...]) -> web.Response:
        access, refresh = self.grant(login, scopes)
        return web.json_response(
            {
                "access_token": access,
                "refresh_token": refresh,
                "expires_in": 14_400,
                "scope": list(scopes),
                "token_type": "bearer",
            }
        )

    async def _validate(self, request: web.Request) -> web.Response:
        access = request.headers.get("Authorization", "").removeprefix("OAuth ")
        grant = self.grants.get(access)
        if grant is None or not grant.alive:
            return refuse(401, "invalid access token")
        return web.json_response(
            {
                "client_id": CLIENT_ID,
                "login": grant.login,
                "scopes": list(grant.scopes),
                "user_id": self.users[grant.login],
                "expires_in": grant.expires_in,
            }
        )

    async def _token(self, request: web.Request) -> web.Response:
        query = request.query
        kind = query["grant_type"]
        if query["client_id"] != CLIENT_ID:
            return refuse(400, "invalid client")
        if kind == "urn:ietf:params:oauth:grant-type:device_code":
            code = self.codes.get(query["device_code"])
            if code is None or time.monotonic() > code["until_s"]:
                self.codes.pop(query["device_code"], None)
                return refuse(400, "invalid device code")
            if not code["login"]:
                return refuse(400, "authorization_pending")
            del self.codes[query["device_code"]]
            return self._answer(code["login"], code["scopes"])
        if self.secret is not None and query.get("client_secret") != self.secret:
            return refuse(403 if "client_secret" in query else 400, "invalid client secret")
        if kind == "authorization_code":
            login, _, scopes = query["code"].partition(".")
            return self._answer(login, tuple(scopes.split(".")))
        assert kind == "refresh_token"
        found = next((access for access, grant in self.grants.items() if grant.refresh == query["refresh_token"]), None)
        if found is None:
            return refuse(400, "Invalid refresh token")
        old = self.grants.pop(found)  # a refresh token works once
        if self.faults.slow_refresh_s:
            await asyncio.sleep(self.faults.slow_refresh_s)
        return self._answer(old.login, old.scopes)

    async def _device(self, request: web.Request) -> web.Response:
        if request.query["client_id"] != CLIENT_ID:
            return refuse(400, "invalid client")
        device, user = new_id("device"), secrets.token_hex(4).upper()
        scopes = tuple(request.query["scopes"].replace("+", " ").split())
        self.codes[device] = {"login": "", "scopes": scopes, "until_s": time.monotonic() + self.device_expires_s, "code": user}
        return web.json_response(
            {
                "device_code": device,
                "expires_in": self.device_expires_s,
                "interval": self.device_interval_s,
                "user_code": user,
                "verification_uri": f"https://www.twitch.tv/activate?public=true&device-code={user}",
            }
        )

    async def _revoke(self, request: web.Request) -> web.Response:
        grant = self.grants.pop(request.query["token"], None)
        if grant is not None:
            self.revoked_by_bot.append(grant.login)
        return web.json_response({})

    async def _authorize(self, request: web.Request) -> web.Response:
        scopes = request.query["scope"].replace("+", " ").split()
        code = ".".join([self.browser, *scopes])
        raise web.HTTPFound(f"{request.query['redirect_uri']}?code={code}&state={request.query['state']}")

    def _who(self, request: web.Request, scope: str = "") -> Grant:
        access = request.headers.get("Authorization", "").removeprefix("Bearer ")
        grant = self.grants.get(access)
        if grant is None or not grant.alive:
            raise web.HTTPUnauthorized(
                text=json.dumps({"error": "Unauthorized", "status": 401, "message": "Invalid OAuth token"}),
                content_type="application/json",
            )
        if scope and scope not in grant.scopes:
            raise web.HTTPForbidden(
                text=json.dumps({"error": "Forbidden", "status": 403, "message": "subscription missing proper authorization"}),
                content_type="application/json",
            )
        return grant

    # Helix

    async def _users(self, request: web.Request) -> web.Response:
        self._who(request)
        wanted = {*request.query.getall("login", []), *request.query.getall("id", [])}
        return web.json_response(
            {
                "data": [
                    {
                        "id": user_id,
                        "login": login,
                        "display_name": login.capitalize(),
                        "type": "",
                        "broadcaster_type": "",
                        "description": "",
                        "profile_image_url": "",
                        "offline_image_url": "",
                        "view_count": 0,
                        "email": "",
                        "created_at": now(),
                    }
                    for login, user_id in self.users.items()
                    if {login, user_id} & wanted
                ]
            }
        )

    async def _subscribe(self, request: web.Request) -> web.Response:
        body = await request.json()
        grant = self._who(request, NEEDED[body["type"]])
        session = self.sessions.get(body["transport"]["session_id"])
        if session is None:
            return refuse(400, "websocket transport session does not exist or has already disconnected")
        if body["type"] == CHAT and body["condition"]["user_id"] != self.users[grant.login]:
            return refuse(403, "subscription missing proper authorization")
        known = [
            sub
            for sub in self.subscriptions
            if sub.type == body["type"] and sub.condition == body["condition"] and sub.session is session
        ]
        if known:
            return refuse(409, f"subscription already exists id={known[0].id}")
        made = Subscription(new_id("sub"), body["type"], body["condition"], session, grant.login)
        self.subscriptions.append(made)
        answer = {"data": [made.shown()], "total": len(self.subscriptions), "total_cost": 0, "max_total_cost": 10}
        return web.json_response(answer, status=202)

    async def _subscribed(self, request: web.Request) -> web.Response:
        grant = self._who(request)
        shown = [sub.shown() for sub in self.subscriptions if sub.login == grant.login and sub.status == "enabled"]
        return web.json_response({"data": shown, "total": len(shown), "total_cost": 0, "max_total_cost": 10, "pagination": {}})

    async def _message(self, request: web.Request) -> web.Response:
        grant = self._who(request, "user:write:chat")
        body = await request.json()
        if len(body["message"]) > 500:
            return refuse(400, "message is too long")
        if reason := self.faults.drop_message:
            dropped = {"message_id": "", "is_sent": False, "drop_reason": {"code": reason, "message": "no"}}
            return web.json_response({"data": [dropped]})
        sent = Sent(time.monotonic(), grant.login, body["message"], body.get("reply_parent_message_id"), new_id("message"))
        self.sent.append(sent)
        await self.say(grant.login, sent.text, id=sent.id)
        return web.json_response({"data": [{"message_id": sent.id, "is_sent": True, "drop_reason": None}]})

    # Rewards

    def _reward_shown(self, reward: Reward) -> dict[str, Any]:
        return {
            "broadcaster_id": self.users["streamer"],
            "broadcaster_login": "streamer",
            "broadcaster_name": "Streamer",
            "id": reward.id,
            "title": reward.title,
            "prompt": "",
            "cost": reward.cost,
            "image": None,
            "default_image": {"url_1x": "", "url_2x": "", "url_4x": ""},
            "background_color": "#00E5CB",
            "is_enabled": True,
            "is_user_input_required": True,
            "is_paused": False,
            "is_in_stock": True,
            "should_redemptions_skip_request_queue": False,
            "redemptions_redeemed_current_stream": None,
            "cooldown_expires_at": None,
            "global_cooldown_setting": {"is_enabled": False, "global_cooldown_seconds": 0},
            "max_per_stream_setting": {"is_enabled": False, "max_per_stream": 0},
            "max_per_user_per_stream_setting": {"is_enabled": False, "max_per_user_per_stream": 0},
        }

    async def _rewards(self, request: web.Request) -> web.Response:
        self._who(request, "channel:manage:redemptions")
        ours = request.query.get("only_manageable_rewards", "").lower() == "true"
        shown = [self._reward_shown(each) for each in self.rewards.values() if each.ours or not ours]
        return web.json_response({"data": shown})

    async def _make_reward(self, request: web.Request) -> web.Response:
        self._who(request, "channel:manage:redemptions")
        body = await request.json()
        made = Reward(new_id("reward"), body["title"], body["cost"], ours=True)
        self.rewards[made.id] = made
        return web.json_response({"data": [self._reward_shown(made)]})

    def _redemption_shown(self, each: Redemption) -> dict[str, Any]:
        reward = self.rewards[each.reward]
        return {
            "broadcaster_id": self.users["streamer"],
            "broadcaster_login": "streamer",
            "broadcaster_name": "Streamer",
            "id": each.id,
            "user_id": self.users[each.login],
            "user_login": each.login,
            "user_name": each.login.capitalize(),
            "user_input": each.text,
            "status": each.status,
            "redeemed_at": now(),
            "reward": {"id": reward.id, "title": reward.title, "cost": reward.cost, "prompt": ""},
        }

    async def _redemptions(self, request: web.Request) -> web.Response:
        self._who(request, "channel:manage:redemptions")
        status, reward = request.query["status"], request.query["reward_id"]
        found = [each for each in self.redemptions.values() if each.status == status and each.reward == reward]
        return web.json_response({"data": [self._redemption_shown(each) for each in found], "pagination": {}})

    async def _settle(self, request: web.Request) -> web.Response:
        self._who(request, "channel:manage:redemptions")
        each = self.redemptions.get(request.query["id"])
        if each is None or each.status != "UNFULFILLED":
            return refuse(404, "redemption not found")
        if not self.rewards[each.reward].ours:
            return refuse(403, "the reward was made by another application")
        each.status = (await request.json())["status"]
        return web.json_response({"data": [self._redemption_shown(each)]})

    async def redeem(self, login: str, reward: str, text: str, heard: bool = True) -> Redemption:
        """Let a viewer redeem a reward. Twitch also sends it as a chat message."""
        each = Redemption(new_id("redemption"), reward, login, text)
        self.redemptions[each.id] = each
        if heard:
            shown = self._redemption_shown(each)
            event = {key.replace("broadcaster_", "broadcaster_user_"): value for key, value in shown.items()}
            await self._publish(REDEMPTION, {**event, "status": "unfulfilled"})
            await self.say(login, text, reward=reward)
        return each

    # Polls

    def _poll_shown(self, each: PollKept) -> dict[str, Any]:
        return {
            "id": each.id,
            "broadcaster_id": self.users["streamer"],
            "broadcaster_name": "Streamer",
            "broadcaster_login": "streamer",
            "title": each.title,
            "choices": [
                {"id": f"{each.id}-{number}", "title": title, "votes": votes, "channel_points_votes": 0, "bits_votes": 0}
                for number, (title, votes) in enumerate(each.choices.items())
            ],
            "bits_voting_enabled": False,
            "bits_per_vote": 0,
            "channel_points_voting_enabled": False,
            "channel_points_per_vote": 0,
            "status": each.status,
            "duration": each.duration,
            "started_at": now(),
            "ended_at": None if each.status == "ACTIVE" else now(),
        }

    def _of_the_channel(self, request: web.Request, broadcaster: str) -> web.Response | None:
        grant = self._who(request)
        if "channel:manage:polls" not in grant.scopes:
            return refuse(401, "Missing scope: channel:manage:polls or channel:read:polls")
        if broadcaster != self.users["streamer"] or self.users[grant.login] != broadcaster:
            return refuse(401, "the ID in broadcaster_id must match the user ID found in the request's OAuth token")
        return None

    async def _polls(self, request: web.Request) -> web.Response:
        if refused := self._of_the_channel(request, request.query["broadcaster_id"]):
            return refused
        wanted = request.query.getall("id", [])
        found = [each for each in reversed(self.polls) if not wanted or each.id in wanted]
        shown = [self._poll_shown(each) for each in found[: int(request.query.get("first", 20))]]
        return web.json_response({"data": shown, "pagination": {}})

    async def _make_poll(self, request: web.Request) -> web.Response:
        body = await request.json()
        if refused := self._of_the_channel(request, body["broadcaster_id"]):
            return refused
        if not self.affiliate:
            return refuse(403, "the broadcaster is not a partner or affiliate")
        titles = [choice["title"] for choice in body["choices"]]
        if not (2 <= len(titles) <= 5 and 15 <= body["duration"] <= 1800 and len(body["title"]) <= 60):
            return refuse(400, "the poll is not as it should be")
        if len(set(titles)) < len(titles) or any(not 1 <= len(title) <= 25 for title in titles):
            return refuse(400, "a choice is not as it should be")
        if any(each.status == "ACTIVE" for each in self.polls):
            return refuse(400, "a poll is already active")
        self.polls.append(PollKept(new_id("poll"), body["title"], dict.fromkeys(titles, 0), body["duration"]))
        return web.json_response({"data": [self._poll_shown(self.polls[-1])]})

    async def _end_poll(self, request: web.Request) -> web.Response:
        body = await request.json()
        if refused := self._of_the_channel(request, body["broadcaster_id"]):
            return refused
        each = next((each for each in self.polls if each.id == body["id"]), None)
        if each is None or each.status != "ACTIVE":
            return refuse(400, "the poll is not active")
        each.status = body["status"]
        return web.json_response({"data": [self._poll_shown(each)]})

    # EventSub

    async def _eventsub(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.calls.append(Call(time.monotonic(), "GET /ws", 101))
        if self.faults.no_welcome > 0:
            self.faults.no_welcome -= 1
            async for _ in socket:
                pass
            return socket
        session = Session(new_id("session"), socket)
        self.sessions[session.id] = session
        moved = self.sessions.get(request.query.get("from", ""))
        await self._tell(
            session,
            "session_welcome",
            {
                "session": {
                    "id": session.id,
                    "status": "connected",
                    "connected_at": now(),
                    "keepalive_timeout_seconds": 10,
                    "reconnect_url": None,
                }
            },
        )
        if moved is not None:  # its subscriptions move with it
            for sub in self.subscriptions:
                sub.session = session if sub.session is moved else sub.session
        keepalives = asyncio.create_task(self._keep_alive(session))
        try:
            async for _ in socket:
                pass
        finally:
            keepalives.cancel()
            self.sessions.pop(session.id, None)
            self.subscriptions = [sub for sub in self.subscriptions if sub.session is not session]
        return socket

    async def _keep_alive(self, session: Session) -> None:
        while not session.socket.closed:
            await asyncio.sleep(self.keepalive_s)
            if not self.faults.no_keepalives:
                await self._tell(session, "session_keepalive", {})

    async def _tell(self, session: Session, kind: str, payload: dict[str, Any], type_: str = "") -> None:
        if session.silent or session.socket.closed:
            return
        metadata = {"message_id": new_id("event"), "message_type": kind, "message_timestamp": now()}
        if type_:
            metadata |= {"subscription_type": type_, "subscription_version": "1"}
        with suppress(ConnectionError):
            await session.socket.send_json({"metadata": metadata, "payload": payload})

    async def _publish(self, type_: str, event: dict[str, Any], times: int = 1) -> None:
        for sub in [sub for sub in self.subscriptions if sub.type == type_ and sub.status == "enabled"]:
            for _ in range(times):
                await self._tell(sub.session, "notification", {"subscription": sub.shown(), "event": event}, type_)

    def hears(self, type_: str = CHAT) -> bool:
        """Return whether a live websocket has this subscription."""
        return any(sub.type == type_ and not sub.session.socket.closed and not sub.session.silent for sub in self.subscriptions)

    async def say(
        self,
        login: str,
        text: str,
        *,
        id: str = "",
        badges: list[str] | None = None,
        bits: int = 0,
        reward: str | None = None,
        times: int = 1,
        reply_to: str = "",
        source: str = "",
    ) -> str:
        """Send a chat message.

        Args:
            bits: Bits cheered; ``Cheer<bits>`` is put in front of the text.
            times: How often it is delivered.
            reply_to: Login of the user it answers in a thread.
            source: Login of the channel in a shared chat that it comes from.
        """
        message_id = id or new_id("message")
        fragments = [{"type": "text", "text": text, "cheermote": None, "emote": None, "mention": None}]
        if reply_to:
            fragments[0]["text"] = f"@{reply_to.capitalize()} {text}"
        if bits:
            cheer = {"prefix": "cheer", "bits": bits, "tier": 100}
            fragments[0]["text"] = f" {text}"
            fragments.insert(
                0, {"type": "cheermote", "text": f"Cheer{bits}", "cheermote": cheer, "emote": None, "mention": None}
            )
        reply = None
        if reply_to:
            reply = {
                "parent_message_id": "m",
                "parent_message_body": "b",
                "parent_user_id": self.users[reply_to],
                "parent_user_login": reply_to,
                "parent_user_name": reply_to.capitalize(),
                "thread_message_id": "m",
                "thread_user_id": self.users[reply_to],
                "thread_user_login": reply_to,
                "thread_user_name": reply_to.capitalize(),
            }
        set_ids = self.badges.get(login, []) if badges is None else badges
        await self._publish(
            CHAT,
            {
                "broadcaster_user_id": self.users["streamer"],
                "broadcaster_user_login": "streamer",
                "broadcaster_user_name": "Streamer",
                "chatter_user_id": self.users[login],
                "chatter_user_login": login,
                "chatter_user_name": login.capitalize(),
                "message_id": message_id,
                "message": {"text": "".join(str(part["text"]) for part in fragments), "fragments": fragments},
                "color": "#00FF7F",
                "badges": [{"set_id": set_id, "id": "1", "info": ""} for set_id in set_ids],
                "message_type": "text",
                "cheer": {"bits": bits} if bits else None,
                "reply": reply,
                "channel_points_custom_reward_id": reward,
                "channel_points_animation_id": None,
                "source_broadcaster_user_id": self.users[source] if source else None,
                "source_broadcaster_user_login": source or None,
                "source_broadcaster_user_name": source or None,
                "source_message_id": "s" if source else None,
                "source_badges": [] if source else None,
                "is_source_only": None,
            },
            times,
        )
        return message_id

    async def close(self, code: int) -> None:
        """Close all websockets, as Twitch does with 4000 to 4007."""
        for session in list(self.sessions.values()):
            await session.socket.close(code=code)

    def silence(self) -> None:
        """Keep the websockets open, and stop sending over them."""
        for session in self.sessions.values():
            session.silent = True

    async def move(self, reachable: bool = True) -> None:
        """Order all sessions to reconnect elsewhere, and close the old ones after the grace time."""
        for session in list(self.sessions.values()):
            port = self.port if reachable else 1
            payload = {
                "session": {
                    "id": session.id,
                    "status": "reconnecting",
                    "keepalive_timeout_seconds": None,
                    "reconnect_url": f"ws://127.0.0.1:{port}/ws?from={session.id}",
                    "connected_at": now(),
                }
            }
            await self._tell(session, "session_reconnect", payload)
            self._closing.append(asyncio.create_task(self._close_moved(session)))

    async def _close_moved(self, session: Session) -> None:
        await asyncio.sleep(self.faults.move_grace_s)
        await session.socket.close(code=4004)

    async def revoke(self, login: str, reason: str) -> None:
        """Revoke an account's subscriptions."""
        for sub in [sub for sub in self.subscriptions if sub.login == login]:
            sub.status = reason
            await self._tell(sub.session, "revocation", {"subscription": sub.shown()}, sub.type)
            self.subscriptions.remove(sub)

    @contextmanager
    def pointed(self) -> Iterator[None]:
        """Direct twitchio to this stand-in instead of Twitch."""
        from twitchio.eventsub import websockets
        from twitchio.http import Route

        before = Route.BASE, Route.ID_BASE, websockets.WSS
        Route.BASE, Route.ID_BASE = f"http://127.0.0.1:{self.port}/helix/", f"http://127.0.0.1:{self.port}/"
        websockets.WSS = f"ws://127.0.0.1:{self.port}/ws"
        try:
            yield
        finally:
            Route.BASE, Route.ID_BASE, websockets.WSS = before


def refuse(status: int, message: str) -> web.Response:
    return web.json_response({"error": "x", "status": status, "message": message}, status=status)
