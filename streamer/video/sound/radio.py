"""Internet radio: a stream over HTTP or HTTPS, decoded as it arrives."""

from __future__ import annotations

import http.client
import logging
import re
import time
from collections.abc import Callable, Generator
from pathlib import PurePosixPath
from urllib.parse import urljoin, urlsplit

import numpy as np

from streamer.video.sound.decoding import SoundError, decode
from streamer.video.sound.icy import Station, StationConnector, reason, shown

log = logging.getLogger(__name__)

TIMEOUT_S = 10.0
"""Seconds without data after which a station counts as gone."""
MAX_PLAYLIST = 65536
"""Most bytes of a playlist to read."""
MAX_ENTRIES = 20
"""Most addresses of a playlist to try."""
MAX_DEPTH = 3
"""Most playlists that may refer to each other before a stream."""
PLAYLIST_TYPES = {
    "audio/x-mpegurl",
    "audio/mpegurl",
    "application/x-mpegurl",
    "application/vnd.apple.mpegurl",
    "audio/x-scpls",
    "application/pls+xml",
}
PLAYLIST_ENDINGS = (".m3u", ".m3u8", ".pls")


class Radio:
    """Plays a station; each ``read`` after a failure reconnects. One thread reads; any thread may end it."""

    def __init__(
        self, url: str, rate: int, *, timeout_s: float = TIMEOUT_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Do not connect yet; the first ``read`` does.

        Args:
            url: an http or https address of a stream or a playlist (.m3u, .pls); a user and password in it are sent, and
                never shown.
            rate: wanted samples per second.
            timeout_s: seconds without data after which the station counts as gone.
        """
        self._url = url
        self._rate = rate
        self._timeout_s = timeout_s
        self._connector = StationConnector(timeout_s, clock)
        self._station: Station | None = None
        self._samples: Generator[np.ndarray, None, None] | None = None
        self._attempts = 0

    @property
    def playing(self) -> str:
        """The station's title, name or address; empty while it is not playing."""
        station = self._station
        return (station.title or station.name or shown(self._url)) if station is not None and self._samples is not None else ""

    def read(self) -> np.ndarray:
        """Wait for the next samples and return them, (n, 2) float32, n > 0.

        Raises:
            SoundError: the station is unreachable, sends no sound, or has stopped sending.
        """
        try:
            if self._samples is None:
                self._station = self._tune()
                self._samples = decode(self._station, self._rate)
            return next(self._samples)
        except StopIteration:
            problem = "it ended the stream"
        except SoundError as error:
            problem = str(error)
            if self._station is not None and self._station.content_type.startswith("text/"):
                problem = "it sends text, not sound; the address must be that of the stream, not of a page about it"
        except (OSError, http.client.HTTPException) as error:
            problem = reason(error, self._timeout_s)
        self.close()
        raise SoundError(f"radio '{shown(self._url)}': {problem}")

    def close(self) -> None:
        """Close the connection, from the thread that reads; a later ``read`` reconnects."""
        if self._samples is not None:
            self._samples.close()
        self._samples = self._station = None
        self._connector.close()

    def hang_up(self) -> None:
        """End for good, from any thread; a ``read`` in progress fails."""
        self._connector.hang_up()

    def _tune(self) -> Station:
        """Open the stream, through playlists if needed; after a failure it tries the next entry."""
        url, attempt = self._url, self._attempts
        self._attempts += 1
        for _ in range(MAX_DEPTH + 1):
            station = self._connector.open(url)
            path = PurePosixPath(urlsplit(station.url).path)
            if station.content_type not in PLAYLIST_TYPES and path.suffix.lower() not in PLAYLIST_ENDINGS:
                return station
            entries = playlist_entries(_head(station), station.url)
            if not entries:
                raise SoundError("its playlist names no http:// or https:// address")
            url = entries[attempt % len(entries)]
        raise SoundError("its playlist leads to playlists only")


def playlist_entries(data: bytes, base: str) -> list[str]:
    """Return the http and https addresses of an M3U or PLS playlist, in order and absolute.

    Raises:
        SoundError: it is an HLS playlist, which is not supported.
    """
    text = data.decode("utf-8-sig", "replace")
    if "#EXT-X-" in text:
        raise SoundError("it is an HLS stream, which is not supported; most stations also have an MP3 or AAC stream")
    lines = [line.strip() for line in text.splitlines()]
    if any(line.lower() == "[playlist]" for line in lines):
        lines = [entry[1].strip() for line in lines if (entry := re.match(r"(?i)file\d+\s*=(.*)", line))]
    found: list[str] = []
    for line in lines:
        if line and line.isprintable() and not line.startswith("#"):
            try:
                url = urljoin(base, line)
                parts = urlsplit(url)
                if parts.scheme in ("http", "https") and parts.hostname:
                    found.append(url)
            except ValueError:  # not a URL
                continue
    return found[:MAX_ENTRIES]


def _head(station: Station) -> bytes:
    """Return the beginning of a response, up to ``MAX_PLAYLIST`` bytes."""
    data = b""
    try:
        while len(data) < MAX_PLAYLIST and (more := station.read(MAX_PLAYLIST - len(data))):
            data += more
    except TimeoutError:
        if not data:
            raise
    return data
