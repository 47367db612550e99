"""The scene on air: for how long, what comes after it, and what to dream when nobody asks."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from random import Random

from streamer.messages import Layout, Programme, Request, Scene, Target, Waiting, arrange
from streamer.requests import order, policy
from streamer.requests.queue import RequestQueue
from streamer.requests.rules import InForce, Rulebook
from streamer.requests.subjects import Subjects
from streamer.requests.vocabulary import Vocabulary
from streamer.requests.wandering import Wandering

logger = logging.getLogger(__name__)


class Stage:
    """Keeps a scene on air and calls up the next. Not thread-safe: the director holds a lock."""

    def __init__(
        self,
        queue: RequestQueue,
        rulebook: Rulebook,
        subjects: Subjects,
        layout: Layout,
        random: Random,
        clock: Callable[[], float],
    ) -> None:
        """Set up; nothing is on air yet.

        Raises:
            QueueError: ``queue.wander_among`` holds something that means nothing.
        """
        self._queue, self._rulebook, self._layout, self._clock = queue, rulebook, layout, clock
        anything = Subjects(subjects.vocabulary.narrowed(None), None)
        self._wandering = Wandering(rulebook.now.config.wander_among, anything, random)
        self.subjects = subjects
        """What can be dreamt; ``learn`` changes it."""
        self.scene: Scene | None = None
        """What is on air; None before the first tick."""
        self.request: Request | None = None
        """The request that the scene fulfils."""
        self._last: str | None = None
        """The viewer who had the latest turn."""
        self._since_s = 0.0
        """When the scene came on air, moved on by as long as it was paused."""
        self._paused_s: float | None = None
        """Since when; None while it runs."""
        self._lined_up: tuple[tuple[Request, ...], InForce, str | None, tuple[Request, ...]] | None = None
        """The line as it was last ordered, after what it was ordered by."""

    @property
    def vocabulary(self) -> Vocabulary:
        """The classes that can be dreamt."""
        return self.subjects.vocabulary

    @property
    def paused(self) -> bool:
        """Whether the scene is held."""
        return self._paused_s is not None

    def tick(self) -> Scene:
        """The scene on air now; changes it when its time is over."""
        if self.scene is None or (not self.paused and self._left_s() <= 0):
            return self.advance()
        return self.scene

    def pause(self, paused: bool) -> None:
        """Hold the scene on air for as long as it takes, or let the programme go on where it stood."""
        now_s = self._clock()
        if paused and self._paused_s is None:
            self._paused_s = now_s
        elif not paused and self._paused_s is not None:
            self._since_s += now_s - max(self._paused_s, self._since_s)
            self._paused_s = None

    def learn(self, subjects: Subjects) -> None:
        """Go on with another network's subjects; a scene with some that it has not learnt is replaced at once."""
        self.subjects = subjects
        if self.scene is None or all(subjects.stand_in(r.target) == r.target for r in self.scene.regions):
            return
        targets = self._able(self.request) if self.request else ()
        if self.request and targets:
            self.scene = self._make(targets, self.request)
        else:
            self.advance()

    def advance(self) -> Scene:
        """End the scene on air and put on the next."""
        if self.request:
            self._queue.finish(self.request.id)
            self.request = None
        self._since_s = self._clock()
        while line := self.line():
            request = line[0]
            if targets := self._able(request):
                self.request = self._queue.take(request.id)
                self._last = order.viewer_of(request.user, request.source)
                self.scene = self._make(targets, request)
                logger.info("on air: %s for %s", self.scene.title, request.user)
                return self.scene
            logger.warning("left out request %d: this network can dream nothing like %s", request.id, request.title)
            self._queue.remove(request.id)
        shown = tuple(dict.fromkeys(region.target for region in self.scene.regions)) if self.scene else ()
        targets = self._wandering.choose(self.subjects, shown)
        if self.scene is not None and self.scene.request_id is None and targets == shown:
            return self.scene  # there is nothing else to wander to: a change to the same would be seen
        self.scene = self._make(targets)
        logger.info("wandering: %s", self.scene.title)
        return self.scene

    def line(self) -> tuple[Request, ...]:
        """What waits, next one first, as the rules order it."""
        waiting, rules, last = self._queue.waiting(), self._rules, self._last
        known = self._lined_up
        if known is None or known[0] is not waiting or known[1] is not rules or known[2] != last:
            known = self._lined_up = (waiting, rules, last, order.line_up(waiting, rules.config, last))
        return known[3]

    def waiting(self) -> tuple[Waiting, ...]:
        """What waits, with positions and times."""
        line = self.line()
        free_s = max(self._left_s(), 0.0) if self.scene else 0.0
        times = policy.etas(len(line), free_s, self._rules.config.hold_s)
        return tuple(Waiting(request, place, eta_s) for place, (request, eta_s) in enumerate(zip(line, times, strict=True), 1))

    def programme(self) -> Programme:
        """What is on air and what comes next, now."""
        fleeting = self.request is None and self._rules.config.interrupt_wandering
        return Programme(
            scene=self.scene,
            since_s=self._elapsed_s() if self.scene else 0.0,
            left_s=None if self.scene is None or self.paused or fleeting else max(self._left_s(), 0.0),
            waiting=self.waiting(),
            paused=self.paused,
            open=self._rules.config.open,
        )

    @property
    def _rules(self) -> InForce:
        return self._rulebook.now

    def _elapsed_s(self) -> float:
        now_s = self._clock() if self._paused_s is None else max(self._paused_s, self._since_s)
        return now_s - self._since_s

    def _left_s(self) -> float:
        """Seconds until the scene on air ends."""
        config = self._rules.config
        if self.request:
            return config.hold_s - self._elapsed_s()
        if config.interrupt_wandering and self._queue.waiting():
            return 0.0
        return config.wander_s - self._elapsed_s()

    def _able(self, request: Request) -> tuple[Target, ...]:
        """A request's subjects, nearest relatives for those that the network lacks: it may have changed meanwhile."""
        found = (self.subjects.stand_in(target) for target in request.targets)
        return tuple(dict.fromkeys(target for target in found if target))

    def _make(self, targets: Sequence[Target], request: Request | None = None) -> Scene:
        return Scene(
            id=self.scene.id + 1 if self.scene else 0,
            regions=arrange(targets, self._layout),
            user=request.user if request else "",
            request_id=request.id if request else None,
        )
