"""Settings of how the picture reacts to the sound."""

from __future__ import annotations

from pydantic import Field

from streamer.config_block import Section


class ReactConfig(Section):
    """How the picture reacts to the beats and the loudness of the sound. docs/react.md."""

    enabled: bool = Field(
        default=False,
        description="Whether it reacts at all. Then the sound is played even where no output wants any, as long as somebody "
        "watches.",
    )
    zoom: float = Field(
        default=0.04,
        ge=0,
        le=0.25,
        description="How much closer each beat brings the picture for a moment, as a part of its size; quieter beats bring it "
        "less close. 0: not at all. Above 0.1 it shakes.",
    )
    pace: float = Field(
        default=0.0,
        ge=0,
        le=3,
        description="How much faster the camera moves while it is loud: 1 is twice as fast at the loudest. 0: not at all.",
    )
    step: float = Field(
        default=0.0,
        ge=0,
        le=2,
        description="How much larger the dream's steps are while it is loud: 1 is twice as large at the loudest, which is "
        "livelier and coarser. 0: not at all. Only for the algorithms default and deepdream.",
    )
    bump_bars: int = Field(
        default=0,
        ge=0,
        le=256,
        description="Bars from one bump of the dream, as !bump gives it, to the next. 0: never.",
    )
    subject_bars: int = Field(
        default=0,
        ge=0,
        le=256,
        description="Bars after which another subject comes, where nobody has asked for the one on air. It comes after "
        "queue.wander_s at the latest, beats or not. 0: only then.",
    )
    beats_per_bar: int = Field(
        default=4, ge=1, le=16, description="Beats of a bar; where it begins is taken from the first beat."
    )
    apart_s: float = Field(
        default=0.3,
        ge=0.1,
        le=2,
        description="Least seconds from one beat to the next: of what is closer together, the loudest counts. 0.3 suits up to "
        "180 beats a minute; more leaves out what lies between the beats of slower music.",
    )
    offset_s: float = Field(
        default=0.0,
        ge=-1,
        le=5,
        description="Seconds by which the picture reacts later than the sound of the stream is heard, or earlier below 0. 0 "
        "suits whoever hears the stream's own sound; docs/react.md tells when to change it.",
    )
