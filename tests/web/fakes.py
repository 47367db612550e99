"""Fakes of the objects that the web server gets from other packages: they record calls and refuse on command."""

from __future__ import annotations

import http.client
import json
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from shared.role import Role
from streamer.messages.chat_status import ChatReport
from streamer.messages.motion import Motion
from streamer.messages.network_contents import ClassEntry, ClassKind, Knowledge
from streamer.messages.programme import Programme
from streamer.messages.queue_rules import Blocked, BlockKind, Rules, Setting
from streamer.messages.refused import Reason, Refused, Unlearnt
from streamer.messages.renderer_status import RendererStatus
from streamer.messages.requests import Match, Priority, Receipt, Request, Standing, Substitution, Waiting
from streamer.messages.scenes import Scene, Target, arrange
from streamer.messages.status import FrameCounters, OutputStatus, Reloaded, SettingsStatus, StatusSnapshot
from streamer.messages.step_view import Inspection
from streamer.messages.viewer_polls import SkipVote
from streamer.settings_file import ConfigError
from tests.patience import PATIENCE_S
from tests.web import documented

WORDS = {
    "n09472597": ("volcano",),
    "n09229709": ("bubble",),
    "n07873807": ("pizza", "pizza pie"),
    "n02123045": ("tabby cat", "tabby"),
    "n02120079": ("Arctic fox", "white fox"),
    "n01910747": ("jellyfish",),
    "n02951358": ("canoe",),
}
KINDS = (ClassKind("animals", "Animals"), ClassKind("food", "Food and drink"), ClassKind("places", "Landscapes"))
KIND_OF = {"n07873807": "food", "n09472597": "places", "n09229709": "places", "n02951358": "places"}
"""All other classes are animals."""
NEAREST = {"n02123045": ("n02120079", "n01910747")}
LACKING = "n02951358"
"""The class that the fake network does not know."""
REMEDY = "take a larger one"
KNOWLEDGE = Knowledge(6, 7, ("volcano", "bubble", "pizza", "jellyfish"), REMEDY, ("canoe",))


def target(label: str) -> Target:
    wnid = next(wnid for wnid, names in WORDS.items() if names[0] == label)
    return Target(wnid, label)


def entry(wnid: str) -> ClassEntry:
    names = WORDS[wnid]
    link, known = f"https://en.wikipedia.org/wiki/{names[0].replace(' ', '_')}", wnid != LACKING
    return ClassEntry(wnid, names[0], names, link, known, not known, KIND_OF.get(wnid, "animals"))


@dataclass(frozen=True)
class FakePicture:
    file: Path
    version: int


class FakeClasses:
    """The fake classes, with the pictures that the test adds."""

    def __init__(self) -> None:
        self.kinds = KINDS
        self.pictures: dict[str, FakePicture] = {}

    def like(self, wnid: str, limit: int = 20) -> tuple[ClassEntry, ...]:
        if wnid not in WORDS:
            raise Refused(Reason.NOT_FOUND, f"there is no class '{wnid}'")
        return tuple(entry(other) for other in NEAREST.get(wnid, ()))[:limit]

    def thumbnails(self) -> dict[str, FakePicture]:
        return self.pictures

    def thumbnail(self, wnid: str) -> FakePicture | None:
        return self.pictures.get(wnid)

    def search(self, query: str, limit: int = 20) -> tuple[ClassEntry, ...]:
        found = [entry(wnid) for wnid, names in WORDS.items() if any(query.lower() in name.lower() for name in names)]
        return tuple(sorted(found, key=lambda item: (not item.available, item.label.lower())))[:limit]


class FakeRequestService:
    """Understands the fake classes and keeps a list of requests."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.refusal: Refused | Exception | None = None
        self.release = threading.Event()
        """Clear it to make calls hang."""
        self.release.set()
        self.lock = threading.Lock()
        self.requests: list[Request] = []
        self.scene: Scene | None = None
        self.since_s = 12.0
        self.left_s: float | None = 18.0
        self.paused = False
        self.settings: dict[str, Setting] = {"open": True, "hold_s": 30.0}
        self.blocked = Blocked()
        self.motion = Motion()
        self.chat: ChatReport | None = None
        self.changed: tuple[Substitution, ...] = ()
        self.inspection: Inspection | None = None
        self.looks = 0
        self._next = 1

    def submit(
        self,
        user: str,
        text: str = "",
        *,
        message_id: str | None = None,
        role: Role = Role.EVERYONE,
        source: str = "web",
        priority: Priority = Priority.NONE,
        amount: int = 0,
        anything: bool = False,
    ) -> Receipt:
        paid = (priority, amount) if priority is not Priority.NONE else ()
        self._note("submit", user, text, message_id, role, source, *paid, *(["anything"] if anything else []))
        if anything:
            return self.add(user, "jellyfish", source=source)
        match = self.understand(text)
        return self.add(user, *(target.label for target in match.targets), source=source)

    def match(self, text: str, role: Role = Role.EVERYONE) -> Match:
        self._note("match", text, role)
        return self.understand(text)

    def understand(self, text: str) -> Match:
        labels = {names[0].lower(): wnid for wnid, names in WORDS.items()}
        words = [word.strip().lower() for word in text.split("+")]
        if not text.strip():
            raise Refused(Reason.BAD_INPUT, "say what to dream")
        for word in words:
            if labels.get(word) == LACKING:
                unlearnt = Unlearnt(word, WORDS[LACKING][0], 6, REMEDY)
                raise Refused(
                    Reason.UNLEARNT, f"'{word}' is not known here; try bubble", suggestions=("bubble",), unlearnt=unlearnt
                )
            if word not in labels:
                near = ("volcano", "canoe") if word.startswith("vol") else ()
                raise Refused(Reason.UNKNOWN_WORD, f"I don't know '{word}'", suggestions=near)
        return Match(tuple(target(WORDS[labels[word]][0]) for word in words))

    def add(self, user: str, *labels: str, source: str = "web") -> Receipt:
        """Add a waiting request."""
        targets = tuple(target(label) for label in labels)
        with self.lock:
            request = Request(self._next, user, " + ".join(labels), targets, Role.EVERYONE, source, 0.0)
            self._next += 1
            self.requests.append(request)
            position = len(self.requests)
        return Receipt(request.id, position, 30.0 * position - 12, targets)

    def standing(self, request_id: int) -> Standing:
        self._note("standing", request_id)
        for place, request in enumerate(self.requests, 1):
            if request.id == request_id:
                return Standing(request, place, 30.0 * place - 12)
        raise Refused(Reason.NOT_FOUND, f"there is no request {request_id}")

    def oops(self, user: str, source: str | None = None) -> Request:
        self._note("oops", user, source)
        with self.lock:
            for request in reversed(self.requests):
                if request.user == user:
                    self.requests.remove(request)
                    return request
        raise Refused(Reason.NOT_FOUND, "you have no request waiting")

    def changes(self, since: int, source: str) -> tuple[Substitution, ...]:
        return tuple(change for change in self.changed if change.number > since and change.source == source)

    def voteskip(self, user: str, source: str = "web") -> SkipVote:
        self._note("voteskip", user, source)
        return SkipVote(1, 3, False)

    def remove(self, request_id: int) -> None:
        self._note("remove", request_id)
        with self.lock:
            kept = [request for request in self.requests if request.id != request_id]
            if len(kept) == len(self.requests):
                raise Refused(Reason.NOT_FOUND, f"no request {request_id} is waiting")
            self.requests = kept

    def remove_user(self, user: str) -> int:
        self._note("remove_user", user)
        with self.lock:
            before = len(self.requests)
            self.requests = [request for request in self.requests if request.user != user]
            return before - len(self.requests)

    def move(self, request_id: int, position: int) -> int:
        self._note("move", request_id, position)
        with self.lock:
            for request in self.requests:
                if request.id == request_id:
                    self.requests.remove(request)
                    self.requests.insert(position - 1, request)
                    return self.requests.index(request) + 1
        raise Refused(Reason.NOT_FOUND, f"no request {request_id} is waiting")

    def rules(self) -> Rules:
        return Rules(dict(self.settings), (), self.blocked)

    def change_rules(self, settings: Mapping[str, Setting]) -> Rules:
        self._note("change_rules", dict(settings))
        self.settings |= settings
        return Rules(dict(self.settings), tuple(settings), self.blocked)

    def reset_rules(self, *, blocks: bool = False) -> Rules:
        self._note("reset_rules", blocks)
        return self.rules()

    def block(self, kind: BlockKind, value: str) -> int:
        self._note("block", kind, value)
        self.blocked = Blocked(words=(value,))
        return 2

    def unblock(self, kind: BlockKind, value: str) -> None:
        self._note("unblock", kind, value)
        self.blocked = Blocked()

    def skip(self) -> None:
        self._note("skip")
        with self.lock:
            self.show(self.requests.pop(0) if self.requests else None)

    def show(self, request: Request | None, *labels: str) -> None:
        """Put something on air."""
        number = self.scene.id + 1 if self.scene else 1
        targets = request.targets if request else tuple(target(label) for label in labels or ("jellyfish",))
        self.scene = Scene(number, arrange(targets), request.user if request else "", request.id if request else None)

    def clear(self) -> int:
        self._note("clear")
        with self.lock:
            count, self.requests = len(self.requests), []
        return count

    def pause(self, paused: bool) -> None:
        self._note("pause", paused)
        self.paused = paused

    def programme(self) -> Programme:
        with self.lock:
            waiting = tuple(Waiting(item, place, 30.0 * place - 12) for place, item in enumerate(self.requests, 1))
            left_s = None if self.paused else self.left_s
            return Programme(self.scene, self.since_s, left_s, waiting, self.paused, bool(self.settings["open"]))

    def bump(self) -> None:
        self._note("bump")

    def twist(self) -> None:
        self._note("twist")

    def inspect(self) -> Inspection | None:
        self.looks += 1
        return self.inspection

    def move_camera(self, speed: float | None, rotation: float | None) -> Motion:
        self._note("move_camera", speed, rotation)
        before = self.motion
        self.motion = Motion(before.speed if speed is None else speed, before.rotation if rotation is None else rotation)
        return self.motion

    def hear_chat(self, report: ChatReport) -> None:
        self._note("hear_chat", report)
        self.chat = report

    def _note(self, *call: Any) -> None:
        self.calls.append(call)
        self.release.wait(PATIENCE_S)
        if self.refusal is not None:
            raise self.refusal


class FakeSettings:
    """A config file that the test changes."""

    def __init__(self) -> None:
        self.status = SettingsStatus("live.yaml")
        self.outcome: Reloaded | ConfigError = Reloaded()
        self.reads = 0

    def reload(self) -> Reloaded:
        self.reads += 1
        if isinstance(self.outcome, ConfigError):
            self.stand(mistakes=self.outcome.problems)
            raise self.outcome
        self.stand(
            mistakes=(), at_next_start=self.outcome.at_next_start, reloads=self.status.reloads + bool(self.outcome.changed)
        )
        return self.outcome

    def stand(self, **status: Any) -> None:
        """Change how the file compares with the settings in use."""
        self.status = replace(self.status, revision=self.status.revision + 1, **status)


class FakeSubscription:
    """Returns the pieces that the test puts in; keeps the newest eight."""

    def __init__(self, video: FakeVideo, on_ready: Callable[[], None]) -> None:
        self._video = video
        self._on_ready = on_ready
        self._pieces: deque[bytes] = deque(maxlen=8)
        self._lock = threading.Lock()
        self.closed = False

    def put(self, piece: bytes) -> None:
        with self._lock:
            self._pieces.append(piece)
        self._on_ready()

    def read(self, timeout: float) -> bytes | None:
        assert timeout == 0, "the loop must not wait"
        with self._lock:
            return self._pieces.popleft() if self._pieces else None

    def close(self) -> None:
        self.closed = True
        self._video.dropped.set()


class FakeVideo:
    mime = 'video/mp4; codecs="avc1.4d401f"'

    def __init__(self) -> None:
        self.silent = False
        """Whether new subscriptions start empty, as before the first picture."""
        self.jpeg: bytes | None = b"\xff\xd8picture\xff\xd9"
        self.feeds: list[tuple[str, FakeSubscription]] = []
        self.opened = threading.Event()
        self.dropped = threading.Event()

    def subscribe(self, kind: str, *, on_ready: Callable[[], None]) -> FakeSubscription:
        feed = FakeSubscription(self, on_ready)
        if not self.silent:
            feed.put(f"first of {kind}".encode())
        self.feeds.append((kind, feed))
        self.opened.set()
        return feed

    def latest_jpeg(self) -> bytes | None:
        return self.jpeg


class FakeOutputs:
    """Two outputs, with a record of the calls."""

    def __init__(self) -> None:
        self.items = {
            "twitch": OutputStatus("twitch", "twitch_ingest", "live", "", 5_000_000, 2, 1, 95.04, None, "Twitch", public=True),
            "relay": OutputStatus("relay", "rtmp", "retrying", "connection refused", 0, 0, 3, 1.5, 2.25, "rtmp://relay"),
        }
        self.blocks: list[Mapping[str, Any]] = []
        self.refusal: Refused | None = None
        self.channels: dict[str, FakeChannel] = {}

    def status(self) -> tuple[OutputStatus, ...]:
        return tuple(self.items.values())

    def add_block(self, block: Mapping[str, Any]) -> str:
        if self.refusal is not None:
            raise self.refusal
        self.blocks.append(block)
        name = str(block.get("name", block["kind"]))
        self.items[name] = OutputStatus(name, block["kind"], "connecting", "", 0, 0, 0, 0.0, None, "somewhere")
        return name

    def remove(self, name: str) -> None:
        if self.items.pop(name, None) is None:
            raise Refused(Reason.NOT_FOUND, f"there is no output {name}")

    def enable(self, name: str, enabled: bool) -> None:
        if name not in self.items:
            raise Refused(Reason.NOT_FOUND, f"there is no output {name}")
        state = "connecting" if enabled else "disabled"
        self.items[name] = replace(self.items[name], state=state, reason="", enabled=enabled, retry_in_s=None)

    def http_output(self, path: str) -> FakeChannel | None:
        return self.channels.get(path)


class FakeChannel:
    def __init__(self, kind: Literal["ts", "jpeg"], video: FakeVideo) -> None:
        self.kind = kind
        self._video = video

    def subscribe(self, on_ready: Callable[[], None]) -> FakeSubscription:
        return self._video.subscribe(f"own {self.kind}", on_ready=on_ready)


class FakeStatus:
    def __init__(
        self, request_service: FakeRequestService, outputs: FakeOutputs | None = None, settings: FakeSettings | None = None
    ) -> None:
        self.request_service, self.settings = request_service, settings or FakeSettings()
        self.outputs = outputs
        self.failure: Exception | None = None
        renderer = RendererStatus("squeezenet1_1", "cpu", (270, 480), 7.9, 0.51, 1, "the worker was killed", ("n09472597",))
        frames = FrameCounters(2500, 3, 2, 1, unencoded=4)
        self.snapshot = StatusSnapshot(
            request_service.programme(),
            frames,
            25.0,
            24.99,
            renderer,
            2,
            100.0,
            "0.1.0",
            frame_number=2499,
            knowledge=KNOWLEDGE,
        )

    def __call__(self) -> StatusSnapshot:
        if self.failure is not None:
            raise self.failure
        outputs = self.outputs.status() if self.outputs is not None else ()
        return replace(
            self.snapshot,
            programme=self.request_service.programme(),
            motion=self.request_service.motion,
            chat=self.request_service.chat,
            outputs=outputs,
            settings=self.settings.status,
        )


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> Any:
        assert list(self.json) == ["error"]
        return self.json["error"]


class Client:
    """Calls the server like a program, not like a browser. Compares complete responses with the table of routes."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self.host, self.port = host, port

    def open(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=PATIENCE_S)
        sent = dict(headers or {})
        data = body
        if body is not None and not isinstance(body, bytes):
            data = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        connection.request(method, path, data, sent)  # type: ignore[arg-type]
        return connection, connection.getresponse()

    def __call__(self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None) -> Answer:
        connection, response = self.open(method, path, body, headers)
        try:
            answer = Answer(response.status, response.headers, response.read())
        finally:
            connection.close()
        documented.check(method, path, answer.status, response.headers.get_content_type(), answer.body)
        return answer
