"""A server with the real director, queue, rules and vocabulary, as in the program, but without a renderer."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from streamer.catalogue import Catalogue
from streamer.chat import ChatBoard
from streamer.config import QueueConfig, ThumbnailsConfig, WebConfig
from streamer.messages.chat_status import ChatReport
from streamer.messages.keyframes import Keyframe
from streamer.messages.motion import Motion, Pose
from streamer.messages.network_contents import LayerEntry
from streamer.messages.renderer_status import RendererStatus
from streamer.messages.scenes import Scene
from streamer.messages.status import FrameCounters, StatusSnapshot
from streamer.messages.step_view import Inspection
from streamer.requests.director import Director
from streamer.requests.queue import RequestQueue
from streamer.requests.vocabulary import Vocabulary
from streamer.thumbnails import Thumbnails
from streamer.video.output_request import read_block
from streamer.web.server import Server
from tests.patience import PATIENCE_S
from tests.web.fakes import Client, FakeOutputs, FakeSettings, FakeVideo

NOTHING = np.zeros((2, 3, 3), np.uint8)
"""The image of every keyframe."""


class Dream:
    """Records the web server's actions on the dream, and keeps the chat's reports as the program does."""

    def __init__(self) -> None:
        self.motion = Motion()
        self.bumped = self.twisted = 0
        self.inspection: Inspection | None = None
        self.chat = ChatBoard(time.monotonic)

    def bump(self) -> None:
        self.bumped += 1

    def twist(self) -> None:
        self.twisted += 1

    def inspect(self) -> Inspection | None:
        return self.inspection

    def move_camera(self, speed: float | None, rotation: float | None) -> Motion:
        old = self.motion
        self.motion = Motion(old.speed if speed is None else speed, old.rotation if rotation is None else rotation)
        return self.motion

    def hear_chat(self, report: ChatReport) -> None:
        self.chat.hear(report)


class CheckedOutputs(FakeOutputs):
    """Validates blocks like the program, but writes nothing."""

    def add_block(self, block: Mapping[str, Any]) -> str:
        read_block(block, Path(os.devnull))
        return super().add_block(block)


class RealStage:
    """A running server; a scene stays on air until it is skipped, or ``until_over`` lets its time pass."""

    def __init__(
        self,
        token: str | None = None,
        port: int = 0,
        *,
        known: Collection[str] | None = None,
        web: Mapping[str, Any] | None = None,
        album: Any = None,
        controls: Any = None,
        outputs: FakeOutputs | None = None,
        **queue: Any,
    ) -> None:
        """``known``: the wnids that the network knows; all by default. ``web``: further settings of the web server."""
        self.queue = RequestQueue(None)
        self._words = words = Vocabulary.load()
        everything = {entry.wnid for entry in words.search("", 1000)}
        self.clock_s = 1000.0
        settings = QueueConfig.model_validate({"hold_s": 60.0, "interrupt_wandering": False, **queue})
        self.director = Director(
            self.queue, words.for_network(known or everything), settings, seed=1, clock=lambda: self.clock_s
        )
        self.dream = Dream()
        renderer = RendererStatus("squeezenet1_1", "cpu", (270, 480), 7.9, 0.51)
        self._snapshot = StatusSnapshot(self.director.programme(), FrameCounters(2500), 25.0, 25.0, renderer, 1, 100.0, "0.1.0")
        served = WebConfig.model_validate({"port": port, "token": token, **(web or {})})
        self.outputs, self.settings = outputs or FakeOutputs(), FakeSettings()
        thumbnails = Thumbnails(Path(os.devnull) / "none", ThumbnailsConfig())
        classes = Catalogue(lambda: self.director.vocabulary, lambda: self._snapshot.renderer, thumbnails)
        self.server = Server(
            served,
            self.director,
            FakeVideo(),
            self.status,
            classes,
            self.dream,
            self.outputs,
            self.settings,
            album,
            controls,
        )
        self.director.tick()
        self.server.start()
        self.call = Client(self.server.port)

    def until_over(self) -> Scene:
        """Send a keyframe a second until the scene's time is over; return the next scene."""
        before = self.director.tick()
        for number in range(1000):
            self.director.note_keyframe(Keyframe(NOTHING, Pose(), self.clock_s, before, number, 1))
            self.clock_s += 1.0
            if (scene := self.director.tick()) is not before:
                return scene
        raise AssertionError(f"{before.title} stays on air")

    def tell(self, **changes: Any) -> None:
        """Change the status from now on."""
        self._snapshot = replace(self._snapshot, **changes)

    def status(self) -> StatusSnapshot:
        return replace(
            self._snapshot,
            programme=self.director.programme(),
            motion=self.dream.motion,
            chat=self.dream.chat.read(),
            outputs=self.outputs.status(),
            knowledge=self.director.knowledge(),
            settings=self.settings.status,
        )

    def learn(self, network: str, wnids: Collection[str] | None) -> None:
        """Switch to a network that knows these wnids; None while it loads."""
        self._snapshot = replace(self._snapshot, renderer=replace(self._snapshot.renderer, network=network))
        self.director.learn(self._words.for_network(wnids))

    def load(self) -> None:
        """Report the network as loading and still unknown."""
        self._snapshot = replace(self._snapshot, renderer=replace(self._snapshot.renderer, network=""))
        self.director.learn(self._words.while_loading())

    def learn_layers(self, layers: Sequence[LayerEntry]) -> None:
        """Report the network as loaded, with these layers."""
        self._snapshot = replace(self._snapshot, renderer=replace(self._snapshot.renderer, layers=tuple(layers)))
        self.director.learn(self.director.vocabulary, layers)

    def ask(self, user: str, text: str) -> Any:
        """Send a request as any page does."""
        answer = self.call("POST", "/api/requests", {"user": user, "text": text})
        assert answer.status == 201, answer.json
        return answer.json

    def titles(self) -> list[str]:
        """Return the titles of the waiting requests."""
        return [entry.request.title for entry in self.director.programme().waiting]

    def close(self) -> None:
        assert self.server.stop(PATIENCE_S)
        self.queue.close()


def wnids_of(stage: RealStage) -> set[str]:
    """Return the wnids of all classes that the API lists."""
    return {entry["wnid"] for entry in stage.call("GET", "/api/classes").json["classes"]}
