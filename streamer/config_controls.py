"""The settings of the live controls: presets, and remote control by OSC.

Part of ``config``, which re-exports these names; see there for how to write settings.
"""

from __future__ import annotations

from pydantic import Field

from shared.section import LocalPath, Section


class ControlsConfig(Section):
    """Controls that change the dream while it is on air: sliders, presets, OSC. docs/controls.md."""

    folder: LocalPath | None = Field(
        default=None,
        description="The folder of your own presets, YAML files; the desk saves new ones there. null: the folder presets next "
        "to the queue's file.",
    )
    crossfade_s: float = Field(
        default=3.0,
        ge=0,
        le=60,
        description="Seconds in which numbers move to those of another preset. 0: immediately.",
    )
    osc: bool = Field(
        default=False,
        description="Whether to accept OSC from light desks and controllers: pip install 'zoomdream[osc]'. OSC has no "
        "passwords: anyone who can send to the address can change the dream.",
    )
    osc_host: str = Field(
        default="127.0.0.1",
        min_length=1,
        max_length=255,
        description="Address to listen on for OSC. Any address other than loopback lets other machines send.",
    )
    osc_port: int = Field(default=9000, ge=0, le=65535, description="UDP port for OSC; 0 uses a free one and logs it.")
