"""The part of the JSON API that is for moderators: the line, the rules, what is blocked, the camera."""

from __future__ import annotations

from functools import partial

from aiohttp import web

from streamer.web import response_schemas_moderation, serializers
from streamer.web.body_schemas import BlockBody, EmptyBody, MotionBody, MoveBody, PauseBody, RulesBody, UserBody, read_body
from streamer.web.protocols import Actions, RequestService
from streamer.web.security import Auth
from streamer.web.thread_bridge import ThreadBridge


class Moderation:
    """Handlers that take a moderator; only reading the rules is for everybody."""

    def __init__(self, request_service: RequestService, actions: Actions, auth: Auth, in_thread: ThreadBridge) -> None:
        self._request_service = request_service
        self._actions = actions
        self._auth = auth
        self._in_thread = in_thread

    async def remove(self, request: web.Request) -> web.Response:
        """Take a waiting request out of the queue."""
        request_id = int(request.match_info["id"])
        await self._in_thread(partial(self._request_service.remove, request_id))
        return web.json_response(response_schemas_moderation.Removed(removed=request_id))

    async def promote(self, request: web.Request) -> web.Response:
        """Put a waiting request in front."""
        await read_body(request, EmptyBody)
        return await self._move(request, 1)

    async def move(self, request: web.Request) -> web.Response:
        """Put a waiting request elsewhere in the line."""
        return await self._move(request, (await read_body(request, MoveBody)).position)

    async def _move(self, request: web.Request, position: int) -> web.Response:
        stands = await self._in_thread(partial(self._request_service.move, int(request.match_info["id"]), position))
        return web.json_response(response_schemas_moderation.Moved(position=stands))

    async def remove_user(self, request: web.Request) -> web.Response:
        """Take all waiting requests of a viewer out."""
        body = await read_body(request, UserBody)
        removed = await self._in_thread(partial(self._request_service.remove_user, body.user))
        return web.json_response(response_schemas_moderation.Removed(removed=removed))

    async def skip(self, request: web.Request) -> web.Response:
        """End what is on air."""
        await read_body(request, EmptyBody)
        await self._in_thread(self._request_service.skip)
        return web.json_response(response_schemas_moderation.Skipped(skipped=True))

    async def clear(self, request: web.Request) -> web.Response:
        """Empty the queue."""
        await read_body(request, EmptyBody)
        return web.json_response(
            response_schemas_moderation.Removed(removed=await self._in_thread(self._request_service.clear))
        )

    async def bump(self, request: web.Request) -> web.Response:
        """Shake the dream awake."""
        await read_body(request, EmptyBody)
        await self._in_thread(self._actions.bump)
        return web.json_response(response_schemas_moderation.Bumped(bumped=True))

    async def twist(self, request: web.Request) -> web.Response:
        """Twist the dream awake."""
        await read_body(request, EmptyBody)
        await self._in_thread(self._actions.twist)
        return web.json_response(response_schemas_moderation.Twisted(twisted=True))

    async def pause(self, request: web.Request) -> web.Response:
        """Hold what is on air, or let the programme go on."""
        body = await read_body(request, PauseBody)
        await self._in_thread(partial(self._request_service.pause, body.paused))
        return web.json_response(response_schemas_moderation.Paused(paused=body.paused))

    async def motion(self, request: web.Request) -> web.Response:
        """Move the camera differently."""
        body = await read_body(request, MotionBody)
        motion = await self._in_thread(partial(self._actions.move_camera, body.speed, body.rotation))
        return web.json_response(response_schemas_moderation.Motion(speed=motion.speed, rotation=motion.rotation))

    async def rules(self, request: web.Request) -> web.Response:
        """Tell the rules."""
        told = serializers.rules(await self._in_thread(self._request_service.rules), moderates=self._auth.moderates(request))
        return web.json_response(told, dumps=serializers.dumps)

    async def change_rules(self, request: web.Request) -> web.Response:
        """Change settings of the queue until they are reset."""
        body = await read_body(request, RulesBody)
        told = serializers.rules(await self._in_thread(partial(self._request_service.change_rules, body.root)), moderates=True)
        return web.json_response(told, dumps=serializers.dumps)

    async def reset_rules(self, request: web.Request) -> web.Response:
        """Forget changed settings, and with ``blocks=1`` changed blocks too."""
        blocks = request.query.get("blocks") == "1"
        told = serializers.rules(
            await self._in_thread(partial(self._request_service.reset_rules, blocks=blocks)), moderates=True
        )
        return web.json_response(told, dumps=serializers.dumps)

    async def block(self, request: web.Request) -> web.Response:
        """Keep a word, a viewer or a class out."""
        body = await read_body(request, BlockBody)
        removed = await self._in_thread(partial(self._request_service.block, body.kind, body.value))
        return await self._blocked(removed)

    async def unblock(self, request: web.Request) -> web.Response:
        """Let a word, a viewer or a class in again."""
        body = await read_body(request, BlockBody)
        await self._in_thread(partial(self._request_service.unblock, body.kind, body.value))
        return await self._blocked(0)

    async def _blocked(self, removed: int) -> web.Response:
        rules = await self._in_thread(self._request_service.rules)
        told = response_schemas_moderation.BlocksChanged(blocked=serializers.blocked(rules.blocked), removed=removed)
        return web.json_response(told, dumps=serializers.dumps)
