"""Opens files and streams with PyAV. A path always means the file of that name.

FFmpeg parses what it is given as a URL: ``12:30.mp4`` would use the protocol ``12``, ``concat:a.ts`` would be a list, and
``a%03d.png`` a series of pictures.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer, OutputContainer

ONE_FILE = {"pattern_type": "none"}
"""Makes FFmpeg's image reader take ``%03d``, ``*`` and a URL's ``%20d`` literally; other readers ignore it."""

ANY_TAGS: dict[str, Any] = {"metadata_errors": "replace"} if int(av.__version__.partition(".")[0]) < 19 else {}
"""For ``av.open``: before PyAV 19, a title that is not UTF-8, as in old files, makes opening fail."""
PLAYLISTS = (".m3u8", ".mpd")
"""Files that name others; FFmpeg resolves those names as relative URLs."""


def open_file(path: str | Path) -> InputContainer:
    """Open a local file for reading.

    Raises:
        OSError, ValueError, av.FFmpegError: it cannot be read.
    """
    folder = str(Path(path).absolute().parent)
    if Path(path).suffix.lower() in PLAYLISTS and any(mark in folder for mark in "#?"):
        raise ValueError(
            f"FFmpeg looks in a wrong place for a playlist's parts where a folder has # or ? in its name: '{folder}'"
        )
    container: InputContainer = av.open(address(path), "r", options=dict(ONE_FILE), **ANY_TAGS)
    return container


def open_stream(url: str, options: Mapping[str, str], open_s: float, read_s: float) -> InputContainer:
    """Open a URL for reading.

    Args:
        options: FFmpeg options for protocol and format.
        open_s: Seconds without data after which opening fails; ``read_s``: the same for reading.

    Raises:
        OSError, ValueError, av.FFmpegError: it cannot be read.
    """
    all_options = {**ONE_FILE, **options}
    container: InputContainer = av.open(url, "r", options=all_options, timeout=(open_s, read_s), **ANY_TAGS)
    return container


def create_file(path: str | Path, form: str, options: Mapping[str, str]) -> OutputContainer:
    """Open a local file for writing; an existing one is replaced.

    Args:
        form: FFmpeg's name of the container format; ``options`` are the container's.

    Raises:
        OSError, ValueError, av.FFmpegError: it cannot be written.
    """
    return av.open(address(path), "w", format=form, options=dict(options))


def address(path: str | Path) -> str:
    """Return a local file's name in the form that FFmpeg takes."""
    return f"file:{Path(path).absolute()}"
