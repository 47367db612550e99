"""Events from viewers, moderators and the dream in any order: the queue stays consistent, a restart doesn't change it, and no
accepted request is lost, or done without being shown."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from shared.role import Role
from streamer.config import QueueConfig
from streamer.messages.keyframes import Keyframe
from streamer.messages.motion import Pose
from streamer.messages.queue_rules import BlockKind
from streamer.messages.refused import Reason, Refused
from streamer.messages.requests import Priority, RequestState
from streamer.requests.director import Director
from streamer.requests.policy import SPARE
from streamer.requests.queue import RequestQueue
from streamer.requests.vocabulary import Vocabulary
from tests.fakes import HandClock

SUBJECTS = ("volcano", "bubble", "pizza", "castle", "volcano + bubble", "dog", "rifle", "nothing at all")
USERS = ("ann", "Bob", "cid", "ＤＡＮ", "mallory")
users, places = st.sampled_from(USERS), st.integers(1, 9)


def refused_or(call, *args, **kwargs):
    """Return the result of a call, or the Refused that it raises."""
    try:
        return call(*args, **kwargs)
    except Refused as refused:
        return refused


def events(class_index, folder):
    class Events(RuleBasedStateMachine):
        @initialize(order=st.sampled_from(["fifo", "random", "votes"]), fair=st.booleans())
        def open(self, order, fair):
            number = len(list(folder.iterdir()))
            self.path = folder / f"{number}.sqlite3"
            self.config = QueueConfig(capacity=6, per_user=3, order=order, fair=fair)
            self.clock = HandClock()
            self.seen = {}
            self.taken, self.dreamt, self.removed = set(), set(), set()
            self.by_hand = False
            self.former = None
            self.start()

        def start(self):
            self.queue = RequestQueue(self.path, clock=self.clock)
            self.director = Director(self.queue, Vocabulary(class_index), self.config, seed=1, clock=self.clock)

        def line(self):
            return [entry.request.id for entry in self.director.programme().waiting]

        def a_place(self, place):
            line = self.line()
            return line[place % len(line)] if line else 999_999

        @rule(
            user=users,
            text=st.sampled_from(SUBJECTS),
            role=st.sampled_from(Role),
            priority=st.sampled_from(Priority),
            anything=st.booleans(),
        )
        def ask(self, user, text, role, priority, anything):
            before = self.line()
            told = refused_or(self.director.submit, user, text, role=role, priority=priority, amount=1, anything=anything)
            if isinstance(told, Refused):
                assert sorted(self.line()) == sorted(before)
                if told.vote is not None and told.vote.position is not None:
                    assert self.line()[told.vote.position - 1] == told.vote.request_id
            else:
                assert self.line()[told.position - 1] == told.id
                assert told.id not in self.seen
                self.taken.add(told.id)

        @rule(place=places, position=places)
        def move(self, place, position):
            chosen, length = self.a_place(place), len(self.line())
            stands = refused_or(self.director.move, chosen, position)
            if isinstance(stands, Refused):
                assert (stands.reason, length) == (Reason.NOT_FOUND, 0)
            else:
                assert stands == min(position, length)
                assert self.line()[stands - 1] == chosen

        @rule(place=places)
        def remove(self, place):
            self.by_hand = True
            chosen = self.a_place(place)
            if isinstance(refused_or(self.director.remove, chosen), Refused):
                assert not self.line()
            else:
                assert self.director.standing(chosen).request.state is RequestState.REMOVED

        @rule(user=users)
        def take_back(self, user):
            self.by_hand = True
            removed = refused_or(self.director.oops, user)
            assert isinstance(removed, Refused) or removed.id not in self.line()

        @rule(user=users)
        def vote_against_it(self, user):
            self.by_hand = True
            vote = refused_or(self.director.voteskip, user)
            assert isinstance(vote, Refused) or vote.skipped == (vote.votes >= vote.needed)

        @rule(seconds=st.sampled_from([1, 10, 31]))
        def time_passes_and_nothing_is_dreamt(self, seconds):
            self.clock.advance(seconds)
            self.turn()

        @rule(seconds=st.sampled_from([1, 10, 31, 100]))
        def dream(self, seconds):
            for _ in range(seconds):
                self.keyframe(self.turn())
                self.clock.advance(1)
            self.turn()

        @rule()
        def dream_what_was_on_air_before(self):
            if self.former is not None:
                self.keyframe(self.former)

        @rule(count=st.integers(1, 4))
        def workers_end(self, count):
            self.by_hand = True  # a scene that keeps killing workers is given up
            self.director.workers_died(count)

        @rule()
        def skip(self):
            self.by_hand = True
            refused_or(self.director.skip)

        def turn(self):
            before, scene = self.director.programme().scene, self.director.tick()
            if scene is not before:
                self.former = before
            return scene

        def keyframe(self, scene):
            self.director.note_keyframe(Keyframe(None, Pose(), self.clock.now_s, scene, 0, 1))
            if scene == self.director.programme().scene:
                self.dreamt.add(scene.request_id)

        @rule(paused=st.booleans())
        def pause(self, paused):
            self.director.pause(paused)

        @rule(
            settings=st.fixed_dictionaries(
                {},
                optional={
                    "open": st.booleans(),
                    "order": st.sampled_from(["fifo", "random", "votes"]),
                    "fair": st.booleans(),
                    "paid_first": st.booleans(),
                    "family_safe": st.booleans(),
                    "cooldown_s": st.sampled_from([0, 5]),
                    "capacity": st.integers(1, 6),
                },
            )
        )
        def change(self, settings):
            self.by_hand = True
            self.director.change_rules(settings)

        @rule(kind=st.sampled_from(BlockKind), value=st.sampled_from(["mallory", "volcano", "dog"]), blocked=st.booleans())
        def block(self, kind, value, blocked):
            self.by_hand = True
            told = refused_or(self.director.block if blocked else self.director.unblock, kind, value)
            if isinstance(told, Refused):
                assert told.reason in (Reason.NOT_FOUND, Reason.UNKNOWN_WORD)

        @rule()
        def crash(self):
            programme, rules = self.director.programme(), self.director.rules()
            on_air = [programme.scene.request_id] if programme.scene and programme.scene.request_id else []
            expected = {entry.request.id: entry.request for entry in programme.waiting}
            self.queue.close()
            self.former = None
            self.start()
            line = self.line()
            assert line[: len(on_air)] == on_air
            assert set(line) == {*on_air, *expected}
            after = {entry.request.id: entry.request for entry in self.director.programme().waiting}
            assert {number: after[number] for number in expected} == expected
            assert self.director.rules() == rules

        @invariant()
        def the_line_is_a_line(self):
            if not hasattr(self, "director"):
                return
            programme = self.director.programme()
            assert [entry.position for entry in programme.waiting] == list(range(1, len(programme.waiting) + 1))
            assert len(programme.waiting) <= 6 + SPARE + 1  # after a crash, also the request that was on air
            assert all(one.eta_s <= other.eta_s for one, other in zip(programme.waiting, programme.waiting[1:], strict=False))
            blocks = self.director._rulebook.now.blocks
            for entry in programme.waiting:
                request = entry.request
                assert not blocks.blocks(request.user, request.text, request.targets)
                self.seen[request.id] = request
            pinned = [entry.request.pinned_position is not None for entry in programme.waiting]
            assert pinned == sorted(pinned, reverse=True)

        @invariant()
        def nothing_is_lost_or_done_unseen(self):
            if not hasattr(self, "director"):
                return
            states = {number: self.director.standing(number).request.state for number in self.taken}
            assert {number for number, state in states.items() if state is RequestState.DONE} <= self.dreamt
            removed = {number for number, state in states.items() if state is RequestState.REMOVED}
            assert self.by_hand or removed == self.removed
            self.removed, self.by_hand = removed, False
            scene, line = self.director.programme().scene, set(self.line())
            on_air = {number for number, state in states.items() if state is RequestState.ON_AIR}
            assert on_air == ({scene.request_id} if scene and scene.request_id else set())
            assert {number for number, state in states.items() if state is RequestState.QUEUED} == line

        def teardown(self):
            if hasattr(self, "queue"):
                self.queue.close()

    return Events


@pytest.mark.logs("workers keep dying over")
@pytest.mark.slow
def test_any_order_of_events(class_index, tmp_path):
    machine = events(class_index, tmp_path)
    run_state_machine_as_test(machine, settings=settings(max_examples=25, stateful_step_count=30, deadline=None))


ANY = st.text(st.characters(categories=None), max_size=200) | st.text(
    "<>&\"'\u202e\u200b\u0301\x00\r\n\ud800a🌋 +!@", max_size=200
)


@settings(max_examples=300, deadline=None)
@given(user=ANY, text=ANY, source=st.sampled_from(["web", "twitch"]), message_id=ANY)
def test_any_text_is_taken_or_refused_and_what_is_kept_is_clean(shared_director, user, text, source, message_id):
    told = refused_or(shared_director.submit, user, text, source=source, message_id=message_id)
    assert not isinstance(told, Refused) or told.reason is not Reason.CLOSED
    for call in (
        shared_director.match,
        shared_director.oops,
        shared_director.voteskip,
        shared_director.remove_user,
        lambda value: shared_director.block(BlockKind.WORD, value),
    ):
        refused_or(call, text)
    for entry in shared_director.programme().waiting:
        for shown in (entry.request.user, entry.request.text, entry.request.title):
            assert not re.search(r"[\x00-\x1f\x7f\u200b\u202e\ud800-\udfff]", shown)
    shared_director.reset_rules(blocks=True)
    shared_director.clear()
