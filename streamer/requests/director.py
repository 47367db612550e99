"""What is on air, for how long, and what to dream when nobody asks."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from random import Random

from streamer.config import QueueConfig
from streamer.messages import (
    Layout,
    Programme,
    Reason,
    Receipt,
    Refused,
    Request,
    Role,
    Scene,
    Target,
    Waiting,
    arrange,
)
from streamer.requests import policy
from streamer.requests.clean import clean_name, clean_text
from streamer.requests.queue import MessageKnown, QueueError, RequestQueue
from streamer.requests.vocabulary import Vocabulary

logger = logging.getLogger(__name__)

NAMELESS = "someone"
"""Who asks when nothing readable is left of a name."""
MESSAGE_ID = 200
"""Characters of a message id that are kept; real ones have 36."""
REMEMBERED = 12
"""Subjects of the latest wanderings that are not wandered to again."""


class Director:
    """Decides the scene on air. All calls are thread-safe; the same seed, clock and requests give the same scenes."""

    def __init__(
        self,
        queue: RequestQueue,
        vocabulary: Vocabulary,
        config: QueueConfig,
        layout: Layout = Layout.AUTO,
        seed: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._queue, self._vocabulary, self._config, self._layout, self._clock = queue, vocabulary, config, layout, clock
        self._random = Random(seed)
        self._lock = threading.RLock()
        self._scene: Scene | None = None
        self._request: Request | None = None
        """The request that the scene fulfils."""
        self._since_s = 0.0
        """When the scene came on air, moved on by as long as it was paused."""
        self._paused_s: float | None = None
        """Since when; None while it runs."""
        self._lately: deque[Target] = deque(maxlen=REMEMBERED)

    def tick(self) -> Scene:
        """The scene on air now; changes it when its time is over. To be called about ten times a second."""
        with self._lock:
            if self._scene is None or (self._paused_s is None and self._left_s() <= 0):
                return self._advance()
            return self._scene

    def submit(
        self, user: str, text: str, *, message_id: str | None = None, role: Role = Role.EVERYONE, source: str = "web"
    ) -> Receipt:
        """Take a viewer's wish in; it is on disk when this returns.

        A message that is delivered again while its request waits gets the receipt again.

        Args:
            user: display name, as it came.
            text: what is asked for, without a command word, as it came.
            message_id: the chat message's id, against double delivery.

        Raises:
            Refused: ``BAD_INPUT``, ``UNKNOWN_WORD``, ``DUPLICATE`` or ``LIMIT``; ``CLOSED`` if requests cannot be kept.
        """
        user, text = clean_name(user) or NAMELESS, clean_text(text)
        message_id = clean_text(message_id)[:MESSAGE_ID] if message_id else None
        match = self.vocabulary.match(text)
        with self._lock:
            if message_id and (earlier := next((r for r in self._queue.waiting() if r.message_id == message_id), None)):
                return self._receipt(earlier)
            policy.admit(self._waiting(), user, match.targets, self._config)
            try:
                request = self._queue.add(user, text, match.targets, role=role, source=source, message_id=message_id)
            except MessageKnown:
                raise Refused(Reason.DUPLICATE, "this message was taken already") from None
            except QueueError as error:
                logger.error("%s", error)
                raise Refused(Reason.CLOSED, "requests cannot be kept at the moment; the streamer has been told") from error
            return self._receipt(request, match.note)

    def remove(self, request_id: int) -> None:
        """Take a waiting request out of the line.

        Raises:
            Refused: ``NOT_FOUND``.
        """
        with self._lock:
            if self._request and self._request.id == request_id:
                raise Refused(Reason.NOT_FOUND, f"request {request_id} is on air already; skip it instead")
            self._queue.remove(request_id)

    def skip(self) -> None:
        """End what is on air and go on to the next, also while paused.

        Raises:
            Refused: ``NOT_FOUND``, nothing is on air yet.
        """
        with self._lock:
            if self._scene is None:
                raise Refused(Reason.NOT_FOUND, "nothing is on air yet")
            self._advance()

    def clear(self) -> int:
        """Take all waiting requests out; what is on air stays. Returns how many there were."""
        with self._lock:
            return self._queue.clear()

    def pause(self, paused: bool) -> None:
        """Hold the scene on air for as long as it takes, or let the programme go on where it stood."""
        with self._lock:
            now_s = self._clock()
            if paused and self._paused_s is None:
                self._paused_s = now_s
            elif not paused and self._paused_s is not None:
                self._since_s += now_s - max(self._paused_s, self._since_s)
                self._paused_s = None

    def programme(self) -> Programme:
        """What is on air and what comes next, now."""
        with self._lock:
            paused = self._paused_s is not None
            fleeting = self._request is None and self._config.interrupt_wandering
            return Programme(
                scene=self._scene,
                since_s=self._elapsed_s() if self._scene else 0.0,
                left_s=None if self._scene is None or paused or fleeting else max(self._left_s(), 0.0),
                waiting=self._waiting(),
                paused=paused,
            )

    @property
    def vocabulary(self) -> Vocabulary:
        """What can be asked for now."""
        with self._lock:
            return self._vocabulary

    @vocabulary.setter
    def vocabulary(self, vocabulary: Vocabulary) -> None:
        """Go on with another network's classes; a scene with subjects that it has not learnt is replaced at once."""
        with self._lock:
            self._vocabulary = vocabulary
            if self._scene is None or all(vocabulary.stand_in(r.target) == r.target for r in self._scene.regions):
                return
            targets = self._able(self._request) if self._request else ()
            if self._request and targets:
                self._scene = self._make(targets, self._request)
            else:
                self._advance()

    def _elapsed_s(self) -> float:
        now_s = self._clock() if self._paused_s is None else max(self._paused_s, self._since_s)
        return now_s - self._since_s

    def _left_s(self) -> float:
        """Seconds until the scene on air ends."""
        if self._request:
            return self._config.hold_s - self._elapsed_s()
        if self._config.interrupt_wandering and self._queue.waiting():
            return 0.0
        return self._config.wander_s - self._elapsed_s()

    def _advance(self) -> Scene:
        """End the scene on air and put on the next."""
        if self._request:
            self._queue.finish(self._request.id)
            self._request = None
        self._since_s = self._clock()
        while request := policy.next_up(self._queue.waiting()):
            self._queue.take(request.id)
            if targets := self._able(request):
                self._request = request
                self._scene = self._make(targets, request)
                logger.info("on air: %s for %s", self._scene.title, request.user)
                return self._scene
            logger.warning("left out request %d: this network can dream nothing like %s", request.id, request.title)
            self._queue.finish(request.id)
        # What was just seen is avoided, and the wanderings before it as far as there is anything else.
        last = {region.target for region in self._scene.regions} if self._scene else set()
        targets = self._vocabulary.wander(self._random, {*last, *self._lately})
        if last.issuperset(targets):
            self._lately.clear()
            targets = self._vocabulary.wander(self._random, last)
        self._lately.extend(targets)
        self._scene = self._make(targets)
        logger.info("wandering: %s", self._scene.title)
        return self._scene

    def _able(self, request: Request) -> tuple[Target, ...]:
        """A request's subjects, nearest relatives for those that the network lacks: it may have changed meanwhile."""
        found = (self._vocabulary.stand_in(target) for target in request.targets)
        return tuple(dict.fromkeys(target for target in found if target))

    def _make(self, targets: Sequence[Target], request: Request | None = None) -> Scene:
        return Scene(
            id=self._scene.id + 1 if self._scene else 0,
            regions=arrange(targets, self._layout),
            user=request.user if request else "",
            request_id=request.id if request else None,
        )

    def _waiting(self) -> tuple[Waiting, ...]:
        waiting = self._queue.waiting()
        free_s = max(self._left_s(), 0.0) if self._scene else 0.0
        times = policy.etas(len(waiting), free_s, self._config.hold_s)
        return tuple(
            Waiting(request, place, eta_s) for place, (request, eta_s) in enumerate(zip(waiting, times, strict=True), 1)
        )

    def _receipt(self, request: Request, note: str = "") -> Receipt:
        entry = next(entry for entry in self._waiting() if entry.request.id == request.id)
        return Receipt(request.id, entry.position, entry.eta_s, request.targets, note)
