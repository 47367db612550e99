"""Whatever viewers and moderators do, in whatever order: the line stays a line, and a restart changes nothing in it."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from streamer.config import QueueConfig
from streamer.messages import BlockKind, Priority, Reason, Refused, RequestState, Role
from streamer.requests.director import Director
from streamer.requests.policy import SPARE
from streamer.requests.queue import RequestQueue
from streamer.requests.vocabulary import Vocabulary
from tests.fakes import HandClock

SUBJECTS = ("volcano", "bubble", "pizza", "castle", "volcano + bubble", "dog", "rifle", "nothing at all")
USERS = ("ann", "Bob", "cid", "ＤＡＮ", "mallory")
users, places = st.sampled_from(USERS), st.integers(1, 9)


def refused_or(call, *args, **kwargs):
    """What a call returns, or the Refused that it raises."""
    try:
        return call(*args, **kwargs)
    except Refused as refused:
        return refused


def events(shelf, folder):
    class Events(RuleBasedStateMachine):
        @initialize(order=st.sampled_from(["fifo", "random", "votes"]), fair=st.booleans())
        def open(self, order, fair):
            number = len(list(folder.iterdir()))
            self.path = folder / f"{number}.sqlite3"
            self.config = QueueConfig(capacity=6, per_user=3, order=order, fair=fair)
            self.clock = HandClock()
            self.seen = {}
            self.start()

        def start(self):
            self.queue = RequestQueue(self.path, clock=self.clock)
            self.director = Director(self.queue, Vocabulary(shelf), self.config, seed=1, clock=self.clock)

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
            chosen = self.a_place(place)
            if isinstance(refused_or(self.director.remove, chosen), Refused):
                assert not self.line()
            else:
                assert self.director.standing(chosen).request.state is RequestState.REMOVED

        @rule(user=users)
        def take_back(self, user):
            removed = refused_or(self.director.oops, user)
            assert isinstance(removed, Refused) or removed.id not in self.line()

        @rule(user=users)
        def vote_against_it(self, user):
            vote = refused_or(self.director.voteskip, user)
            assert isinstance(vote, Refused) or vote.skipped == (vote.votes >= vote.needed)

        @rule(seconds=st.sampled_from([1, 10, 31]))
        def time_passes(self, seconds):
            self.clock.advance(seconds)
            self.director.tick()

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
            self.director.change_rules(settings)

        @rule(kind=st.sampled_from(BlockKind), value=st.sampled_from(["mallory", "volcano", "dog"]), blocked=st.booleans())
        def block(self, kind, value, blocked):
            told = refused_or(self.director.block if blocked else self.director.unblock, kind, value)
            if isinstance(told, Refused):
                assert told.reason in (Reason.NOT_FOUND, Reason.UNKNOWN_WORD)

        @rule()
        def crash(self):
            programme, rules = self.director.programme(), self.director.rules()
            on_air = [programme.scene.request_id] if programme.scene and programme.scene.request_id else []
            expected = {entry.request.id: entry.request for entry in programme.waiting}
            self.queue.close()
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
            assert len(programme.waiting) <= 6 + SPARE + 1  # one more after a crash: it was on air
            assert all(one.eta_s <= other.eta_s for one, other in zip(programme.waiting, programme.waiting[1:], strict=False))
            blocks = self.director._rulebook.now.blocks
            for entry in programme.waiting:
                request = entry.request
                assert not blocks.blocks(request.user, request.text, request.targets)
                self.seen[request.id] = request
            settled = [entry.request.settled is not None for entry in programme.waiting]
            assert settled == sorted(settled, reverse=True)

        def teardown(self):
            if hasattr(self, "queue"):
                self.queue.close()

    return Events


def test_any_order_of_events(shelf, tmp_path):
    machine = events(shelf, tmp_path)
    run_state_machine_as_test(machine, settings=settings(max_examples=25, stateful_step_count=30, deadline=None))


ANY = st.text(st.characters(categories=None), max_size=200) | st.text(
    "<>&\"'\u202e\u200b\u0301\x00\r\n\ud800a🌋 +!@", max_size=200
)


@settings(max_examples=300, deadline=None)
@given(user=ANY, text=ANY, source=st.sampled_from(["web", "twitch"]), message_id=ANY)
def test_any_text_is_taken_or_refused_and_what_is_kept_is_clean(desk, user, text, source, message_id):
    told = refused_or(desk.submit, user, text, source=source, message_id=message_id)
    assert not isinstance(told, Refused) or told.reason is not Reason.CLOSED
    for call in (desk.match, desk.oops, desk.voteskip, desk.remove_user, lambda value: desk.block(BlockKind.WORD, value)):
        refused_or(call, text)
    for entry in desk.programme().waiting:
        for shown in (entry.request.user, entry.request.text, entry.request.title):
            assert not re.search(r"[\x00-\x1f\x7f\u200b\u202e\ud800-\udfff]", shown)
    desk.reset_rules(blocks=True)
    desk.clear()
