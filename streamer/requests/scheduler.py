"""The scene on air: for how long, what comes after it, and what to dream when nobody asks."""

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
"""Draws for each thing to choose from in a poll, until there is one that is not among them yet."""
KEYFRAMES = 1000
"""Keyframes that were not looked at yet; when full: the oldest are forgotten."""


class SceneScheduler:
    """Keeps a scene on air and calls up the next. Not thread-safe but for ``keyframe_shown``: the director holds a lock."""

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
        self._queue, self._rulebook, self._clock, self._random = queue, rulebook, clock, random
        self._airtime = Airtime(clock)
        self._keyframes: deque[tuple[float, Scene, bool]] = deque(maxlen=KEYFRAMES)
        """When which scene was seen, and whether by a new worker, since this was last looked at."""
        self.changes = Substitutions()
        """Who is to be told that the network at work has changed a request."""
        self._anything = Subjects(subjects.vocabulary.for_network(None), None)
        self._idle_playlist = self.make_idle_playlist(rulebook.now.config.wander_among)
        self.layout = layout
        """How several subjects share the picture, from the next scene on."""
        self.subjects = subjects
        """What can be dreamt; ``learn`` changes it."""
        self.scene: Scene | None = None
        """What is on air; None before the first tick."""
        self.request: Request | None = None
        """The request that the scene fulfils."""
        self.poll_decides_next = False
        """Whether a poll decides what comes after what nobody asked for, which stays meanwhile."""
        self._next_id = 0
        """The id of the next scene."""
        self._set_aside: set[int] = set()
        """Requests put aside until something else is seen: workers ended over them."""
        self._set_aside_before: set[int] = set()
        """Requests that were put aside before."""
        self._last: str | None = None
        """The viewer who had the latest turn."""
        self._lined_up: tuple[tuple[Request, ...], ActiveRules, str | None, tuple[Request, ...]] | None = None
        """The line as it was last ordered, after what it was ordered by."""

    def make_idle_playlist(self, among: Sequence[str]) -> IdlePlaylist:
        """What chooses among subjects as ``queue.wander_among`` has them.

        Raises:
            QueueError: one of them means nothing.
        """
        return IdlePlaylist(among, self._anything, self._random)

    def use_idle_playlist(self, idle_playlist: IdlePlaylist) -> None:
        """Let another one choose from now on; what is on air stays its time."""
        self._idle_playlist = idle_playlist

    @property
    def vocabulary(self) -> Vocabulary:
        """The classes that can be dreamt."""
        return self.subjects.vocabulary

    @property
    def paused(self) -> bool:
        """Whether the scene is held."""
        return self._airtime.paused

    def keyframe_shown(self, scene: Scene, *, new_worker: bool = False) -> None:
        """A keyframe of a scene came. May be called from any thread, and waits for nobody.

        Args:
            new_worker: whether it is the first of a worker that took the place of another.
        """
        self._keyframes.append((self._clock(), scene, new_worker))

    def tick(self) -> Scene:
        """The scene on air now; changes it when its time is over."""
        self._process_keyframes()
        if self.request:
            self._queue.aired(self.request.id, self._airtime.seconds)
        if self.scene is None or (not self.paused and self._is_over()):
            return self.advance()
        return self.scene

    def resume(self, scene: Scene, aired_s: float) -> None:
        """Before the first tick: put on air what was there when an earlier run was last seen, if it still belongs there.

        A request that was on air stands in front; where another does, or none, that one is over.

        Args:
            aired_s: how long it had been seen.
        """
        assert self.scene is None, "something is on air already"
        self._next_id = scene.id + 1
        line = self.line()
        front = line[0] if line else None
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
        """So many workers ended; where it is always over the same thing, something else is tried before it."""
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
        """Hold the scene on air for as long as it takes, or let the programme go on where it stood."""
        self._process_keyframes()
        self._airtime.pause(paused)

    def learn(self, subjects: Subjects) -> None:
        """Go on with another network's subjects; a scene with some that it has not learnt is replaced at once."""
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
        """Find out who is to be told that something else is dreamt than what was asked for."""
        for request in (*([self.request] if self.request else []), *self._queue.waiting()):
            if targets := self._dreamable_targets(request):  # else its turn decides: there may be yet another network by then
                self.changes.note(request, " + ".join(target.label for target in targets))

    def advance(self) -> Scene:
        """End the scene on air and put on the next."""
        self._process_keyframes()
        if self.request:
            if not self._airtime.seen:
                logger.info("%s is over before anything of it was dreamt", self.request.title)
            self._queue.finish(self.request.id, seen=self._airtime.seen)
            self._set_aside_before.discard(self.request.id)
            self.request = None
        self.changes.keep({request.id for request in self._queue.waiting()})
        self._airtime.begin()
        while line := self._eligible(self.line()):
            request = line[0]
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
            return self.scene  # there is nothing else to wander to: a change to the same would be seen
        self.scene = self._make(targets)
        logger.info("wandering: %s", self.scene.title)
        return self.scene

    def candidates(self, count: int) -> tuple[tuple[Target, ...], ...]:
        """Different things to wander to, at most ``count``, what is on air not among them if there are others."""
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
        """Put on another subject where nobody asked for the one on air, and it has been seen; returns whether that is so."""
        self._process_keyframes()
        if self.scene is None or self.request is not None or self.paused or not self._airtime.seen:
            return False
        before = self.scene
        return self.advance() is not before

    def line(self) -> tuple[Request, ...]:
        """What waits, next one first, as the rules order it."""
        waiting, rules, last = self._queue.waiting(), self._rules, self._last
        known = self._lined_up
        if known is None or known[0] is not waiting or known[1] is not rules or known[2] != last:
            known = self._lined_up = (waiting, rules, last, order.line_up(waiting, rules.config, last))
        return known[3]

    def waiting(self) -> tuple[Waiting, ...]:
        """What waits, with positions and times."""
        self._process_keyframes()
        line = self.line()
        free_s = max(self._left_s(), 0.0) if self.scene else 0.0
        times = policy.etas(len(line), free_s, self._rules.config.hold_s)
        return tuple(
            self._waiting(request, place, eta_s) for place, (request, eta_s) in enumerate(zip(line, times, strict=True), 1)
        )

    def _waiting(self, request: Request, place: int, eta_s: float) -> Waiting:
        """A request in line as it is going to be dreamt."""
        targets = self._dreamable_targets(request) if self.changes.includes(request) else ()
        if not targets or targets == request.targets:
            return Waiting(request, place, eta_s)
        return Waiting(replace(request, targets=targets), place, eta_s, instead_of=request.title)

    def programme(self) -> Programme:
        """What is on air and what comes next, now."""
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
        """What was asked for, where what is on air is something else."""
        if self.scene is None or self.request is None:
            return ""
        shown = {region.target for region in self.scene.regions}
        return "" if shown <= set(self.request.targets) else self.request.title

    @property
    def _rules(self) -> ActiveRules:
        return self._rulebook.now

    def _process_keyframes(self) -> None:
        """Take note of the keyframes that came since this was called last."""
        while self._keyframes:
            at_s, scene, new_worker = self._keyframes.popleft()
            self._airtime.keyframe(at_s, shows=scene == self.scene, new_worker=new_worker)
            if scene == self.scene:
                self._set_aside.clear()

    def _is_over(self) -> bool:
        """Whether something else is to go on air: nothing is over before it was seen, unless it cannot be dreamt."""
        if self.request is None and self._rules.config.interrupt_wandering and self._eligible(self._queue.waiting()):
            return True
        if self._airtime.never_shown:
            assert self.scene is not None
            logger.warning("the dream goes on without %s, which cannot be dreamt", self.scene.title)
            return True
        if self.request is None and self.poll_decides_next:
            return False
        config = self._rules.config
        return self._airtime.seen and self._airtime.seconds_shown >= (config.hold_s if self.request else config.wander_s)

    def _eligible(self, line: Sequence[Request]) -> Sequence[Request]:
        """Those of the line that may come on air now."""
        return [request for request in line if request.id not in self._set_aside] if self._set_aside else line

    def _left_s(self) -> float:
        """Seconds until the scene on air ends, if the dream goes on."""
        config = self._rules.config
        if self.request:
            return config.hold_s - self._airtime.seconds
        if config.interrupt_wandering and self._eligible(self._queue.waiting()):
            return 0.0
        return config.wander_s - self._airtime.seconds

    def _dreamable_targets(self, request: Request) -> tuple[Target, ...]:
        """A request's subjects, nearest relatives for those that the network lacks: it may have changed meanwhile."""
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
