"""Limits what a worker on another machine receives to the settings and scenes that it renders by.

The stream's keys and tokens, its outputs, chat and files stay on this machine, and so do the names of viewers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from streamer.config import Config, SourceConfig, VideoConfig
from streamer.messages.scenes import Scene

WHOLE = ("seed", "device", "network", "canvas", "zoom", "dream", "ink")
"""Settings and blocks that a worker gets unchanged. They include paths of weights, for a machine that has those files."""


def disclosed_config(config: Config) -> Config:
    """Return the settings that a worker renders by; all others are at their defaults and disclose nothing.

    ``video`` keeps its size and rate. ``source`` keeps how its pictures are used, but not where they come from: the pictures of
    a moving source are sent one by one. A starting picture becomes ``kind: image`` without a path, which means noise unless the
    picture is sent too and its path there is filled in.
    """
    video, source = config.video, config.source
    kind = source.kind if source.moves or source.kind == "noise" else "image"
    disclosed = {"kind": kind, "fit": source.fit, "mix": source.mix, "decay_s": source.decay_s}
    return Config().model_copy(
        update={
            **{name: getattr(config, name) for name in WHOLE},
            "video": VideoConfig(width=video.width, height=video.height, fps=video.fps),
            "source": SourceConfig().model_copy(update=disclosed),
        }
    )


def disclosed_scene(scene: Scene) -> Scene:
    """Return the scene without the viewer and the request."""
    return replace(scene, user="", request_id=None)


def restored_scene(scene: Scene, sent: Mapping[int, Scene]) -> Scene:
    """Return a scene that came back from the worker as it was before ``disclosed_scene``.

    Args:
        sent: the original scenes, by id.
    """
    return sent.get(scene.id, scene)
