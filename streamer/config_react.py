"""The settings of the picture's reaction to the sound."""

from __future__ import annotations

from pydantic import Field

from shared.section import Section


class ReactConfig(Section):
    """How the picture reacts to the beats and the loudness of the sound. docs/react.md."""

    enabled: bool = Field(
        default=False,
        description="Whether it reacts at all. If so, the sound plays while somebody watches, even if no output has sound.",
    )
    zoom: float = Field(
        default=0.04,
        ge=0,
        le=0.25,
        description="How much closer each beat brings the picture for a moment, as a fraction of its size; less for quieter "
        "beats. 0: not at all. Above 0.1 it shakes.",
    )
    pace: float = Field(
        default=0.0,
        ge=0,
        le=3,
        description="How much faster the camera moves in loud passages: 1 is twice as fast at the loudest. 0: not at all.",
    )
    step: float = Field(
        default=0.0,
        ge=0,
        le=2,
        description="How much larger the dream's steps are in loud passages: 1 is twice as large at the loudest, which is "
        "livelier and coarser. 0: not at all. Only for the algorithms default and deepdream.",
    )
    bump_bars: int = Field(
        default=0,
        ge=0,
        le=256,
        description="Bars between bumps of the dream, as with !bump. 0: never.",
    )
    subject_bars: int = Field(
        default=0,
        ge=0,
        le=256,
        description="Bars after which the subject changes, unless a viewer asked for the current one. It changes after "
        "queue.wander_s at the latest, with or without beats. 0: only then.",
    )
    beats_per_bar: int = Field(default=4, ge=1, le=16, description="Beats in a bar, counted from the first beat.")
    apart_s: float = Field(
        default=0.3,
        ge=0.1,
        le=2,
        description="Minimum seconds between beats: of onsets closer together, only the loudest counts. 0.3 suits up to 180 "
        "beats a minute; a higher value skips what is between the beats of slower music.",
    )
    offset_s: float = Field(
        default=0.0,
        ge=-1,
        le=5,
        description="Seconds by which the picture reacts later than the stream's sound, or earlier if below 0. 0 is right if "
        "you hear the stream's own sound; docs/react.md says when to change it.",
    )
