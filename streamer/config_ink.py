"""The settings of ink: ``dream.algorithm: ink`` draws in two colours.

Part of ``config``, which re-exports these names; see there for how to write settings.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from shared.section import Section
from streamer.config_block import broken

COLOUR = re.compile(r"#[0-9a-fA-F]{6}")


def _colour(text: str) -> str:
    if not COLOUR.fullmatch(text):
        raise ValueError("must be a colour such as '#1a2b3c'")
    return text


Colour = Annotated[str, AfterValidator(_colour)]
"""Red, green and blue, two hexadecimal digits each."""

Level = Annotated[float, Field(ge=-100, le=100)]
"""Above mid-grey, of 255."""


class InkConfig(Section):
    """Ink on paper, for dream.algorithm: ink. Each pixel is either ink or paper. docs/ink.md."""

    start: Literal["auto", "disc", "text", "image"] = Field(
        default="auto",
        description="What the drawing grows from. disc: a dot in the middle of each subject's place. text: the text in "
        "ink.text. image: the picture of the source block, or of render's --image, with ink in its dark parts. auto: the "
        "picture if there is one, else the text if there is one, else a disc.",
    )
    text: str = Field(default="", max_length=60, description="Text to start from, written in the middle; empty for none.")
    radius_px: float = Field(
        default=5.5, ge=1, le=1000, description="Radius of the disc to start from, in pixels of the canvas."
    )
    threshold: Annotated[float, Field(ge=0, le=255)] | Literal["auto"] = Field(
        default="auto",
        description="Parts of a starting picture darker than this become ink. auto: the level that separates it best.",
    )
    flips: int = Field(
        default=50,
        ge=1,
        le=100_000,
        description="Most pixels that change in a step. More draws faster and more coarsely.",
    )
    step_s: float = Field(
        default=0.1,
        ge=0,
        le=10,
        description="Duration of a full step in seconds, so that drawings grow at the same speed on fast machines: shorter "
        "steps change fewer pixels; longer ones don't age the ink any further. 0: every step is a full one.",
    )
    reach_px: int = Field(
        default=3,
        ge=0,
        le=64,
        description="How far from existing ink new ink may appear, in pixels. Less keeps the drawing in one piece; 0 lets it "
        "start anywhere.",
    )
    memory: float = Field(
        default=0.8,
        ge=0,
        lt=1,
        description="Share of past gradients in the running mean that the drawing follows; each gradient sees the sheet "
        "randomly shifted and scaled. More gives calmer, bolder lines; 0 uses only the last one.",
    )
    white: Level | Literal["auto"] = Field(
        default="auto",
        description="What the network sees as paper, in levels of 255 above its mid-grey. The further from black, the more "
        "fine dots appear. auto: as far above as black is below; if both are auto, 2, or 60 for the bundled network, which "
        "misses fainter contrast.",
    )
    black: Level | Literal["auto"] = Field(
        default="auto",
        description="What the network sees as ink, likewise; darker than white. auto: as far below mid-grey as white is above "
        "it.",
    )
    fade_s: float = Field(
        default=15.0,
        ge=0,
        le=86_400,
        description="Seconds after which ink bleaches, pixel by pixel, to make room for more: drawings stay light. Longer on "
        "machines whose steps take longer than step_s. 0: never; then drawings eventually get dark.",
    )
    wash_s: float = Field(
        default=6.0,
        ge=0,
        le=600,
        description="Seconds in which the old drawing is washed off when the subject changes, while the new one grows; "
        "likewise longer on slow machines. 0: it stays, and is drawn over.",
    )
    edges: Literal["smooth", "pixels"] = Field(
        default="smooth",
        description="How the drawing is enlarged for the video, never with greys. smooth: like pen strokes. pixels: as "
        "squares.",
    )
    paper: Colour = Field(
        default="#ffffff",
        json_schema_extra={"allowed": "a colour such as '#ffffff'"},
        description="Colour of the paper in the video.",
    )
    colour: Colour = Field(
        default="#000000",
        json_schema_extra={"allowed": "a colour such as '#000000'"},
        description="Colour of the ink in the video.",
    )

    @model_validator(mode="after")
    def _darker_ink(self) -> Self:
        white, black = self.levels(1.0)
        if black >= white:
            raise broken("black", f"must be below white; they are {black:g} and {white:g}")
        if self.start == "text" and not self.text.strip():
            raise broken("text", "must say something while start is text")
        return self

    def levels(self, contrast: float) -> tuple[float, float]:
        """Thresholds of white and black, above mid-grey; those of ``contrast`` if neither is set."""
        match self.white, self.black:
            case "auto", "auto":
                return contrast, -contrast
            case "auto", float(black):
                return -black, black
            case float(white), "auto":
                return white, -white
            case float(white), float(black):
                return white, black
        raise AssertionError(f"{self.white!r} and {self.black!r} passed the config")
