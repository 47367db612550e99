"""The JSON API of live controls, which change the dream's settings on air: sliders, presets, A/B. For moderators."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar, get_args

from aiohttp import web
from pydantic_core import to_jsonable_python

from streamer.algorithm_facts import ALGORITHMS
from streamer.control_status import ControlsStatus
from streamer.network_names import NetworkName
from streamer.presets import PresetError, PresetExists, PresetNotFound
from streamer.settings_file import ConfigError
from streamer.web import response_schemas_moderation, serializers
from streamer.web.body_schemas import CompareBody, ControlsBody, GoOverBody, ResetBody, SavePresetBody, read_body
from streamer.web.errors import ApiError
from streamer.web.protocols import Controls
from streamer.web.thread_bridge import ThreadBridge

T = TypeVar("T")


class ControlsApi:
    """Handlers of ``/api/controls`` and the paths below it."""

    def __init__(self, controls: Controls, in_thread: ThreadBridge) -> None:
        self._controls = controls
        self._in_thread = in_thread

    async def standing(self, request: web.Request) -> web.Response:
        """Return the settings that can be changed, with their values, and all presets."""
        return web.json_response(controls(await self._in_thread(self._controls.status)), dumps=serializers.dumps)

    async def change(self, request: web.Request) -> web.Response:
        """Change settings; returns those whose value changed."""
        body = await read_body(request, ControlsBody)
        changed = await self._call(partial(self._controls.change, body.settings, body.fade_s))
        return web.json_response(response_schemas_moderation.SettingsChanged(changed=list(changed)), dumps=serializers.dumps)

    async def reset(self, request: web.Request) -> web.Response:
        """Reset some settings, or all, to the config file's."""
        body = await read_body(request, ResetBody)
        changed = await self._call(partial(self._controls.reset, body.settings))
        return web.json_response(response_schemas_moderation.SettingsChanged(changed=list(changed)), dumps=serializers.dumps)

    async def go_over(self, request: web.Request) -> web.Response:
        """Apply a preset; returns the settings that changed, and those that need a restart."""
        body = await read_body(request, GoOverBody)
        changed, at_start = await self._call(partial(self._controls.go_over, body.name, body.fade_s))
        answer = response_schemas_moderation.Reloaded(changed=list(changed), at_next_start=list(at_start))
        return web.json_response(answer, dumps=serializers.dumps)

    async def save(self, request: web.Request) -> web.Response:
        """Save the current look as a preset."""
        body = await read_body(request, SavePresetBody)
        file = await self._call(partial(self._controls.save, body.name, replace=body.replace))
        return web.json_response(
            response_schemas_moderation.PresetSaved(name=body.name, file=file), status=201, dumps=serializers.dumps
        )

    async def compare(self, request: web.Request) -> web.Response:
        """Switch to the other side of A/B, or to the one given."""
        body = await read_body(request, CompareBody)
        side = await self._call(partial(self._controls.compare, body.side))
        return web.json_response(response_schemas_moderation.SideNow(side=side), dumps=serializers.dumps)

    async def _call(self, function: Callable[[], T]) -> T:
        try:
            return await self._in_thread(function)
        except ConfigError as error:
            first, *others = error.problems
            message = f"{first} (and {len(others)} more)" if others else first
            raise ApiError(422, "bad_settings", message, mistakes=error.problems) from None
        except PresetNotFound as error:
            raise ApiError(404, "not_found", str(error)) from None
        except PresetExists as error:
            raise ApiError(409, "duplicate", str(error)) from None
        except PresetError as error:
            raise ApiError(422, "bad_preset", str(error)) from None


def controls(item: ControlsStatus) -> response_schemas_moderation.Controls:
    """Convert the state of the controls to the API's JSON."""
    return {
        "settings": to_jsonable_python(dict(item.settings)),
        "file": to_jsonable_python(dict(item.file)),
        "changed": list(item.changed),
        "preset": item.preset,
        "preset_changed": item.preset_changed,
        "presets": [
            {
                "name": preset.name,
                "about": preset.about,
                "own": preset.own,
                "switches": preset.switches,
                "at_next_start": list(preset.at_start),
                "mistakes": list(preset.mistakes),
            }
            for preset in item.presets
        ],
        "side": item.side,
        "sides_differ": item.sides_differ,
        "fading_s": round(item.fading_s, 1),
        "switching": item.switching.busy,
        "switch_error": item.switching.error,
        "networks": ["auto", *get_args(NetworkName)],
        "algorithms": list(ALGORITHMS),
        "osc": None
        if item.osc is None
        else {
            "address": item.osc.address,
            "heard": item.osc.heard,
            "ignored": item.osc.ignored,
            "last_mistake": item.osc.last_mistake,
        },
        "folder": item.folder,
    }
