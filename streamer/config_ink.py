"""The settings of ink: ``dream.algorithm: ink`` draws in two colours.

Part of ``config``, which gives these names on; see there for how settings are written.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from streamer.config_block import Section, broken

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
    """Ink on paper, for dream.algorithm: ink. Each pixel is one or the other. docs/ink.md."""

    start: Literal["auto", "disc", "text", "image"] = Field(
        default="auto",
        description="What the drawing grows from. disc: a dot in the middle of each subject's place. text: what ink.text says. "
        "image: the picture of the source block, or of render's --image, ink where it is dark. auto: the picture if there is "
        "one, else the text if there is one, else a disc.",
    )
    text: str = Field(default="", max_length=60, description="What to write in the middle to start from; empty for nothing.")
    radius_px: float = Field(
        default=5.5, ge=1, le=1000, description="Radius of the disc to start from, in pixels of the canvas."
    )
    threshold: Annotated[float, Field(ge=0, le=255)] | Literal["auto"] = Field(
        default="auto",
        description="Where a picture to start from is darker than this, it is ink. auto: the level that parts it best.",
    )
    flips: int = Field(
        default=50,
        ge=1,
        le=100_000,
        description="Pixels that change at most in a step. More draws faster and more coarsely.",
    )
    step_s: float = Field(
        default=0.1,
        ge=0,
        le=10,
        description="Seconds that a whole step stands for, so that drawings grow alike on quick machines: shorter steps change "
        "fewer pixels, longer ones let ink age by no more. 0: every step is a whole one.",
    )
    reach_px: int = Field(
        default=3,
        ge=0,
        le=64,
        description="How far from ink new ink may appear, in pixels. Less keeps the drawing in one piece; 0 lets it begin "
        "anywhere.",
    )
    memory: float = Field(
        default=0.8,
        ge=0,
        lt=1,
        description="Share of the past in the mean of gradients that is followed, each of which is of the sheet shifted and "
        "scaled by chance. More makes calmer, bolder lines; 0 heeds only the last one.",
    )
    white: Level | Literal["auto"] = Field(
        default="auto",
        description="What the network sees for paper, in levels of 255 above its mid-grey. The further from black, the more "
        "fine dots creep in. auto: as far above as black is below; where both are auto, 2, or 60 for the bundled network, "
        "which overlooks what is fainter.",
    )
    black: Level | Literal["auto"] = Field(
        default="auto",
        description="What the network sees for ink, likewise; darker than white. auto: as far below mid-grey as white "
        "is above it.",
    )
    fade_s: float = Field(
        default=15.0,
        ge=0,
        le=86_400,
        description="Seconds after which ink bleaches, pixel by pixel, to make room for more: drawings stay light. Longer on "
        "machines whose steps are longer than step_s. 0: never; then drawings grow dark in the end.",
    )
    wash_s: float = Field(
        default=6.0,
        ge=0,
        le=600,
        description="Seconds in which the old drawing is washed off when the subject changes, while the new one grows; longer "
        "on slow machines likewise. 0: it stays, and is drawn over.",
    )
    edges: Literal["smooth", "pixels"] = Field(
        default="smooth",
        description="How the drawing is enlarged for the video, never with greys. smooth: as a pen would draw it. pixels: each "
        "as a square.",
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
        """White and black, above mid-grey; ``contrast`` where neither is said."""
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
