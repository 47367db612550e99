"""The JSON API for moderators: the queue, its rules and blocks, and the camera."""

from __future__ import annotations

from functools import partial

from aiohttp import web

from streamer.web import response_schemas_moderation, serializers
from streamer.web.body_schemas import BlockBody, EmptyBody, MotionBody, MoveBody, PauseBody, RulesBody, UserBody, read_body
from streamer.web.protocols import Actions, RequestService
from streamer.web.security import Auth
from streamer.web.thread_bridge import ThreadBridge


class Moderation:
    """Handlers for moderators; only reading the rules is open to viewers."""

    def __init__(self, request_service: RequestService, actions: Actions, auth: Auth, in_thread: ThreadBridge) -> None:
        self._request_service = request_service
        self._actions = actions
        self._auth = auth
        self._in_thread = in_thread

    async def remove(self, request: web.Request) -> web.Response:
        """Remove a waiting request."""
        request_id = int(request.match_info["id"])
        await self._in_thread(partial(self._request_service.remove, request_id))
        return web.json_response(response_schemas_moderation.Removed(removed=request_id))

    async def promote(self, request: web.Request) -> web.Response:
        """Move a waiting request to the front of the queue."""
        await read_body(request, EmptyBody)
        return await self._move(request, 1)

    async def move(self, request: web.Request) -> web.Response:
        """Move a waiting request to another position, where it stays."""
        return await self._move(request, (await read_body(request, MoveBody)).position)

    async def _move(self, request: web.Request, position: int) -> web.Response:
        stands = await self._in_thread(partial(self._request_service.move, int(request.match_info["id"]), position))
        return web.json_response(response_schemas_moderation.Moved(position=stands))

    async def remove_user(self, request: web.Request) -> web.Response:
        """Remove all waiting requests of a viewer."""
        body = await read_body(request, UserBody)
        removed = await self._in_thread(partial(self._request_service.remove_user, body.user))
        return web.json_response(response_schemas_moderation.Removed(removed=removed))

    async def skip(self, request: web.Request) -> web.Response:
        """End the scene on air and show the next."""
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
        """Add noise to the image, to wake a dream that has converged."""
        await read_body(request, EmptyBody)
        await self._in_thread(self._actions.bump)
        return web.json_response(response_schemas_moderation.Bumped(bumped=True))

    async def twist(self, request: web.Request) -> web.Response:
        """Swirl the image a little, to wake a dream that has converged."""
        await read_body(request, EmptyBody)
        await self._in_thread(self._actions.twist)
        return web.json_response(response_schemas_moderation.Twisted(twisted=True))

    async def pause(self, request: web.Request) -> web.Response:
        """Hold the scene on air, or release it."""
        body = await read_body(request, PauseBody)
        await self._in_thread(partial(self._request_service.pause, body.paused))
        return web.json_response(response_schemas_moderation.Paused(paused=body.paused))

    async def motion(self, request: web.Request) -> web.Response:
        """Change the camera's speed or rotation."""
        body = await read_body(request, MotionBody)
        motion = await self._in_thread(partial(self._actions.move_camera, body.speed, body.rotation))
        return web.json_response(response_schemas_moderation.Motion(speed=motion.speed, rotation=motion.rotation))

    async def rules(self, request: web.Request) -> web.Response:
        """Return the rules of the queue; moderators also get its blocks."""
        answer = serializers.rules(await self._in_thread(self._request_service.rules), moderates=self._auth.moderates(request))
        return web.json_response(answer, dumps=serializers.dumps)

    async def change_rules(self, request: web.Request) -> web.Response:
        """Change rules of the queue; they stay changed, also after a restart, until they are reset."""
        body = await read_body(request, RulesBody)
        answer = serializers.rules(
            await self._in_thread(partial(self._request_service.change_rules, body.root)), moderates=True
        )
        return web.json_response(answer, dumps=serializers.dumps)

    async def reset_rules(self, request: web.Request) -> web.Response:
        """Reset the rules to the config's, and with ``blocks=1`` the blocks, too."""
        blocks = request.query.get("blocks") == "1"
        answer = serializers.rules(
            await self._in_thread(partial(self._request_service.reset_rules, blocks=blocks)), moderates=True
        )
        return web.json_response(answer, dumps=serializers.dumps)

    async def block(self, request: web.Request) -> web.Response:
        """Block a word, a viewer or a class; requests that break the block are removed."""
        body = await read_body(request, BlockBody)
        removed = await self._in_thread(partial(self._request_service.block, body.kind, body.value))
        return await self._blocked(removed)

    async def unblock(self, request: web.Request) -> web.Response:
        """Unblock a word, a viewer or a class."""
        body = await read_body(request, BlockBody)
        await self._in_thread(partial(self._request_service.unblock, body.kind, body.value))
        return await self._blocked(0)

    async def _blocked(self, removed: int) -> web.Response:
        rules = await self._in_thread(self._request_service.rules)
        answer = response_schemas_moderation.BlocksChanged(blocked=serializers.blocked(rules.blocked), removed=removed)
        return web.json_response(answer, dumps=serializers.dumps)
