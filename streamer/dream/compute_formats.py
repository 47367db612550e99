"""The format in which a network computes on a CPU: its precision and its memory layout.

The fastest format depends on the CPU and the network, and cannot be predicted. So an idle worker measures it once, with
``networks.format_benchmark``; the result is saved in the cache folder and used from the next start on.

No torch: the renderer's own process imports this.
"""

from __future__ import annotations

import logging
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Literal, get_args

from streamer.cache_file import CacheFile
from streamer.config import Config

log = logging.getLogger(__name__)

Precision = Literal["float32", "bfloat16"]
Layout = Literal["channels_last", "channels_first"]
MARGIN = 0.85
"""A format replaces the usual one if it takes at most this share of its time. Other load on the machine makes less of a
difference, since the formats take turns and medians are compared."""
LEAST_ROUNDS = 3
"""Fewest rounds for a result."""


@dataclass(frozen=True, slots=True)
class ComputeFormat:
    """A precision and a memory layout."""

    precision: Precision
    layout: Layout

    def __str__(self) -> str:
        return f"{self.precision}, {self.layout}"

    @classmethod
    def of(cls, text: object) -> ComputeFormat | None:
        """Parse a format; None if the text is no format."""
        precision, _, layout = str(text).partition(", ")
        known = precision in get_args(Precision) and layout in get_args(Layout)
        return cls(precision, layout) if known else None  # type: ignore[arg-type]


COMPUTE_FORMATS = tuple(ComputeFormat(precision, layout) for precision in get_args(Precision) for layout in get_args(Layout))


def fastest_format(times: Mapping[ComputeFormat, Sequence[float]], usual: ComputeFormat) -> ComputeFormat:
    """Return the fastest format, or the usual one if no other is clearly faster or there are too few rounds.

    Args:
        times: seconds of each format, round by round.
        usual: the usual format, one of them.
    """
    found, share = usual, MARGIN
    for form, taken in times.items():
        ratios = [mine / its for mine, its in zip(taken, times[usual], strict=False)]
        if form == usual or len(ratios) < LEAST_ROUNDS:
            continue
        # Faster both in its best round and in most rounds, whatever the other load.
        if max(median(ratios), min(taken) / min(times[usual])) <= share:
            found, share = form, max(median(ratios), min(taken) / min(times[usual]))
    return found


class FormatCache:
    """The measured formats of this machine, by ``format_key``."""

    def __init__(self, file: Path | None = None) -> None:
        """Use a file; None for the one in the user's cache folder."""
        self._file = CacheFile("forms.json", file)

    def get(self, key: str) -> ComputeFormat | None:
        """Return the format for a key; None if there is none, or the file cannot be read."""
        return ComputeFormat.of(self._file.read().get(key))

    def put(self, key: str, form: ComputeFormat) -> None:
        """Save a format; if the file cannot be written, a later start measures again."""
        try:
            self._file.write(self._file.read() | {key: str(form)})
        except OSError as error:
            log.info("the measured compute format cannot be kept in '%s': %s", self._file.path, error.strerror)


def format_key(config: Config, threads: int, file: str = "/proc/cpuinfo") -> str:
    """Return a text of everything that the fastest format depends on: the CPU, torch, the threads and the networks.

    Args:
        config: uses ``network.names``.
        threads: number of threads that compute.
        file: the file in which Linux describes the CPU.
    """
    try:
        lines = Path(file).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    try:
        torch = version("torch")
    except PackageNotFoundError:
        torch = "?"
    names = " + ".join(config.network.names) or "auto"
    return f"{models[0] if models else platform.processor() or platform.machine()} | torch {torch} | {threads} | {names}"


def with_measured_format(config: Config, threads: int, cache: FormatCache | None = None) -> Config:
    """Return the settings with the measured format, if they leave precision or layout open."""
    if config.device == "cuda" or "auto" not in (config.network.precision, config.network.layout):
        return config
    form = (cache or FormatCache()).get(format_key(config, threads))
    if form is None:
        return config
    changes: dict[str, object] = {}
    # A layout was measured in one precision; for others it is unknown.
    if config.network.precision in ("auto", form.precision):
        changes["precision"] = form.precision
        changes["layout"] = form.layout if config.network.layout == "auto" else config.network.layout
    return config.model_copy(update={"network": config.network.model_copy(update=changes)})
