"""Decides where the next worker runs: on this machine or on a cluster. Pure: it learns how the workers do, and starts none.

While no worker runs on the cluster, this machine renders if the settings allow it. A spare worker tries the cluster again after
increasing pauses, and takes over once it is prepared.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from streamer.config import Config, RendererConfig
from streamer.dream.compute_formats import with_measured_format
from streamer.dream.device import dreaming_threads
from streamer.dream.worker.protocol import ClusterPlacement, LinkReport, PrepareMode
from streamer.dream.worker.spare_worker import doubled_pause_s
from streamer.messages.renderer_status import LinkStatus


@dataclass(frozen=True, slots=True)
class PlacementLimits:
    """How often the cluster is tried."""

    pause_s: float = 3.0
    """Seconds before the next try after a failure; doubles with each failure until a worker renders there."""
    pause_most_s: float = 60.0
    """Longest pause."""


class Placement:
    """Where the current and the next workers run. Not thread-safe, except for reading ``link_status``.

    Args:
        settings: Where workers should run.
        clock: Monotonic seconds.
    """

    def __init__(self, settings: RendererConfig, limits: PlacementLimits, clock: Callable[[], float]) -> None:
        self._settings, self._limits, self._clock = settings, limits, clock
        self._failures = 0
        self._due_s = 0.0  # from when on the cluster may be tried
        self._link_report: LinkReport | None = None  # of the worker at work
        self._at_work: ClusterPlacement | None = None
        self.link_status: LinkStatus | None = LinkStatus("", "no worker has started there yet") if self._remote else None
        """Status of the link; None if the settings ask for no cluster."""

    @property
    def _remote(self) -> bool:
        return self._settings.where == "ray"

    @property
    def _stays(self) -> bool:
        """Whether this machine must not render."""
        return self._settings.fallback == "none"

    @property
    def is_fallback(self) -> bool:
        """Whether this machine renders only until the cluster has room."""
        return self._remote and self._at_work is None

    def next(self) -> ClusterPlacement | None:
        """Return the place of a worker that is needed now; None for this machine."""
        if not self._remote or not (self._stays or self._clock() >= self._due_s):
            return None
        return ClusterPlacement(self._settings)

    def spare(self, device: str) -> tuple[ClusterPlacement | None, PrepareMode]:
        """Return the place of the spare, None for this machine, and how far it prepares.

        Args:
            device: the active worker's device. RAM has room for a second network, a GPU's memory may not.
        """
        usual = PrepareMode.SPARE if device == "cpu" else PrepareMode.SPARE_LIGHT
        if not self._remote:
            return None, usual
        if self.is_fallback:
            return (ClusterPlacement(self._settings), PrepareMode.SPARE) if self._clock() >= self._due_s else (None, usual)
        if self._link_report is not None and self._link_report.free_nodes and self._clock() >= self._due_s:
            return ClusterPlacement(self._settings, (self._link_report.node,)), PrepareMode.SPARE
        return (ClusterPlacement(self._settings) if self._stays else None), PrepareMode.SPARE_LIGHT

    def is_better(self, spare: ClusterPlacement | None) -> bool:
        """Return whether a better spare than the given one is possible now: on the cluster, or on another node."""
        if not self._remote or self._clock() < self._due_s:
            return False
        if self._at_work is None:
            return spare is None
        return bool(self._link_report is not None and self._link_report.free_nodes and (spare is None or not spare.avoid))

    def relieves(self, spare: ClusterPlacement | None) -> bool:
        """Return whether a prepared spare should replace a healthy worker: it is on the cluster, the worker is not."""
        return self.is_fallback and spare is not None

    def here(self, config: Config) -> Config:
        """Return the settings for a worker on this machine, adapted to its hardware."""
        if not self._remote:
            return config
        device = "auto" if config.device == "cuda" else config.device
        return with_measured_format(config.model_copy(update={"device": device}), dreaming_threads())

    def begin(self, cluster_placement: ClusterPlacement | None) -> None:
        """Note where the worker that starts now runs."""
        self._at_work, self._link_report = cluster_placement, None

    def note_link(self, link_report: LinkReport) -> None:
        """Note the latest link report of the active worker."""
        self._link_report, self.link_status = link_report, link_report.status

    def dreams(self) -> None:
        """Note that the active worker renders."""
        if self._at_work is not None:
            self._failures = 0

    def lost(self, cluster_placement: ClusterPlacement | None, why: str) -> bool:
        """Note that the active worker or the spare has failed; return whether it was on the cluster."""
        if cluster_placement is None:
            return False
        self._failures += 1
        self._due_s = self._clock() + doubled_pause_s(self._limits.pause_s, self._failures - 1, self._limits.pause_most_s)
        if self._at_work is None or cluster_placement is self._at_work:
            self.link_status = LinkStatus("", why)
        if cluster_placement is self._at_work:
            self._at_work = self._link_report = None
        return True
