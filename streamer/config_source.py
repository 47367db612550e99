"""The settings of the starting picture or the moving source of a dream.

Part of ``config``, which re-exports these names; see there for how to write settings.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from shared.section import Section
from streamer.config_block import broken


def _media(text: str) -> str:
    """Return the path with ``~`` expanded; a URL unchanged."""
    if "\0" in text or not text.strip():
        raise ValueError("must be the path of a file, or a URL")
    return text if is_url(text) else str(Path(text).expanduser())


def is_url(text: str) -> bool:
    """Return whether it is the URL of a stream, not a file."""
    scheme, mark, _ = text.partition("://")
    return bool(mark) and len(scheme) > 1 and scheme.isalnum()


Fit = Literal["crop", "pad", "stretch"]
"""How to fit a picture of another aspect ratio; ``streamer.media.fit`` does it."""


class SourceConfig(Section):
    """What the dream starts from, or rides on: noise, a picture, a film, a camera. docs/cameras.md."""

    kind: Literal["noise", "image", "video", "camera"] = Field(
        default="noise",
        description="noise: coloured noise. image: a picture to start from. video: a film or a stream, and camera: a camera, "
        "for the dream to ride on; these two don't zoom, because the picture moves by itself.",
    )
    path: Annotated[str, Field(min_length=1), AfterValidator(_media)] | None = Field(
        default=None,
        json_schema_extra={"allowed": "the path of a file, or the URL of a stream, or null"},
        description="The picture or the film; for video also the URL of a stream, such as rtsp://… or http://….",
    )
    device: Annotated[int, Field(ge=0, le=99)] | Annotated[str, Field(min_length=1)] = Field(
        default=0,
        json_schema_extra={"allowed": "a whole number, 0 to 99, or the path of a device such as /dev/video2"},
        description="Which camera: 0 is the first one.",
    )
    width: Annotated[int, Field(ge=16, le=7680)] | None = Field(
        default=None,
        description="Width in pixels to request from the camera, which may deliver another. null: about the video's.",
    )
    height: Annotated[int, Field(ge=16, le=4320)] | None = Field(
        default=None, description="Height in pixels to request from the camera; like the width."
    )
    fps: Annotated[float, Field(ge=1, le=240)] | None = Field(
        default=None, description="Frames per second to request from the camera; null: the video's."
    )
    track: Annotated[int, Field(ge=1, le=999)] | None = Field(
        default=None,
        description="Which of a film's video tracks to use, counted from 1, including covers. null: the one flagged as "
        "default in the file, else the largest.",
    )
    fit: Fit = Field(
        default="crop",
        description="What to do if a picture's shape differs from the video's. crop: cut equally on both sides. pad: show all "
        "of it, between black bars. stretch: distort it.",
    )
    mirror: bool = Field(default=False, description="Whether to swap left and right, as in a mirror.")
    loop: bool = Field(
        default=True, description="Whether a film starts again when it ends; otherwise the dream continues on its last picture."
    )
    ride: bool = Field(
        default=True,
        description="Whether the dream rides on the moving picture of the film or camera. false: it starts from the first "
        "picture, and zooms by itself.",
    )
    mix: float = Field(
        default=1.0, ge=0, le=1, description="How visible the dream is on a moving picture; 0 shows the picture alone."
    )
    decay_s: float = Field(
        default=6.0,
        gt=0,
        le=3600,
        description="Seconds in which parts of the dream on a moving picture fade to a third unless they are renewed. Less "
        "stays closer to the picture, more lets the dream grow over it.",
    )

    @property
    def moves(self) -> bool:
        """Whether the dream follows a moving source."""
        return self.ride and self.kind in ("video", "camera")

    @model_validator(mode="after")
    def _named(self) -> Self:
        if self.kind in ("image", "video") and self.path is None:
            raise broken("path", f"must name a {'picture' if self.kind == 'image' else 'film'} while kind is {self.kind}")
        if self.kind == "image" and self.path is not None and is_url(self.path):
            raise broken("path", "must be the path of a file while kind is image")
        return self
