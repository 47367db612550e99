"""The entry point for viewers and moderators: takes requests, applies the rules, decides what is on air (``scheduler``)."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from random import Random

from shared.clean import LINE_GRAPHEMES, clean, clean_name, clean_text
from shared.role import Role
from streamer.config import QueueConfig
from streamer.messages.keyframes import Keyframe
from streamer.messages.network_contents import Knowledge, LayerEntry
from streamer.messages.programme import Programme
from streamer.messages.queue_rules import BlockKind, Rules, Setting
from streamer.messages.refused import Reason, Refused, Vote
from streamer.messages.requests import Match, Priority, Receipt, Request, Standing, Substitution
from streamer.messages.scenes import Layout, Scene
from streamer.messages.viewer_polls import Poll, PollVote, SkipVote
from streamer.requests import order, policy
from streamer.requests.audience import Audience
from streamer.requests.blocks import Blocks, comparable_name
from streamer.requests.poll_runner import PollRunner
from streamer.requests.queue import DuplicateMessage, RequestQueue
from streamer.requests.rules import ActiveRules, Rulebook
from streamer.requests.scheduler import SceneScheduler
from streamer.requests.schema import QueueError
from streamer.requests.subjects import MODERATOR, Subjects, rights_of
from streamer.requests.vocabulary import Vocabulary
from streamer.requests.vote_counts import SkipVotes

logger = logging.getLogger(__name__)

NAMELESS = "someone"
"""Name of a viewer if nothing readable is left of it."""
MESSAGE_ID = 200
"""Characters of a message id that are kept; real ones have 36."""
RETRY_S = 5.0
"""Seconds between two tries to write what could not be written."""
DRAWS = 20
"""Most draws of a random subject, to find one that is not waiting already."""


class Director:
    """Decides the scene on air. All calls are thread-safe; the same seed, clocks and requests give the same scenes."""

    def __init__(
        self,
        queue: RequestQueue,
        vocabulary: Vocabulary,
        config: QueueConfig,
        layout: Layout = Layout.AUTO,
        seed: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Set up with the requests and rules of the last run.

        Raises:
            QueueError: the config blocks an unknown class, an entry of ``queue.wander_among`` cannot be understood, or the
                rules cannot be read.
        """
        self._queue, self._clock = queue, clock
        self._retried_s = clock()
        self._lock = threading.RLock()
        self._rulebook = Rulebook(config, queue.store, vocabulary.classes_of)
        self._random = Random(seed)
        self._scheduler = SceneScheduler(queue, self._rulebook, Subjects(vocabulary), layout, self._random, clock)
        self._audience = Audience(clock)
        self._skip_votes = SkipVotes()
        self._polls = PollRunner(queue, self._rulebook, self._scheduler, self._audience, clock)
        self._apply_blocks()  # the config may block more than in the last run

    # The programme

    def tick(self) -> Scene:
        """Return the scene on air; starts the next one when its time is over. Call it about ten times a second.

        A request's time is over after it has been shown for ``hold_s`` (``note_keyframe``), however long that takes.
        """
        with self._lock:
            if self._clock() - self._retried_s >= RETRY_S:
                self._retried_s = self._clock()
                self._queue.retry_writes()
            self._polls.tick()
            return self._scheduler.tick()

    @property
    def trouble(self) -> str:
        """Why requests are not saved to disk, in one line; empty while they are."""
        return self._queue.trouble

    def note_keyframe(self, keyframe: Keyframe, *, new_worker: bool = False) -> None:
        """Note a keyframe: time on air counts from a scene's first one, and while more come. Never blocks.

        Args:
            new_worker: whether it is the first of a worker that replaced another; the time in between does not count.
        """
        if keyframe.steps:
            self._scheduler.keyframe_shown(keyframe.scene, new_worker=new_worker)

    def workers_died(self, count: int) -> None:
        """Note that so many workers died since the last call."""
        with self._lock:
            self._scheduler.workers_died(count)

    def resume(self, scene: Scene, aired_s: float, *, held: bool = False) -> None:
        """Continue the scene of the last run, before the first tick, unless it has ended since or is blocked.

        Args:
            aired_s: how long it had been shown.
            held: whether a moderator held it.
        """
        with self._lock:
            self._scheduler.resume(scene, aired_s)
            if self._scheduler.scene is not None:
                self._scheduler.pause(held)
            self._apply_blocks()

    def skip(self) -> None:
        """End the scene on air and start the next, even if it is held.

        Raises:
            Refused: ``NOT_FOUND``, nothing is on air yet.
        """
        with self._lock:
            self._on_air()
            self._scheduler.advance()

    def voteskip(self, user: str, source: str = "web") -> SkipVote:
        """Count a viewer's vote to skip the scene on air, and skip it when there are enough.

        Raises:
            Refused: ``NOT_FOUND``, nothing is on air yet; ``BLOCKED``; ``CLOSED``, a moderator holds the scene.
        """
        user = clean_name(user) or NAMELESS
        with self._lock:
            scene = self._on_air()
            policy.refuse_blocked(policy.DraftRequest(user, "", (), source=source), self._rules.blocks)
            if self._scheduler.paused:
                raise Refused(Reason.CLOSED, "a moderator holds this dream, so votes cannot skip it")
            viewer = order.viewer_of(user, source)
            self._audience.note_activity(viewer)
            votes, needed = (
                self._skip_votes.cast(scene.id, viewer),
                policy.votes_needed(self._rules.config, self._audience.count_present()),
            )
            if votes >= needed:
                logger.info("%s was skipped by %d votes", scene.title, votes)
                self._scheduler.advance()
            return SkipVote(votes, needed, votes >= needed)

    def skip_idle_scene(self) -> bool:
        """Replace the scene on air early, if nobody asked for it, it has been shown and is not held.

        Returns:
            Whether it was replaced.
        """
        with self._lock:
            return self._scheduler.skip_idle_scene()

    def pause(self, paused: bool) -> None:
        """Hold the scene on air, or let its time continue."""
        with self._lock:
            self._scheduler.pause(paused)

    @property
    def held(self) -> bool:
        """Whether a moderator holds the scene on air."""
        with self._lock:
            return self._scheduler.paused

    def programme(self) -> Programme:
        """Return what is on air and what comes next."""
        with self._lock:
            return replace(self._scheduler.programme(), poll=self._polls.now)

    @property
    def poll(self) -> Poll | None:
        """The poll that is open or ended a few seconds ago; None if there is none."""
        with self._lock:
            return self._polls.now

    @property
    def vocabulary(self) -> Vocabulary:
        """The vocabulary of the network in use, with the current blocks."""
        with self._lock:
            return self._scheduler.vocabulary

    @property
    def layers(self) -> tuple[LayerEntry, ...]:
        """The layers that moderators can request now."""
        with self._lock:
            return self._scheduler.subjects.layers or ()

    def knowledge(self) -> Knowledge:
        """Return what the network in use knows."""
        return self.vocabulary.knowledge

    def learn(self, vocabulary: Vocabulary, layers: Sequence[LayerEntry] = ()) -> None:
        """Use another network's classes and layers; a scene with subjects that it lacks is replaced immediately."""
        with self._lock:
            self._scheduler.learn(Subjects(vocabulary.blocking(self._rules.blocks.wnids), layers))

    @property
    def blocks(self) -> Blocks:
        """The blocks in force; the same object until the rules change."""
        with self._lock:
            return self._rules.blocks

    def changes(self, since: int, source: str) -> tuple[Substitution, ...]:
        """Return requests from one source that show something else than their viewers were told, after change ``since``.

        A number beyond the latest change comes from another run; all changes are returned then.
        """
        with self._lock:
            changes = self._scheduler.changes
            return changes.since(since if since <= changes.latest else 0, source)

    # Viewers

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
        """Add a viewer's request to the queue; it is on disk when this returns.

        A message delivered again while its request waits gets the same receipt. If the same subjects are waiting already, the
        request counts as a vote for them; bits also raise their priority.

        Args:
            user: display name, not cleaned.
            text: the subjects without a command, not cleaned.
            message_id: the chat message's id, to recognise double delivery.
            amount: points or bits paid.
            anything: choose a random subject; ``text`` is ignored.

        Raises:
            Refused: ``BAD_INPUT``, ``UNKNOWN_WORD``, ``UNLEARNT``, ``LOADING``, ``FORBIDDEN``, ``BLOCKED``, ``LIMIT``;
                ``DUPLICATE``, with the vote; ``CLOSED``, also if requests cannot be saved.
        """
        user, line = clean_name(user) or NAMELESS, clean(text, LINE_GRAPHEMES)
        text = clean_text(line)
        message_id = clean_text(message_id)[:MESSAGE_ID] if message_id else None
        with self._lock:
            if message_id and (earlier := next((r for r in self._queue.waiting() if r.message_id == message_id), None)):
                return self._receipt(earlier)
            match = self._anything() if anything else self._understand(line, role)
            draft = policy.DraftRequest(user, match.title if anything else text, match.targets, role, source, priority, amount)
            viewer = order.viewer_of(user, source)
            try:
                policy.admit(
                    draft, self._scheduler.waiting(), self._rules.config, self._rules.blocks, self._audience.since(viewer)
                )
                request = self._queue.add(
                    user,
                    draft.text,
                    match.targets,
                    role=role,
                    source=source,
                    message_id=message_id,
                    priority=priority,
                    amount=amount,
                )
            except DuplicateMessage as known:
                raise self._taken_before(known.request_id) from None
            except QueueError as error:
                raise Refused(Reason.CLOSED, "requests cannot be saved at the moment; the streamer can see why") from error
            except Refused as refused:
                if refused.reason is Reason.DUPLICATE:
                    raise self._vote_for_duplicate(draft) from None
                raise
            self._audience.note_activity(viewer)
            self._audience.note_request(viewer)
            return self._receipt(request, match.note)

    def match(self, text: str, role: Role = Role.EVERYONE) -> Match:
        """Return how a text would be understood, without requesting it.

        Raises:
            Refused: ``BAD_INPUT``, ``UNKNOWN_WORD``, ``UNLEARNT``, ``LOADING``, ``FORBIDDEN`` or ``BLOCKED``.
        """
        line = clean(text, LINE_GRAPHEMES)
        with self._lock:
            match = self._scheduler.subjects.match(line, rights_of(role), peek=True)
            policy.refuse_blocked(policy.DraftRequest(NAMELESS, clean_text(line), match.targets), self._rules.blocks)
            return match

    def oops(self, user: str, source: str | None = None) -> Request:
        """Withdraw a viewer's latest waiting request, and end the viewer's cooldown.

        Args:
            source: where it was made; None for anywhere.

        Raises:
            Refused: ``NOT_FOUND``, none waits.
        """
        name = comparable_name(user) or NAMELESS
        with self._lock:
            own = [
                request
                for request in self._queue.waiting()
                if comparable_name(request.user) == name and source in (None, request.source)
            ]
            if not own:
                on_air = self._scheduler.request is not None and comparable_name(self._scheduler.request.user) == name
                raise Refused(Reason.NOT_FOUND, "it is on air already" if on_air else "you have no request waiting")
            latest = max(own, key=lambda request: request.id)
            self._audience.reset_cooldown(order.viewer_of(latest.user, latest.source))
            return self._queue.remove(latest.id)

    def vote(self, votes: Sequence[PollVote], source: str = "web", poll_id: str | None = None) -> tuple[Poll, int]:
        """Count votes in a poll, the last one of each viewer; returns the poll, and how many of the votes count.

        Votes for unknown numbers, and those of blocked viewers, do not count.

        Args:
            poll_id: the poll that they are for; None for the open one.

        Raises:
            Refused: ``NOT_FOUND``, that poll is over.
        """
        with self._lock:
            return self._polls.vote(votes, source, poll_id)

    def standing(self, request_id: int) -> Standing:
        """Return the state of a request, also after it has been shown or removed.

        Raises:
            Refused: ``NOT_FOUND``, there never was such a request, or it has been deleted.
        """
        with self._lock:
            for entry in self._scheduler.waiting():
                if entry.request.id == request_id:
                    return Standing(entry.request, entry.position, entry.eta_s)
            try:
                return Standing(self._queue.find(request_id))
            except QueueError as error:
                logger.error("%s", error)
                raise Refused(Reason.NOT_FOUND, f"request {request_id} cannot be looked up at the moment") from error

    # Moderators

    def begin_poll(self, user: str, text: str, seconds: float | None = None, role: Role = Role.MODERATOR) -> Poll:
        """Open a poll between things such as ``fox / pizza / castle``; the winner comes next.

        Args:
            seconds: how long it is open; None: ``poll_s``.

        Raises:
            Refused: see ``PollRunner.begin``.
        """
        with self._lock:
            return self._polls.begin(user, text, seconds, role)

    def count_votes(self, source: str, counts: Sequence[int], poll_id: str) -> Poll:
        """Set the totals of votes that are cast elsewhere, as in Twitch's own poll, in place of that source's single votes.

        Raises:
            Refused: ``NOT_FOUND``, that poll is over; ``BAD_INPUT``, another number of choices.
        """
        with self._lock:
            return self._polls.count(source, counts, poll_id)

    def end_poll(self, *, cancel: bool = False) -> Poll:
        """End the poll now, with its leader as the winner, or cancel it.

        Raises:
            Refused: ``NOT_FOUND``, none is open.
        """
        with self._lock:
            return self._polls.end(cancelled=cancel)

    def remove(self, request_id: int) -> None:
        """Remove a waiting request.

        Raises:
            Refused: ``NOT_FOUND``.
        """
        with self._lock:
            if self._scheduler.request and self._scheduler.request.id == request_id:
                raise Refused(Reason.NOT_FOUND, f"request {request_id} is on air already; skip it instead")
            self._queue.remove(request_id)

    def remove_user(self, user: str) -> int:
        """Remove all waiting requests of a viewer, from any source; returns how many there were."""
        name = comparable_name(user) or NAMELESS
        with self._lock:
            own = [request for request in self._queue.waiting() if comparable_name(request.user) == name]
            for request in own:
                self._queue.remove(request.id)
            return len(own)

    def clear(self) -> int:
        """Remove all waiting requests; the scene on air stays. Returns how many there were."""
        with self._lock:
            return self._queue.clear()

    def move(self, request_id: int, position: int) -> int:
        """Move a waiting request to a position, where it stays regardless of the rules; 1 is next.

        Returns:
            Its position now; positions beyond the end of the queue mean its end.

        Raises:
            Refused: ``NOT_FOUND``, it does not wait.
        """
        with self._lock:
            queue = self._scheduler.ordered()
            if all(request.id != request_id for request in queue):
                raise Refused(Reason.NOT_FOUND, f"request {request_id} is not waiting")
            self._queue.pin(order.moved(queue, request_id, position))
            return next(place for place, request in enumerate(self._scheduler.ordered(), 1) if request.id == request_id)

    def configure(self, config: QueueConfig, layout: Layout) -> None:
        """Use another config from now on, all of it or nothing; moderators' changes still override it.

        Raises:
            QueueError: it blocks an unknown class, or an entry of ``queue.wander_among`` cannot be understood.
        """
        with self._lock:
            before = self._rulebook.now.config.wander_among
            idle_playlist = None if config.wander_among == before else self._scheduler.make_idle_playlist(config.wander_among)
            hidden = self._rulebook.configure(config)
            if idle_playlist is not None:
                self._scheduler.use_idle_playlist(idle_playlist)
            self._scheduler.layout = layout
            if hidden:
                names = ", ".join(f"queue.{name}" for name in hidden)
                logger.warning("moderators changed %s while it ran; their change overrides the config until it is reset", names)
            self._apply_blocks()

    def rules(self) -> Rules:
        """Return the rules in force."""
        with self._lock:
            return self._rulebook.told()

    def change_rules(self, settings: Mapping[str, Setting]) -> Rules:
        """Change settings of ``QueueConfig``, all or none; they stay changed after a restart.

        Raises:
            Refused: ``BAD_INPUT``.
        """
        with self._lock:
            self._rulebook.change(settings)
            logger.info("rules changed: %s", ", ".join(f"{name} = {value}" for name, value in settings.items()))
            self._apply_blocks()
            return self._rulebook.told()

    def reset_rules(self, *, blocks: bool = False) -> Rules:
        """Reset the settings to the config's, and the blocks too if ``blocks``."""
        with self._lock:
            self._rulebook.reset(blocks=blocks)
            logger.info("rules are reset to the config's")
            self._apply_blocks()
            return self._rulebook.told()

    def block(self, kind: BlockKind, value: str) -> int:
        """Block a word, a viewer or a class. Waiting requests that break the block are removed, and such a scene on air ends.

        Returns:
            How many waiting requests were removed.

        Raises:
            Refused: ``BAD_INPUT``, ``UNKNOWN_WORD`` or ``LIMIT``.
        """
        with self._lock:
            self._rulebook.block(kind, value)
            return self._apply_blocks()

    def unblock(self, kind: BlockKind, value: str) -> None:
        """Unblock a word, a viewer or a class.

        Raises:
            Refused: ``NOT_FOUND``, it is not blocked; ``BAD_INPUT`` or ``UNKNOWN_WORD``.
        """
        with self._lock:
            self._rulebook.unblock(kind, value)
            self._apply_blocks()

    # Internals

    @property
    def _rules(self) -> ActiveRules:
        return self._rulebook.now

    def _apply_blocks(self) -> int:
        """Apply the blocks to waiting requests and the scene on air; returns how many requests were removed."""
        blocks = self._rules.blocks
        if blocks.wnids != self._scheduler.vocabulary.blocked:
            subjects = self._scheduler.subjects
            self._scheduler.subjects = Subjects(subjects.vocabulary.blocking(blocks.wnids), subjects.layers)
        broken = [request for request in self._queue.waiting() if blocks.blocks(request.user, request.text, request.targets)]
        for request in broken:
            self._queue.remove(request.id)
        self._polls.apply_blocks()
        if broken:
            logger.info("blocks took %d requests out of the queue", len(broken))
        if self._scheduler.scene is not None:
            user, text = (self._scheduler.request.user, self._scheduler.request.text) if self._scheduler.request else ("", "")
            if blocks.blocks(user, text, [region.target for region in self._scheduler.scene.regions]):
                self._scheduler.advance()
        self._scheduler.note_substitutions()
        return len(broken)

    def _on_air(self) -> Scene:
        if self._scheduler.scene is None:
            raise Refused(Reason.NOT_FOUND, "nothing is on air yet")
        return self._scheduler.scene

    def _understand(self, text: str, role: Role) -> Match:
        """Understand a request. Viewers may vote for a waiting request that only moderators may make."""
        subjects = self._scheduler.subjects
        try:
            return subjects.match(text, rights_of(role))
        except Refused as refused:
            if refused.reason is not Reason.FORBIDDEN:
                raise
            try:
                match = subjects.match(text, MODERATOR)
            except Refused:
                raise refused from None
            if policy.find_duplicate(policy.DraftRequest(NAMELESS, text, match.targets), self._scheduler.waiting()) is None:
                raise
            return match

    def _anything(self) -> Match:
        """A random subject, if possible one that is not waiting already."""
        waiting = {request.targets for request in self._queue.waiting()}
        for _ in range(DRAWS):
            targets = (self._scheduler.vocabulary.random(self._random),)
            if targets not in waiting:
                break
        return Match(targets)

    def _vote_for_duplicate(self, draft: policy.DraftRequest) -> Refused:
        """Count a request as a vote for the waiting one with the same subjects; returns the refusal that says so."""
        duplicate = policy.find_duplicate(draft, self._scheduler.waiting())
        assert duplicate is not None, "the same subjects are waiting"
        viewer, number = order.viewer_of(draft.user, draft.source), duplicate.request.id
        self._audience.note_activity(viewer)
        own = viewer == order.viewer_of(duplicate.request.user, duplicate.request.source)
        counted = not own and self._queue.vote(number, viewer)
        if draft.priority is Priority.BITS:
            self._queue.raise_priority(number, draft.priority, draft.amount)
            counted = True
        now = next(entry for entry in self._scheduler.waiting() if entry.request.id == number)
        vote = Vote(number, counted, now.request.votes, now.request.title, now.position, now.eta_s)
        return Refused(Reason.DUPLICATE, policy.explain_duplicate(vote, own=own), vote=vote)

    def _taken_before(self, request_id: int) -> Refused:
        """The refusal of a message that is delivered again after its request has left the queue."""
        try:
            title = self._queue.find(request_id).title
        except (Refused, QueueError):  # its row cannot be read, but the id is enough
            title = ""
        return Refused(Reason.DUPLICATE, "this message was taken already", vote=Vote(request_id, False, 0, title, None, None))

    def _receipt(self, request: Request, note: str = "") -> Receipt:
        entry = next(entry for entry in self._scheduler.waiting() if entry.request.id == request.id)
        return Receipt(request.id, entry.position, entry.eta_s, request.targets, note)
