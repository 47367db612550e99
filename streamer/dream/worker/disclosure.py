"""What a worker on another machine is told: no more of the settings and of the scenes than it dreams by.

The stream's keys and tokens, its outputs, chat and files stay here, and so do the names of those who asked for something.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from streamer.config import Config, SourceConfig, VideoConfig
from streamer.messages.scenes import Scene

WHOLE = ("seed", "device", "network", "canvas", "zoom", "dream", "ink")
"""Settings and blocks that a worker gets as they are; paths of weights among them, for a machine that has those files."""


def disclosed_config(config: Config) -> Config:
    """The settings that a worker dreams by; all others are at their defaults, which say nothing.

    Of the video there is its size and rate. Of the source there is what becomes of its pictures, and not where they come from:
    those that it rides on come one by one. One that it starts from is a ``kind: image`` without a path, which is noise unless
    that picture is handed over as well, and its path there put in.
    """
    video, source = config.video, config.source
    kind = source.kind if source.moves or source.kind == "noise" else "image"
    told = {"kind": kind, "fit": source.fit, "mix": source.mix, "decay_s": source.decay_s}
    return Config().model_copy(
        update={
            **{name: getattr(config, name) for name in WHOLE},
            "video": VideoConfig(width=video.width, height=video.height, fps=video.fps),
            "source": SourceConfig().model_copy(update=told),
        }
    )


def disclosed_scene(scene: Scene) -> Scene:
    """What is to be dreamt, without who asked for it."""
    return replace(scene, user="", request_id=None)


def restored_scene(scene: Scene, sent: Mapping[int, Scene]) -> Scene:
    """A scene that came back, as it was before it was sent.

    Args:
        sent: those that were, by their ids.
    """
    return sent.get(scene.id, scene)
