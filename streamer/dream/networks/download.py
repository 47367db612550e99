"""Downloads one file: resumes a partial one, checks its hash, and moves it into place atomically."""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from streamer.errors import ZoomdreamError

Progress = Callable[[int, int | None], None]
"""Called with (bytes so far, bytes in all or None) a few times a second."""

CHUNK = 1 << 16
RETRIES = 3
"""How often a connection may break without having delivered a byte."""
_LOOK_S = 0.05


class DownloadError(ZoomdreamError):
    """A download failed; a one-line message says why."""


def download(
    url: str, target: Path, *, progress: Progress | None = None, limit_s: float | None = None, silence_s: float = 10.0
) -> None:
    """Download a file whose name ends in ``-<first digits of its SHA-256>.<suffix>``.

    Received data goes to ``<name>.part`` beside the target, where the next attempt continues. A file under its final name is
    always complete. The transfer runs in a thread, since resolving a host name has no time limit; an abandoned transfer writes
    nothing more.

    Args:
        url: the URL.
        target: the file to write.
        progress: called in this thread.
        limit_s: time limit of the whole download; None for no limit.
        silence_s: seconds without an answer or a byte, including name resolution and the handshake, after which it fails.

    Raises:
        DownloadError: the download failed or took too long.
    """
    transfer = _Transfer(url, target.with_name(target.name + ".part"), _digits(target), silence_s)
    transfer.start()
    began = alive = time.monotonic()
    seen = transfer.received
    while not transfer.done.wait(_LOOK_S):
        now = time.monotonic()
        if transfer.received != seen or transfer.checking:
            seen, alive = transfer.received, now
        if progress is not None:
            progress(seen, transfer.total)
        if limit_s is not None and now - began > limit_s:
            transfer.abandon()
            raise DownloadError(
                f"{url} takes longer than {limit_s:g} s; the {seen / 1e6:.1f} MB received so far are kept for the next attempt"
            )
        if now - alive > silence_s:
            transfer.abandon()
            raise DownloadError(f"{url}: {transfer.silent}")
    transfer.join()
    if transfer.error is not None:
        raise DownloadError(f"{url}: {transfer.error}")
    if progress is not None:
        progress(transfer.received, transfer.received)
    try:
        os.replace(transfer.part, target)
    except OSError as error:
        raise DownloadError(f"cannot write {target}: {error.strerror}") from error


def _digits(target: Path) -> str:
    match = re.search(r"-([0-9a-f]{8,64})\.", target.name)
    if match is None:
        raise ValueError(f"the name of '{target.name}' holds no hash")
    return match[1]


class _Broken(Exception):
    """The connection ended early; a new one may deliver the rest."""


class _Transfer(threading.Thread):
    """The thread that fills the ``.part`` file and checks it."""

    def __init__(self, url: str, part: Path, digits: str, timeout_s: float) -> None:
        super().__init__(name="download", daemon=True)
        self.url, self.part, self.digits, self.timeout_s = url, part, digits, timeout_s
        self.silent = f"the server has been silent for {timeout_s:g} s"
        self.received = 0
        self.total: int | None = None
        self.checking = False
        self.error: str | None = None
        self.done = threading.Event()
        self._abandoned = threading.Event()

    def abandon(self) -> None:
        """Write nothing more and end soon."""
        self._abandoned.set()

    def run(self) -> None:
        try:
            self.part.parent.mkdir(parents=True, exist_ok=True)
            self._run()
        except urllib.error.HTTPError as error:
            self.error = f"the server answered {error.code} {error.reason}"
        except TimeoutError:
            self.error = self.silent
        except urllib.error.URLError as error:
            reason = error.reason
            if isinstance(reason, TimeoutError):
                reason = self.silent
            self.error = (reason.strerror if isinstance(reason, OSError) else None) or str(reason)
        except (OSError, http.client.HTTPException, DownloadError) as error:
            self.error = str(error) or type(error).__name__
        finally:
            self.done.set()

    def _run(self) -> None:
        failures, fresh = 0, self._size() == 0
        while True:
            before = self._size()
            try:
                self._receive(before)
            except (_Broken, ConnectionError, http.client.IncompleteRead) as error:
                failures = 0 if self._size() > before else failures + 1
                if failures > RETRIES or self._abandoned.is_set():
                    raise DownloadError(str(error) or type(error).__name__) from error
                continue
            found = self._hash()
            if found.startswith(self.digits):
                return
            self.part.unlink(missing_ok=True)
            if fresh:
                raise DownloadError(f"the download is damaged or another file: its hash is {found[:16]}…, not {self.digits}…")
            fresh = True  # the old part may have been damaged

    def _receive(self, offset: int) -> None:
        request = urllib.request.Request(self.url, headers={"User-Agent": "zoomdream"})
        if offset:
            request.add_header("Range", f"bytes={offset}-")
        self.received = offset
        try:
            response = urllib.request.urlopen(request, timeout=self.timeout_s)
        except urllib.error.HTTPError as error:
            with error:
                if error.code != 416 or not offset:  # Range Not Satisfiable: the part is complete or too long
                    raise
                if error.headers.get("Content-Range", "").rpartition("/")[2] == str(offset):
                    return
                self.part.unlink(missing_ok=True)
                raise _Broken("the server's file is shorter than the part that was already received") from error
        with response:
            resumed = response.status == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {offset}-")
            length = response.headers.get("Content-Length")
            self.received = offset if resumed else 0
            self.total = self.received + int(length) if length and length.isdigit() else None
            with self.part.open("ab" if resumed else "wb") as file:
                while chunk := response.read1(CHUNK):
                    if self._abandoned.is_set():
                        return
                    file.write(chunk)
                    self.received += len(chunk)
        if self.total is not None and self.received < self.total:
            raise _Broken(f"the connection ended after {self.received} of {self.total} bytes")

    def _hash(self) -> str:
        self.checking = True
        with self.part.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def _size(self) -> int:
        try:
            return self.part.stat().st_size
        except FileNotFoundError:
            return 0
