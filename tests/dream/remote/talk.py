"""Talks to a worker as the renderer does, in any process or on any machine."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import wait
from pathlib import Path

from streamer.config import CanvasConfig, Config, DreamConfig, NetworkConfig, RendererConfig, ZoomConfig
from streamer.dream.worker.desired_state import DesiredState
from streamer.dream.worker.process import WorkerProcess
from streamer.dream.worker.protocol import ClusterPlacement, Failed, KeyframeReady, LinkReport, PrepareMode, Resume
from streamer.messages.motion import Motion
from streamer.messages.scenes import Scene, Target, arrange
from tests.dream import fake_dream
from tests.dream.fake_dream import WNIDS

DEADLINE_S = 90.0
"""Far longer than any test waits."""
CONFIG = Config(
    canvas=CanvasConfig(width=64, height=36), dream=DreamConfig(keyframe_s=0.05), zoom=ZoomConfig(speed=2.0, rotation=0.0)
)
MOTION = Motion(2.0, 0.0)


def scene(number: int = 1, wnid: str = WNIDS[0]) -> Scene:
    return Scene(number, arrange([Target(wnid, "thing")]))


def ray(address: str, **changes: object) -> RendererConfig:
    """Return settings for a cluster whose nodes have no GPU."""
    return RendererConfig(where="ray", address=address, gpus=0.0, **{"compress": "none", **changes})  # type: ignore[arg-type]


def make_known(config, seed, tell):
    """Write the PID to the file that the settings name as weights, then make a dream."""
    config.network.weights.write_text(str(os.getpid()))
    return fake_dream.make_inspectable(config, seed, tell)


def make_known_and_deaf(config, seed, tell):
    """Write the PID, then make a dream that hangs and ignores SIGTERM."""
    make_known(config, seed, tell)
    return fake_dream.make_deaf(config, seed, tell)


def known_at(file: Path) -> Config:
    return CONFIG.model_copy(update={"network": NetworkConfig(weights=file)})


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


class Talk:
    """Sends a worker the desired state and keeps its reports."""

    def __init__(self, worker: WorkerProcess) -> None:
        self.worker = worker
        self.desired = DesiredState(MOTION, scene())
        self.reports, self.shots, self.lags = [], [], []
        self.ended: Failed | None = None
        self._begun = False

    def begin(self, resume: Resume | None = None, level: int = 0) -> None:
        self.worker.begin(self.desired, resume, level)
        self._begun = True

    def wish(self, **changes: object) -> None:
        self.desired = replace(self.desired, **changes)  # type: ignore[arg-type]

    def of(self, kind: type) -> list:
        return [report for report in self.reports if isinstance(report, kind)]

    @property
    def events(self) -> list:
        return [event for keyframe_ready, *_ in self.shots for event in keyframe_ready.events]

    def until(self, condition: Callable[[], object]) -> None:
        """Receive reports until the condition is true or the worker ends."""
        deadline_s = time.monotonic() + DEADLINE_S
        while not condition() and self.ended is None:
            assert time.monotonic() < deadline_s, f"it did not happen; there were {self.reports[-5:]}"
            if self._begun:
                self.worker.tell(self.desired)
            if wait([self.worker.connection, self.worker.sentinel], 0.05):
                self._hear()

    def _hear(self) -> None:
        try:
            report, picture = self.worker.receive()
        except (EOFError, OSError):
            self.ended = self.worker.exit_reason()
            return
        if isinstance(report, Failed):
            self.ended = report
        elif isinstance(report, KeyframeReady):
            self.lags.append(time.monotonic() - self.worker.time_s(report))
            self.shots.append((report, picture, self.worker.kept(report)))
        elif isinstance(report, logging.LogRecord):
            logging.getLogger(report.name).handle(report)
        elif not isinstance(report, LinkReport) or not self.of(LinkReport):
            self.reports.append(report)


def worker_spec(where: RendererConfig | None, factory, prepare_mode=PrepareMode.NOW, feed=None, config=CONFIG) -> Talk:
    cluster_placement = None if where is None else ClusterPlacement(where)
    if where is not None:
        config = config.model_copy(update={"renderer": where})
    return Talk(WorkerProcess(config, 1, factory, feed, prepare_mode, cluster_placement))
