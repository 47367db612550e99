"""Which settings are live: a change of the config file shows while the stream runs. All others change at the next start.

The tables below are the one place that says so, by who goes by a setting; the reference, ``zoomdream check`` and the reload
read them, and a test compares them with all settings there are. A new setting has to stand in one of them. Some of those that
wait for the next start can be changed at the desk meanwhile: they take a new worker (``SWITCH``).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from pydantic import ValidationError

from streamer.config import Config
from streamer.errors import ZoomdreamError
from streamer.events import Tuned
from streamer.settings_rules import setting_keys

DREAM = (
    "dream.normalisation",
    "dream.octaves",
    "dream.octave_scale",
    "dream.steps_per_keyframe",
    "dream.steps_per_s",
    "dream.keyframe_s",
    "dream.crossfade_s",
    "dream.surge",
    "dream.wake",
    "dream.wake_share",
    "dream.wake_after_s",
    "dream.views",
    "dream.view_jitter",
    "dream.jitter_px",
    "dream.step",
    "dream.momentum",
    "dream.prior_weight",
    "dream.spectrum_floor",
    "dream.spectrum_power",
    "dream.leash",
    "dream.contrast",
    "dream.chroma",
    "ink.radius_px",
    "ink.flips",
    "ink.step_s",
    "ink.reach_px",
    "ink.memory",
    "ink.white",
    "ink.black",
    "ink.fade_s",
    "ink.wash_s",
    "source.decay_s",
)
"""Of the dream: handed to the worker, taken up at a keyframe, written into the journal."""
CAMERA = ("zoom.speed", "zoom.rotation")
"""Of the camera, likewise."""
PICTURE = (
    "video.captions",
    "video.residual_flow",
    "video.frame_counter",
    "video.flash_limiter",
    "video.slate_s",
    "video.slate_text",
    "source.mix",
    "source.decay_s",
    "ink.edges",
    "ink.paper",
    "ink.colour",
)
"""Of how frames are made."""
RULES = (
    "dream.layout",
    "queue.capacity",
    "queue.per_user",
    "queue.subscriber_bonus",
    "queue.vip_bonus",
    "queue.cooldown_s",
    "queue.user_cooldown_s",
    "queue.open",
    "queue.order",
    "queue.fair",
    "queue.paid_first",
    "queue.voteskip_share",
    "queue.voteskip_votes",
    "queue.family_safe",
    "queue.blocked_words",
    "queue.blocked_users",
    "queue.blocked_classes",
    "queue.hold_s",
    "queue.wander_s",
    "queue.wander",
    "queue.poll_s",
    "queue.poll_choices",
    "queue.wander_among",
    "queue.interrupt_wandering",
)
"""Of requests. What moderators changed while it ran goes before them."""
SOUND = ("audio.volume_db", "audio.react")
"""Of the sound, and of how the picture reacts to it."""
CHAT = ("chat", "dream.layout")
"""Of the chat bot that the stream has started."""
DESK = ("controls.crossfade_s",)
"""Of the live controls."""
AT_START = (
    "seed",
    "device",
    "network",
    "canvas",
    "video.width",
    "video.height",
    "video.fps",
    "video.bitrate_kbps",
    "video.gop_s",
    "video.encoder",
    "video.preset",
    "source.kind",
    "source.path",
    "source.device",
    "source.width",
    "source.height",
    "source.fps",
    "source.mirror",
    "source.loop",
    "source.ride",
    "source.fit",
    "source.track",
    "dream.algorithm",
    "dream.tile_px",
    "ink.start",
    "ink.text",
    "ink.threshold",
    "queue.path",
    "web",
    "twitch",
    "audio.source",
    "audio.path",
    "audio.url",
    "audio.shuffle",
    "audio.crossfade_s",
    "audio.bitrate_kbps",
    "audio.rate",
    "renderer",
    "album",
    "journal",
    "log",
    "snapshot",
    "thumbnails",
    "outputs",
    "controls.folder",
    "controls.osc",
    "controls.osc_host",
    "controls.osc_port",
)
"""Those that are not live; a block stands for all within."""
SWITCH = ("network", "dream.algorithm", "dream.tile_px", "ink.start", "ink.text", "ink.threshold")
"""Of those, what the desk can change while the stream runs: a new worker prepares with them, and takes over from the picture
that the old one got to."""
LOOK = ("zoom", "dream", "ink")
"""What a preset stands for whole, with its defaults: of all other settings it changes those that it names."""


class IncompatibleSettings(ZoomdreamError):
    """Settings that cannot be laid over others: the two contradict each other, or there is no such setting."""


class SettingsRefused(ZoomdreamError):
    """Settings that those who are to go by them cannot take; they go by the old ones."""


@cache
def expanded(names: tuple[str, ...]) -> frozenset[str]:
    """All settings, dotted, that some names of settings and blocks stand for."""
    return frozenset(key for key in setting_keys() if any(key == name or key.startswith(f"{name}.") for name in names))


LIVE = expanded((*DREAM, *CAMERA, *PICTURE, *RULES, *SOUND, *CHAT, *DESK))
"""All that are live, dotted."""
AT_DESK = LIVE | expanded(SWITCH)
"""All that the desk can change while the stream runs, dotted."""


def among(changed: Iterable[str], names: tuple[str, ...]) -> frozenset[str]:
    """Those of some settings that a table above names."""
    return expanded(names).intersection(changed)


def value_of(config: Config, key: str) -> Any:
    """A setting by its dotted key."""
    value: Any = config
    for part in key.split("."):
        value = getattr(value, part)
    return value


def changes(before: Config, after: Config) -> tuple[str, ...]:
    """The settings, dotted, in which two configs differ, in the order of the reference."""
    return tuple(key for key in setting_keys() if value_of(before, key) != value_of(after, key))


def with_settings_of(config: Config, other: Config, keys: Iterable[str]) -> Config:
    """A config that has some settings, dotted, of another. Nothing is checked: both have been."""
    return with_values(config, {key: value_of(other, key) for key in keys})


def with_values(config: Config, values: Mapping[str, Any]) -> Config:
    """A config that has other values of some settings, dotted. Nothing is checked: they have been."""
    for key, value in values.items():
        config = _put(config, key.split("."), value)
    return config


def _put(block: Any, path: list[str], value: Any) -> Any:
    name, *rest = path
    return block.model_copy(update={name: _put(getattr(block, name), rest, value) if rest else value})


def tuned(begun: Config, now: Config) -> Tuned:
    """What of the dream's settings differs from those that it was begun with."""
    told = now.model_dump(mode="json")
    found = []
    for key in changes(begun, now):
        if key in DREAM:
            block, _, name = key.partition(".")
            found.append((key, told[block][name]))
    return Tuned(tuple(sorted(found)))


def laid_over(begun: Config, tuned: Tuned) -> Config:
    """The settings that a dream goes by: those that it was begun with, and what was changed since.

    Raises:
        IncompatibleSettings: they contradict each other, or were never live.
    """
    blocks: dict[str, dict[str, Any]] = {}
    for key, value in tuned.changes:
        if key not in DREAM:
            raise IncompatibleSettings(
                f"'{key}' is no setting that a dream can change on its way; it goes on with its old settings"
            )
        block, _, name = key.partition(".")
        blocks.setdefault(block, {})[name] = value
    new = {}
    for block, changed in blocks.items():
        old = getattr(begun, block)
        try:  # strict, yet through JSON: there a tuple is a list
            new[block] = type(old).model_validate_json(json.dumps({**old.model_dump(mode="json"), **changed}))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join([block, *map(str, first["loc"])])
            raise IncompatibleSettings(
                f"'{where}' cannot be so: {first['msg']}; the dream goes on with its old settings"
            ) from None
    return begun.model_copy(update=new)
