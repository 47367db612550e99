"""Where workers compute: here, or on a cluster. Told how they do, it says where the next one is to be; no processes here.

While the cluster has none, this machine dreams if the settings say so. The cluster is tried again after growing pauses, by a
spare worker, which takes over once it is prepared.
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
    """How often a cluster is tried."""

    pause_s: float = 3.0
    """Before it is tried again where it had no place; doubles with each time until a worker dreamt there."""
    pause_most_s: float = 60.0


class Placement:
    """For one thread at a time, but for ``told``.

    Args:
        settings: Where workers are meant to be.
        clock: Monotonic seconds.
    """

    def __init__(self, settings: RendererConfig, limits: PlacementLimits, clock: Callable[[], float]) -> None:
        self._settings, self._limits, self._clock = settings, limits, clock
        self._failures = 0
        self._due_s = 0.0  # from when on the cluster may be tried
        self._linked: LinkReport | None = None  # of the worker at work
        self._at_work: ClusterPlacement | None = None
        self.told: LinkStatus | None = LinkStatus("", "no worker has begun there yet") if self._remote else None
        """How it stands; None where no cluster is asked for."""

    @property
    def _remote(self) -> bool:
        return self._settings.where == "ray"

    @property
    def _stays(self) -> bool:
        """Whether nobody is to dream here."""
        return self._settings.fallback == "none"

    def next(self) -> ClusterPlacement | None:
        """Where a worker that is waited for is to be; None for here."""
        if not self._remote or not (self._stays or self._clock() >= self._due_s):
            return None
        return ClusterPlacement(self._settings)

    def spare(self, device: str) -> tuple[ClusterPlacement | None, PrepareMode]:
        """Where the spare is to be, and how far it prepares.

        Args:
            device: what the worker at work has: a second network is held in a computer's memory, but not in that of a GPU.
        """
        usual = PrepareMode.SPARE if device == "cpu" else PrepareMode.SPARE_LIGHT
        if not self._remote:
            return None, usual
        if self._at_work is None:  # here for want of another place
            return (ClusterPlacement(self._settings), PrepareMode.SPARE) if self._clock() >= self._due_s else (None, usual)
        if self._linked is not None and self._linked.free_nodes and self._clock() >= self._due_s:
            return ClusterPlacement(self._settings, (self._linked.node,)), PrepareMode.SPARE
        return (ClusterPlacement(self._settings) if self._stays else None), PrepareMode.SPARE_LIGHT

    def is_better(self, spare: ClusterPlacement | None) -> bool:
        """Whether another spare than this one, which computes there, could be had now: on the cluster, on another node."""
        if not self._remote or self._clock() < self._due_s:
            return False
        if self._at_work is None:
            return spare is None
        return bool(self._linked is not None and self._linked.free_nodes and (spare is None or not spare.avoid))

    def relieves(self, spare: ClusterPlacement | None) -> bool:
        """Whether a spare that is prepared is to take over from a worker that is well."""
        return self._remote and self._at_work is None and spare is not None

    def here(self, config: Config) -> Config:
        """The settings that a worker here goes by: it makes do with what this machine has."""
        if not self._remote:
            return config
        device = "auto" if config.device == "cuda" else config.device
        return with_measured_format(config.model_copy(update={"device": device}), dreaming_threads())

    def begin(self, cluster_placement: ClusterPlacement | None) -> None:
        """A worker begins there."""
        self._at_work, self._linked = cluster_placement, None

    def heard(self, linked: LinkReport) -> None:
        """How the worker at work is linked."""
        self._linked, self.told = linked, linked.status

    def dreams(self) -> None:
        """The worker at work dreams."""
        if self._at_work is not None:
            self._failures = 0

    def lost(self, cluster_placement: ClusterPlacement | None, why: str) -> bool:
        """A worker ended by itself, at work or as a spare; returns whether it was on the cluster."""
        if cluster_placement is None:
            return False
        self._failures += 1
        self._due_s = self._clock() + doubled_pause_s(self._limits.pause_s, self._failures - 1, self._limits.pause_most_s)
        if self._at_work is None or cluster_placement is self._at_work:
            self.told = LinkStatus("", why)
        if cluster_placement is self._at_work:
            self._at_work = self._linked = None
        return True
