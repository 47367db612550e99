"""Schedules scenes: how long each is on air, what comes next, and what to show when nobody asks."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random

from streamer.messages.programme import Programme
from streamer.messages.requests import Request, Waiting
from streamer.messages.scenes import Layout, Scene, Target, arrange
from streamer.requests import order, policy
from streamer.requests.airtime import Airtime
from streamer.requests.idle_playlist import IdlePlaylist
from streamer.requests.queue import RequestQueue
from streamer.requests.rules import ActiveRules, Rulebook
from streamer.requests.subjects import Subjects
from streamer.requests.substitutions import Substitutions
from streamer.requests.vocabulary import Vocabulary

logger = logging.getLogger(__name__)

DRAWS = 8
"""Draws per choice of a poll, to find one that is not in it yet."""
KEYFRAMES = 1000
"""Keyframes that wait to be processed; when full, the oldest are dropped."""


class SceneScheduler:
    """Keeps a scene on air and starts the next. Not thread-safe except ``keyframe_shown``: the director holds a lock."""

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
            QueueError: an entry of ``queue.wander_among`` cannot be understood.
        """
        self._queue, self._rulebook, self._clock, self._random = queue, rulebook, clock, random
        self._airtime = Airtime(clock)
        self._keyframes: deque[tuple[float, Scene, bool]] = deque(maxlen=KEYFRAMES)
        """Unprocessed keyframes: time, scene, and whether it is the first of a new worker."""
        self.changes = Substitutions()
        """Requests that show something else than their viewers were told."""
        self._anything = Subjects(subjects.vocabulary.for_network(None), None)
        self._idle_playlist = self.make_idle_playlist(rulebook.now.config.wander_among)
        self.layout = layout
        """How several subjects share the picture, from the next scene on."""
        self.subjects = subjects
        """The subjects of the network in use; ``learn`` replaces them."""
        self.scene: Scene | None = None
        """The scene on air; None before the first tick."""
        self.request: Request | None = None
        """The request that the scene shows."""
        self.poll_decides_next = False
        """Whether a scene that nobody asked for stays until the open poll ends."""
        self._next_id = 0
        """The id of the next scene."""
        self._set_aside: set[int] = set()
        """Requests that made workers die; they wait until something else has been shown."""
        self._set_aside_before: set[int] = set()
        """Requests that were set aside once already."""
        self._last: str | None = None
        """The viewer who had the latest turn."""
        self._ordered: tuple[tuple[Request, ...], ActiveRules, str | None, tuple[Request, ...]] | None = None
        """The sorted queue, after the three values that it was sorted by."""

    def make_idle_playlist(self, among: Sequence[str]) -> IdlePlaylist:
        """Return a playlist of subjects in the form of ``queue.wander_among``.

        Raises:
            QueueError: an entry cannot be understood.
        """
        return IdlePlaylist(among, self._anything, self._random)

    def use_idle_playlist(self, idle_playlist: IdlePlaylist) -> None:
        """Use another playlist from the next scene on."""
        self._idle_playlist = idle_playlist

    @property
    def vocabulary(self) -> Vocabulary:
        """The classes of the network in use."""
        return self.subjects.vocabulary

    @property
    def paused(self) -> bool:
        """Whether the scene is held."""
        return self._airtime.paused

    def keyframe_shown(self, scene: Scene, *, new_worker: bool = False) -> None:
        """Note a keyframe. May be called from any thread; never blocks.

        Args:
            new_worker: whether it is the first of a worker that replaced another.
        """
        self._keyframes.append((self._clock(), scene, new_worker))

    def tick(self) -> Scene:
        """Return the scene on air; starts the next one when its time is over."""
        self._process_keyframes()
        if self.request:
            self._queue.aired(self.request.id, self._airtime.seconds)
        if self.scene is None or (not self.paused and self._is_over()):
            return self.advance()
        return self.scene

    def resume(self, scene: Scene, aired_s: float) -> None:
        """Continue the scene of the last run, before the first tick, if it is still valid.

        A request that was on air is at the front of the queue; if another is, or none, it has ended meanwhile.

        Args:
            aired_s: how long it had been shown.
        """
        assert self.scene is None, "something is on air already"
        self._next_id = scene.id + 1
        queue = self.ordered()
        front = queue[0] if queue else None
        if scene.request_id is None:
            if front is None or not front.aired_s:
                self.scene = scene
                self._airtime.begin(aired_s)
        elif front is not None and front.id == scene.request_id:
            self.request = self._queue.take(front.id)
            self._last = order.viewer_of(front.user, front.source)
            self.scene = scene
            self._airtime.begin(max(aired_s, front.aired_s))
        if self.scene is not None:
            logger.info("still on air: %s%s", scene.title, f" for {scene.user}" if scene.user else "")

    def workers_died(self, count: int) -> None:
        """Note that so many workers died; if the scene seems to be the cause, another one is tried first."""
        self._process_keyframes()
        self._airtime.workers_died(count)
        if self.scene is None or not self._airtime.kills_workers:
            return
        if self.request is None or self.request.id in self._set_aside_before:
            logger.warning("workers keep dying over %s; it is given up", self.scene.title)
        else:
            logger.warning("workers keep dying over %s; something else is tried first", self.scene.title)
            self._set_aside_before.add(self.request.id)
            self._set_aside.add(self.request.id)
            self._queue.put_back(self.request.id)
            self.request = None
        self.advance()

    def pause(self, paused: bool) -> None:
        """Hold the scene on air, or let its time continue."""
        self._process_keyframes()
        self._airtime.pause(paused)

    def learn(self, subjects: Subjects) -> None:
        """Use another network's subjects; a scene with subjects that it has not learnt is replaced immediately."""
        self._process_keyframes()
        self.subjects = subjects
        self.note_substitutions()
        if self.scene is None or all(subjects.nearest_available(r.target) == r.target for r in self.scene.regions):
            return
        targets = self._dreamable_targets(self.request) if self.request else ()
        if self.request and targets:
            self.scene = self._make(targets, self.request)
            self._airtime.change()
        else:
            self.advance()

    def note_substitutions(self) -> None:
        """Note which requests will show something else than their viewers were told."""
        for request in (*([self.request] if self.request else []), *self._queue.waiting()):
            if targets := self._dreamable_targets(request):  # else wait: the network may change again before its turn
                self.changes.note(request, " + ".join(target.label for target in targets))

    def advance(self) -> Scene:
        """End the scene on air and start the next."""
        self._process_keyframes()
        if self.request:
            if not self._airtime.shown:
                logger.info("%s ends before it was shown", self.request.title)
            self._queue.finish(self.request.id, shown=self._airtime.shown)
            self._set_aside_before.discard(self.request.id)
            self.request = None
        self.changes.keep({request.id for request in self._queue.waiting()})
        self._airtime.begin()
        while queue := self._eligible(self.ordered()):
            request = queue[0]
            if targets := self._dreamable_targets(request):
                self.request = self._queue.take(request.id)
                self._last = order.viewer_of(request.user, request.source)
                self.scene = self._make(targets, request)
                self._airtime.begin(request.aired_s)
                logger.info("on air: %s for %s", self.scene.title, request.user)
                return self.scene
            logger.warning("left out request %d: this network can dream nothing like %s", request.id, request.title)
            self.changes.note(request, "")
            self._queue.remove(request.id)
        shown = tuple(dict.fromkeys(region.target for region in self.scene.regions)) if self.scene else ()
        targets = self._idle_playlist.choose(self.subjects, shown)
        if self.scene is not None and self.scene.request_id is None and targets == shown:
            return self.scene  # no other subject: a change to the same one would be visible
        self.scene = self._make(targets)
        logger.info("wandering: %s", self.scene.title)
        return self.scene

    def candidates(self, count: int) -> tuple[tuple[Target, ...], ...]:
        """Return at most ``count`` different choices for a poll, without the subjects on air if there are others."""
        shown = {region.target for region in self.scene.regions} if self.scene else set()
        found: dict[frozenset[Target], tuple[Target, ...]] = {}
        for _ in range(DRAWS * count):
            taken = {target for targets in found for target in targets}
            targets = self._idle_playlist.choose(self.subjects, shown | taken)
            targets = targets if self._rules.config.wander_among else targets[:1]
            found.setdefault(frozenset(targets), targets)
            if len(found) == count:
                break
        return tuple(found.values())

    def skip_idle_scene(self) -> bool:
        """Replace a scene that nobody asked for, once it has been shown; returns whether it was replaced."""
        self._process_keyframes()
        if self.scene is None or self.request is not None or self.paused or not self._airtime.shown:
            return False
        before = self.scene
        return self.advance() is not before

    def ordered(self) -> tuple[Request, ...]:
        """Return the waiting requests in the order of the rules, next one first."""
        waiting, rules, last = self._queue.waiting(), self._rules, self._last
        known = self._ordered
        if known is None or known[0] is not waiting or known[1] is not rules or known[2] != last:
            known = self._ordered = (waiting, rules, last, order.sort_queue(waiting, rules.config, last))
        return known[3]

    def waiting(self) -> tuple[Waiting, ...]:
        """Return the waiting requests in that order, with positions and times."""
        self._process_keyframes()
        queue = self.ordered()
        free_s = max(self._left_s(), 0.0) if self.scene else 0.0
        times = policy.etas(len(queue), free_s, self._rules.config.hold_s)
        return tuple(
            self._waiting(request, place, eta_s) for place, (request, eta_s) in enumerate(zip(queue, times, strict=True), 1)
        )

    def _waiting(self, request: Request, place: int, eta_s: float) -> Waiting:
        """A waiting request with the subjects that it will show."""
        targets = self._dreamable_targets(request) if self.changes.includes(request) else ()
        if not targets or targets == request.targets:
            return Waiting(request, place, eta_s)
        return Waiting(replace(request, targets=targets), place, eta_s, instead_of=request.title)

    def programme(self) -> Programme:
        """Return what is on air and what comes next."""
        self._process_keyframes()
        fleeting = self.request is None and self._rules.config.interrupt_wandering
        return Programme(
            scene=self.scene,
            since_s=self._airtime.seconds if self.scene else 0.0,
            left_s=None if self.scene is None or self.paused or fleeting else max(self._left_s(), 0.0),
            waiting=self.waiting(),
            paused=self.paused,
            open=self._rules.config.open,
            instead_of=self._instead_of,
        )

    @property
    def _instead_of(self) -> str:
        """Title of the request on air if its scene shows something else; else empty."""
        if self.scene is None or self.request is None:
            return ""
        shown = {region.target for region in self.scene.regions}
        return "" if shown <= set(self.request.targets) else self.request.title

    @property
    def _rules(self) -> ActiveRules:
        return self._rulebook.now

    def _process_keyframes(self) -> None:
        """Process the keyframes since the last call."""
        while self._keyframes:
            at_s, scene, new_worker = self._keyframes.popleft()
            self._airtime.keyframe(at_s, shows=scene == self.scene, new_worker=new_worker)
            if scene == self.scene:
                self._set_aside.clear()

    def _is_over(self) -> bool:
        """Whether the scene should end: never before it was shown, unless it cannot be rendered or a request waits."""
        if self.request is None and self._rules.config.interrupt_wandering and self._eligible(self._queue.waiting()):
            return True
        if self._airtime.never_shown:
            assert self.scene is not None
            logger.warning("the dream continues without %s, which cannot be rendered", self.scene.title)
            return True
        if self.request is None and self.poll_decides_next:
            return False
        config = self._rules.config
        return self._airtime.shown and self._airtime.seconds_shown >= (config.hold_s if self.request else config.wander_s)

    def _eligible(self, queue: Sequence[Request]) -> Sequence[Request]:
        """The requests that may go on air now."""
        return [request for request in queue if request.id not in self._set_aside] if self._set_aside else queue

    def _left_s(self) -> float:
        """Seconds until the scene ends, if keyframes keep coming."""
        config = self._rules.config
        if self.request:
            return config.hold_s - self._airtime.seconds
        if config.interrupt_wandering and self._eligible(self._queue.waiting()):
            return 0.0
        return config.wander_s - self._airtime.seconds

    def _dreamable_targets(self, request: Request) -> tuple[Target, ...]:
        """A request's subjects, with the nearest relatives of those that the network in use lacks."""
        found = (self.subjects.nearest_available(target) for target in request.targets)
        return tuple(dict.fromkeys(target for target in found if target))

    def _make(self, targets: Sequence[Target], request: Request | None = None) -> Scene:
        self._next_id += 1
        return Scene(
            id=self._next_id - 1,
            regions=arrange(targets, self.layout),
            user=request.user if request else "",
            request_id=request.id if request else None,
        )
