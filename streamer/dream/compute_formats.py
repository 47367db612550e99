"""In which form a network computes on a CPU: its precision, and how its pictures lie in memory.

What is fastest differs from CPU to CPU and from network to network, and nobody can tell beforehand. So a worker that waits
measures it once, in ``networks.format_benchmark``; what it found lies in the cache folder and counts from the next start on.

No torch: the renderer's own process reads this.
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
"""A form is taken in place of the usual one if it takes no more than this share of its time. Other programs that run meanwhile
make less of a difference between medians of rounds that take turns."""
LEAST_ROUNDS = 3
"""Rounds without which nothing is said."""


@dataclass(frozen=True, slots=True)
class ComputeFormat:
    """How a network computes."""

    precision: Precision
    layout: Layout

    def __str__(self) -> str:
        return f"{self.precision}, {self.layout}"

    @classmethod
    def of(cls, told: object) -> ComputeFormat | None:
        """A form from its text; None if it is none."""
        precision, _, layout = str(told).partition(", ")
        known = precision in get_args(Precision) and layout in get_args(Layout)
        return cls(precision, layout) if known else None  # type: ignore[arg-type]


COMPUTE_FORMATS = tuple(ComputeFormat(precision, layout) for precision in get_args(Precision) for layout in get_args(Layout))


def fastest_format(times: Mapping[ComputeFormat, Sequence[float]], usual: ComputeFormat) -> ComputeFormat:
    """The form that is faster than the usual one by a clear margin; the usual one where none is, or too little is known.

    Args:
        times: seconds of each form, round by round: those of one place were taken one after the other.
        usual: one of them.
    """
    found, share = usual, MARGIN
    for form, taken in times.items():
        ratios = [mine / its for mine, its in zip(taken, times[usual], strict=False)]
        if form == usual or len(ratios) < LEAST_ROUNDS:
            continue
        # Whatever else ran, it was faster at its best, and in most rounds.
        if max(median(ratios), min(taken) / min(times[usual])) <= share:
            found, share = form, max(median(ratios), min(taken) / min(times[usual]))
    return found


class FormatCache:
    """What was measured on this machine, by what it depends on."""

    def __init__(self, file: Path | None = None) -> None:
        """Look into a file; None is the one in the user's cache folder."""
        self._file = CacheFile("forms.json", file)

    def get(self, key: str) -> ComputeFormat | None:
        """The form for a key; None where nothing is known. A file that cannot be read counts for none."""
        return ComputeFormat.of(self._file.read().get(key))

    def put(self, key: str, form: ComputeFormat) -> None:
        """Keep a form; where nothing can be written it is measured again another time."""
        try:
            self._file.write(self._file.read() | {key: str(form)})
        except OSError as error:
            log.info("what was measured of the network cannot be kept in '%s': %s", self._file.path, error.strerror)


def format_key(config: Config, threads: int, file: str = "/proc/cpuinfo") -> str:
    """What a form depends on: the CPU, torch, the threads, and the networks that are asked for.

    Args:
        threads: that compute.
        file: where Linux describes the CPU.
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


def with_measured_format(config: Config, threads: int, found: FormatCache | None = None) -> Config:
    """The settings with the form that was found, where they leave it open."""
    if config.device == "cuda" or "auto" not in (config.network.precision, config.network.layout):
        return config
    form = (found or FormatCache()).get(format_key(config, threads))
    if form is None:
        return config
    changes: dict[str, object] = {}
    # A layout was measured in one precision; in another nothing is known of it.
    if config.network.precision in ("auto", form.precision):
        changes["precision"] = form.precision
        changes["layout"] = form.layout if config.network.layout == "auto" else config.network.layout
    return config.model_copy(update={"network": config.network.model_copy(update=changes)})
