"""Lists the live settings, whose changes in the config file take effect while the stream runs. Others take effect at a start.

The tables below are the only source of this, grouped by the part that uses a setting. The reference, ``zoomdream check`` and
the reload read them, and a test compares them with all settings: a new setting must be in one of them. The controls can change
some of the other settings without a restart, by starting a new worker (``SWITCH``).
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
"""Settings of the dream: sent to the worker, applied at a keyframe, recorded in the journal."""
CAMERA = ("zoom.speed", "zoom.rotation")
"""Settings of the camera, handled in the same way."""
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
"""Settings of frames."""
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
"""Settings of requests. Changes that moderators made at run time take precedence."""
SOUND = ("audio.volume_db", "audio.react")
"""Settings of the sound, and of the picture's reaction to it."""
CHAT = ("chat", "dream.layout")
"""Settings of the stream's chat bot."""
DESK = ("controls.crossfade_s",)
"""Settings of the live controls."""
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
"""Settings that are not live; a block stands for all its settings."""
SWITCH = ("network", "dream.algorithm", "dream.tile_px", "ink.start", "ink.text", "ink.threshold")
"""Those of them that the controls can change while the stream runs: a new worker prepares with them, then resumes from the
latest picture."""
LOOK = ("zoom", "dream", "ink")
"""The look: the blocks that a preset sets completely, including defaults. It changes other settings only if it names them."""


class IncompatibleSettings(ZoomdreamError):
    """Settings cannot be combined with others: they contradict each other, or a setting does not exist."""


class SettingsRefused(ZoomdreamError):
    """A component refuses the new settings, and keeps the old ones."""


@cache
def expanded(names: tuple[str, ...]) -> frozenset[str]:
    """Return all dotted settings that the names of settings and blocks stand for."""
    return frozenset(key for key in setting_keys() if any(key == name or key.startswith(f"{name}.") for name in names))


LIVE = expanded((*DREAM, *CAMERA, *PICTURE, *RULES, *SOUND, *CHAT, *DESK))
"""All live settings, dotted."""
AT_DESK = LIVE | expanded(SWITCH)
"""All settings that the controls can change while the stream runs, dotted."""


def among(changed: Iterable[str], names: tuple[str, ...]) -> frozenset[str]:
    """Return those of the changed settings that a table above contains."""
    return expanded(names).intersection(changed)


def value_of(config: Config, key: str) -> Any:
    """Return a setting by its dotted key."""
    value: Any = config
    for part in key.split("."):
        value = getattr(value, part)
    return value


def changes(before: Config, after: Config) -> tuple[str, ...]:
    """Return the dotted settings in which two configs differ, in the order of the reference."""
    return tuple(key for key in setting_keys() if value_of(before, key) != value_of(after, key))


def with_settings_of(config: Config, other: Config, keys: Iterable[str]) -> Config:
    """Return a config with some dotted settings of another. Nothing is checked, since both are valid."""
    return with_values(config, {key: value_of(other, key) for key in keys})


def with_values(config: Config, values: Mapping[str, Any]) -> Config:
    """Return a config with other values of some dotted settings. Nothing is checked: the values must be valid."""
    for key, value in values.items():
        config = _put(config, key.split("."), value)
    return config


def _put(block: Any, path: list[str], value: Any) -> Any:
    name, *rest = path
    return block.model_copy(update={name: _put(getattr(block, name), rest, value) if rest else value})


def tuned(begun: Config, now: Config) -> Tuned:
    """Return the dream's live settings that differ from those it was started with."""
    values = now.model_dump(mode="json")
    found = []
    for key in changes(begun, now):
        if key in DREAM:
            block, _, name = key.partition(".")
            found.append((key, values[block][name]))
    return Tuned(tuple(sorted(found)))


def laid_over(begun: Config, tuned: Tuned) -> Config:
    """Return a dream's current settings: those it was started with, plus the changes since.

    Raises:
        IncompatibleSettings: they contradict each other, or one is not live.
    """
    blocks: dict[str, dict[str, Any]] = {}
    for key, value in tuned.changes:
        if key not in DREAM:
            raise IncompatibleSettings(f"'{key}' is not a live setting of the dream; it keeps its old settings")
        block, _, name = key.partition(".")
        blocks.setdefault(block, {})[name] = value
    new = {}
    for block, changed in blocks.items():
        old = getattr(begun, block)
        try:  # strict, but from JSON, where a tuple is a list
            new[block] = type(old).model_validate_json(json.dumps({**old.model_dump(mode="json"), **changed}))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join([block, *map(str, first["loc"])])
            raise IncompatibleSettings(f"'{where}' is invalid: {first['msg']}; the dream keeps its old settings") from None
    return begun.model_copy(update=new)
