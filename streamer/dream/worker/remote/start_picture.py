"""Sends the starting picture of a dream to a worker on another machine."""

from __future__ import annotations

from pathlib import Path

import cv2

from streamer.config import Config
from streamer.dream.interface import ConfigRejected
from streamer.dream.sources.picture import SourceError
from streamer.dream.sources.start import starting_picture


def start_picture_bytes(config: Config) -> bytes | None:
    """Return the contents of the file of the starting picture; None if these settings have none.

    Raises:
        ConfigRejected: the picture cannot be read.
    """
    source = config.source
    try:
        if source.kind == "image" and source.path is not None:
            return Path(source.path).read_bytes()
        picture = starting_picture(source)
    except SourceError as error:
        raise ConfigRejected(str(error)) from error
    except OSError as error:
        raise ConfigRejected(f"the picture '{source.path}' cannot be read: {error.strerror or error}") from error
    if picture is None:
        return None
    _, data = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    return data.tobytes()


def with_start_picture(config: Config, picture: bytes, folder: Path) -> Config:
    """Write the result of ``start_picture_bytes`` to a folder; return the settings with that file as starting picture."""
    file = folder / "start"
    file.write_bytes(picture)
    return config.model_copy(update={"source": config.source.model_copy(update={"kind": "image", "path": str(file)})})
