"""All outputs of a stream by name. They are added, removed and switched while it runs; one that fails affects no other."""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from streamer.config import (
    FileOutput,
    MjpegOutput,
    MpegtsHttpOutput,
    MpegtsUdpOutput,
    NullOutput,
    Output,
    RtmpOutput,
    TwitchIngestOutput,
    VirtualCameraOutput,
    free_name,
)
from streamer.messages.refused import Reason, Refused
from streamer.messages.status import OutputStatus
from streamer.video.encoding.shared_encoder import EncoderError
from streamer.video.http_output import HttpOutput
from streamer.video.output_request import read_block, written_to
from streamer.video.sinks import SinkError, SinkState, SinkStatus
from streamer.video.sinks.ingest import redactor
from streamer.video.sinks.secrets import Redactor

log = logging.getLogger(__name__)

MAX_OUTPUTS = 32
"""Most outputs at the same time; beyond it, the API adds none."""
STOP_S = 3.0
"""Seconds allowed for an output to end when it is switched off."""
DISABLED = "disabled"


class Runner(Protocol):
    """What runs for an output: a sink, or an ``HttpOutput``."""

    def start(self) -> None:
        """Start, without waiting."""

    def stop(self, deadline_s: float) -> bool:
        """Stop; return whether it ended within the deadline."""

    def status(self) -> SinkStatus:
        """Return its status."""


Make = Callable[[Output, str], Runner]
"""Makes the runner for an output, given its settings and name."""


@dataclass(slots=True)
class _Entry:
    """An output. ``runner`` is None while it is disabled, or if it could not be made; ``reason`` then says why."""

    name: str
    output: Output
    since_s: float
    runner: Runner | None = None
    reason: str = ""
    delivered_bytes: int = 0
    """Counts of earlier runners; the next two fields as well."""
    dropped: int = 0
    failures: int = 0

    def retire(self) -> Runner | None:
        """Remove and return the runner, and keep its counts."""
        runner, self.runner = self.runner, None
        if runner is not None:
            status = runner.status()
            self.delivered_bytes += status.delivered_bytes
            self.dropped += status.dropped
            self.failures += status.failures
        return runner


class Outputs:
    """Runs the outputs of a stream, from ``start`` to ``stop``. Thread-safe."""

    def __init__(
        self,
        outputs: Sequence[Output],
        make: Make,
        recordings: Path,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare the outputs of the config; ``recordings`` is the folder for files of those that ``add_block`` adds."""
        self._make, self._recordings, self._clock = make, recordings, clock
        self._lock = threading.Lock()
        self._entries: dict[str, _Entry] = {}
        self._running = False
        for output in outputs:
            self.add(output)

    def start(self) -> None:
        """Start every output that is enabled."""
        with self._lock:
            self._running = True
            for entry in self._entries.values():
                self._run(entry)

    def stop(self, deadline_s: float = STOP_S) -> bool:
        """Stop all outputs at the same time; return whether they ended within the deadline. A second call does nothing."""
        with self._lock:
            self._running = False
            runners = [runner for entry in self._entries.values() if (runner := entry.retire()) is not None]
        return _stop_all(runners, deadline_s, self._clock)

    def add(self, output: Output) -> str:
        """Add an output, started if the others are running; return its name.

        Raises:
            Refused: its name, its folder or its address on the web server is taken.
        """
        with self._lock:
            if output.name in self._entries:
                raise Refused(Reason.DUPLICATE, f"'name' is '{output.name}'; there is an output of that name already")
            for other in self._entries.values():
                _check_apart(output, other)
            name = output.name or free_name(output.kind, list(self._entries))
            entry = self._entries[name] = _Entry(name, output, self._clock())
            if self._running:
                self._run(entry)
        log.info("output %s added: %s", name, target(output))
        return name

    def add_block(self, block: Mapping[str, Any]) -> str:
        """Add an output from a block sent over the API; return its name.

        Raises:
            Refused: ``BAD_OUTPUT`` with every mistake, ``LIMIT`` if there are too many, and the reasons of ``add``.
        """
        if len(self._entries) >= MAX_OUTPUTS:
            raise Refused(Reason.LIMIT, f"there are {len(self._entries)} outputs already; remove one first")
        return self.add(read_block(block, self._recordings))

    def remove(self, name: str) -> None:
        """Stop and remove an output.

        Raises:
            Refused: no output has that name.
        """
        with self._lock:
            runner = self._find(name).retire()
            del self._entries[name]
        if runner is not None:
            runner.stop(STOP_S)
        log.info("output %s removed", name)

    def enable(self, name: str, enabled: bool) -> None:
        """Start or stop an output; does nothing if it already is in that state.

        Raises:
            Refused: no output has that name.
        """
        with self._lock:
            entry = self._find(name)
            if entry.output.enabled == enabled and (entry.runner is not None) == (enabled and self._running):
                return
            runner = entry.retire()
            entry.output = entry.output.model_copy(update={"enabled": enabled})
            entry.reason, entry.since_s = "", self._clock()
            if self._running:
                self._run(entry)
        if runner is not None:
            runner.stop(STOP_S)
        log.info("output %s %s", name, "enabled" if enabled else "disabled")

    def status(self) -> tuple[OutputStatus, ...]:
        """Return the status of each output, in the order in which they were added."""
        with self._lock:
            return tuple(map(self._status_of, self._entries.values()))

    def http_output(self, path: str) -> HttpOutput | None:
        """Return the running output that serves ``path`` of the web server; None if there is none."""
        with self._lock:
            for entry in self._entries.values():
                if isinstance(entry.runner, HttpOutput) and entry.runner.path == path:
                    return entry.runner
        return None

    def _find(self, name: str) -> _Entry:
        if (entry := self._entries.get(name)) is None:
            raise Refused(Reason.NOT_FOUND, f"there is no output '{name}'")
        return entry

    def _run(self, entry: _Entry) -> None:
        """Start an entry if it is enabled; if its runner cannot be made, the stream runs without it."""
        if not entry.output.enabled or entry.runner is not None:
            return
        try:
            runner = self._make(entry.output, entry.name)
            runner.start()
            entry.runner = runner
        except (SinkError, EncoderError, OSError) as error:
            entry.reason = _redactor(entry.output)(error)
            log.error("output %s cannot start: %s", entry.name, entry.reason)
        except Exception:
            entry.reason = "something went wrong here; the log says what"
            log.error("output %s cannot start:\n%s", entry.name, _redactor(entry.output)(traceback.format_exc()))

    def _status_of(self, entry: _Entry) -> OutputStatus:
        if entry.runner is not None:
            status = entry.runner.status()
        else:
            state = SinkState.FAILED if entry.reason else SinkState.STOPPED
            since_s = self._clock() - entry.since_s
            status = SinkStatus(entry.name, state, 0, 0, 0, 0, entry.reason, since_s=since_s)
        return OutputStatus(
            name=entry.name,
            kind=entry.output.kind,
            state=status.state.value if entry.output.enabled else DISABLED,
            reason=status.error,
            delivered_bytes=entry.delivered_bytes + status.delivered_bytes,
            dropped=entry.dropped + status.dropped,
            failures=entry.failures + status.failures,
            since_s=status.since_s,
            retry_in_s=status.retry_in_s,
            target=target(entry.output) if status.file is None else _tail(status.file),
            enabled=entry.output.enabled,
            public=_is_public(entry.output),
        )


def target(output: Output) -> str:
    """Describe where an output goes; only the server of an address is shown, because the rest may be secret."""
    for path in written_to(output).values():
        return _tail(path)
    match output:
        case NullOutput():
            return "nowhere"
        case MpegtsUdpOutput():
            return output.url
        case MpegtsHttpOutput() | MjpegOutput():
            return output.path
        case RtmpOutput():
            return _server(output.url)
        case TwitchIngestOutput():
            test = ", for a test of the line" if output.bandwidth_test else ""
            return f"{'Twitch' if output.server == 'auto' else _server(output.server)}{test}"
        case VirtualCameraOutput():
            return output.device or "the first virtual camera"
        case _:
            return output.kind


def _is_public(output: Output) -> bool:
    return isinstance(output, RtmpOutput) or (isinstance(output, TwitchIngestOutput) and not output.bandwidth_test)


def _redactor(output: Output) -> Redactor:
    return redactor(output) if isinstance(output, RtmpOutput | TwitchIngestOutput) else Redactor()


def _tail(path: Path) -> str:
    return str(Path(*path.parts[-2:])) if path.is_absolute() else str(path)


def _server(url: str) -> str:
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname}{port}"


def _check_apart(output: Output, other: _Entry) -> None:
    """Refuse an output that would serve or write to the same place as another; recordings find free names themselves."""
    for key in () if isinstance(output, FileOutput) else ("path", "folder"):
        value = getattr(output, key, None)
        if value is not None and value == getattr(other.output, key, None):
            raise Refused(Reason.DUPLICATE, f"'{key}' is '{value}'; the output {other.name} has it already")


def _stop_all(runners: Sequence[Runner], deadline_s: float, clock: Callable[[], float]) -> bool:
    """Stop all at the same time, so that one that hangs takes no time from the others."""
    ended: list[bool] = []
    threads = [
        threading.Thread(target=lambda runner=runner: ended.append(runner.stop(deadline_s)), name="stop-output", daemon=True)
        for runner in runners
    ]
    for thread in threads:
        thread.start()
    end_s = clock() + deadline_s + 0.5
    for thread in threads:
        thread.join(max(0.1, end_s - clock()))
    return len(ended) == len(runners) and all(ended)
