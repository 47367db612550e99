"""Polls: their choices, who may vote, what happens to the winner, and when polls start by themselves."""

from contextlib import ExitStack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.role import Role
from streamer.config import QueueConfig
from streamer.messages.keyframes import Keyframe
from streamer.messages.motion import Pose
from streamer.messages.network_contents import LayerEntry
from streamer.messages.queue_rules import BlockKind
from streamer.messages.refused import Reason, Refused
from streamer.messages.viewer_polls import PollState, PollVote
from streamer.requests.current_poll import SHOWN_S, split
from streamer.requests.director import Director
from streamer.requests.queue import RequestQueue
from streamer.requests.store import Store
from streamer.requests.vocabulary import Vocabulary
from tests.fakes import HandClock


class Studio:
    """A director, and a clock that tests advance."""

    def __init__(self, opened, class_index, available=None, **config):
        self.clock = HandClock()
        self.queue = opened.enter_context(RequestQueue(None, clock=lambda: 0.0))
        settings = QueueConfig.model_validate({"hold_s": 10.0, "wander_s": 20.0, "poll_s": 30.0, **config})
        self.director = Director(self.queue, Vocabulary(class_index, available), settings, seed=1, clock=self.clock)
        self.director.tick()

    @property
    def poll(self):
        return self.director.poll

    def begin(self, text="castle / pizza / volcano", seconds=None, user="mod"):
        return self.director.begin_poll(user, text, seconds)

    def vote(self, *votes, source="twitch", poll_id=None):
        return self.director.vote([PollVote(user, choice) for user, choice in votes], source, poll_id)

    def counts(self):
        return tuple(choice.votes for choice in self.poll.choices)

    def after(self, seconds):
        """Return what is on air after a keyframe each second."""
        scene = self.director.tick()
        for number in range(int(seconds)):
            self.director.note_keyframe(Keyframe(None, Pose(), self.clock(), scene, number, 1))
            self.clock.advance(1.0)
            scene = self.director.tick()
        return scene

    def titles(self):
        return [entry.request.title for entry in self.director.programme().waiting]


@pytest.fixture
def make(class_index):
    with ExitStack() as opened:
        yield lambda available=None, **config: Studio(opened, class_index, available, **config)


@pytest.fixture
def studio(make):
    return make()


def refusal(call, *args, **kwargs):
    with pytest.raises(Refused) as caught:
        call(*args, **kwargs)
    return caught.value


@pytest.mark.parametrize(
    ("text", "choices"),
    [
        ("fox / pizza / castle", ("fox", "pizza", "castle")),
        ("fox/pizza", ("fox", "pizza")),
        ("fox | pizza, please", ("fox", "pizza, please")),
        ("fox, pizza, castle", ("fox", "pizza", "castle")),
        ("fox or pizza", ("fox", "pizza")),
        ("volcano + bubble / dog or cat", ("volcano + bubble", "dog or cat")),
        (" / fox // pizza / ", ("fox", "pizza")),
    ],
)
def test_a_line_is_parted_into_choices(text, choices):
    assert split(text) == choices


@pytest.mark.parametrize("text", ["", "fox", "/", "a / b / c / d / e / f"])
def test_a_poll_has_two_to_five_choices(text):
    found = refusal(split, text)
    assert found.reason is Reason.BAD_INPUT
    assert "2 to 5 choices" in str(found)


def test_a_poll_is_reported_and_its_winner_comes_next(studio):
    studio.director.submit("ann", "goldfish")
    studio.director.submit("bob", "teapot")
    poll = studio.begin("castle / vulcano / volcano + pizza", 20)
    assert [(choice.number, choice.title) for choice in poll.choices] == [
        (1, "castle"), (2, "volcano"), (3, "volcano + pizza")
    ]  # fmt: skip
    assert poll.choices[1].names == ("volcano", "vulcano")
    assert (poll.state, poll.left_s, poll.user, poll.votes) == (PollState.OPEN, 20, "mod", 0)
    told, counted = studio.vote(("ann", 2), ("Bob", 3), ("cid", 2))
    assert counted == 3
    assert [choice.votes for choice in told.choices] == [0, 2, 1]
    studio.after(20)
    poll = studio.poll
    assert (poll.state, poll.winner, poll.tied, poll.left_s) == (PollState.DECIDED, 2, False, 0)
    assert studio.director.programme().poll == poll
    assert studio.titles()[0] == "volcano" or studio.director.programme().scene.title == "volcano"
    request = next(entry.request for entry in [*studio.director.programme().waiting] if entry.request.title == "volcano")
    assert (request.user, request.source) == ("the poll", "poll")
    studio.clock.advance(SHOWN_S)
    assert studio.poll is None


def test_the_winner_is_put_on_air_as_a_request_by_the_poll(studio):
    studio.begin(seconds=10)
    studio.vote(("ann", 3))
    scene = studio.after(10)
    assert (scene.title, scene.user) == ("volcano", "the poll")


def test_what_waits_already_is_put_in_front_instead(studio):
    studio.director.pause(True)
    for user, text in (("ann", "goldfish"), ("bob", "pizza")):
        studio.director.submit(user, text)
    studio.begin()
    studio.vote(("cid", 2))
    studio.director.end_poll()
    assert studio.titles() == ["pizza", "goldfish"]


def test_the_last_vote_of_a_viewer_counts_wherever_the_name_is_written_alike(studio):
    studio.begin()
    studio.vote(("Ann", 1), ("ANN", 2), ("@ann", 3))
    assert studio.counts() == (0, 0, 1)
    studio.vote(("ann", 1), source="web")
    assert studio.counts() == (1, 0, 1), "a page's visitor is another viewer, as for skipping"


viewers = st.sampled_from(["ann", "Bob", "cid", "ＤＡＮ", "@eve", "ANN"])
batches = st.lists(st.lists(st.tuples(viewers, st.integers(-1, 6)), max_size=8), max_size=6)


@settings(max_examples=40, deadline=None)
@given(batches)
def test_batches_count_as_single_votes_do(class_index, batches):
    with ExitStack() as opened:
        studio = Studio(opened, class_index)
        studio.begin()
        last = {}
        for batch in batches:
            studio.vote(*batch)
            last |= {user.strip("@").casefold().replace("ｄａｎ", "dan"): n for user, n in batch if 1 <= n <= 3}
        assert studio.counts() == tuple(list(last.values()).count(number) for number in (1, 2, 3))


def test_of_a_tie_the_first_to_get_there_wins(studio):
    studio.begin(seconds=10)
    studio.vote(("ann", 3), ("bob", 2), ("cid", 2), ("dan", 3))
    studio.after(10)
    assert (studio.poll.winner, studio.poll.tied) == (2, True)


def test_blocked_viewers_and_strange_numbers_do_not_count(studio):
    studio.director.block(BlockKind.USER, "mallory")
    studio.begin()
    _, counted = studio.vote(("Mallory", 1), ("ann", 4), ("bob", 0), ("\u202e", 1), ("cid", 1))
    assert counted == 1
    assert studio.counts() == (1, 0, 0)


def test_who_votes_is_there_for_voting_away(make):
    studio = make(voteskip_votes=1, voteskip_share=1.0)
    studio.begin()
    studio.vote(*((f"viewer{number}", 1) for number in range(9)))
    assert studio.director.voteskip("viewer1", "twitch").needed == 9


@pytest.mark.parametrize(
    ("text", "reason", "words"),
    [
        ("castle / qqqqq", Reason.UNKNOWN_WORD, "qqqqq"),
        ("castle / rifle", Reason.BLOCKED, "blocked here"),
        ("castle / guide a.jpg", Reason.FORBIDDEN, "guide pictures"),
        ("castle / pizza / castle", Reason.BAD_INPUT, "castle is in it twice"),
        ("castle", Reason.BAD_INPUT, "2 to 5"),
    ],
)
def test_choices_are_refused_as_requests_are(make, text, reason, words):
    studio = make(family_safe=True)
    found = refusal(studio.begin, text)
    assert found.reason is reason
    assert words in str(found)
    assert studio.poll is None


def test_blocked_words_and_what_the_network_has_not_learnt(make, tiny):
    studio = make(blocked_words=("cheese",))
    assert refusal(studio.begin, "castle / cheese pizza").reason is Reason.BLOCKED
    studio.director.learn(tiny)
    found = refusal(studio.begin, "jellyfish / volcano")
    assert found.reason is Reason.UNLEARNT
    assert found.suggestions


@pytest.mark.parametrize("seconds", [4.9, 1801, 0])
def test_a_time_that_is_too_short_or_too_long(studio, seconds):
    assert refusal(studio.begin, seconds=seconds).reason is Reason.BAD_INPUT


def test_layers_may_be_among_a_moderators_choices_only(studio, class_index):
    studio.director.learn(Vocabulary(class_index), [LayerEntry("fire5", 64, 4)])
    assert studio.begin("pizza / layer fire5").choices[1].title == "layer fire5"
    studio.director.end_poll(cancel=True)
    found = refusal(studio.director.begin_poll, "ann", "pizza / layer fire5", None, Role.EVERYONE)
    assert found.reason is Reason.FORBIDDEN


def test_there_is_one_poll_at_a_time_and_votes_are_for_that_one(studio):
    first = studio.begin()
    assert refusal(studio.begin).reason is Reason.DUPLICATE
    studio.director.end_poll(cancel=True)
    second = studio.begin()
    assert second.id != first.id
    assert refusal(studio.vote, ("ann", 1), poll_id=first.id).reason is Reason.NOT_FOUND
    studio.vote(("ann", 1), poll_id=second.id)
    assert studio.counts() == (1, 0, 0)


def test_no_vote_counts_after_the_end_even_before_the_next_look(studio):
    studio.begin(seconds=10)
    studio.clock.advance(10)
    assert refusal(studio.vote, ("ann", 1)).reason is Reason.NOT_FOUND
    studio.director.tick()
    assert studio.poll.winner is None
    assert studio.titles() == []


def test_a_moderator_ends_it_early_or_cancels_it(studio):
    assert refusal(studio.director.end_poll).reason is Reason.NOT_FOUND
    studio.begin()
    studio.vote(("ann", 1))
    poll = studio.director.end_poll()
    assert (poll.state, poll.winner) == (PollState.DECIDED, 1)
    assert studio.titles() == ["castle"]
    studio.begin()
    studio.vote(("ann", 2))
    poll = studio.director.end_poll(cancel=True)
    assert (poll.state, poll.winner, poll.votes) == (PollState.CANCELLED, None, 1)
    assert studio.titles() == ["castle"]


def test_a_block_of_a_choice_cancels_the_poll(studio):
    studio.begin()
    studio.director.block(BlockKind.CLASS, "goldfish")
    assert studio.poll.state is PollState.OPEN
    studio.director.block(BlockKind.WORD, "pizza")
    assert studio.poll.state is PollState.CANCELLED


def test_sums_from_elsewhere(studio):
    poll = studio.begin(seconds=10)
    studio.vote(("ann", 1), ("bob", 1), source="twitch")
    studio.vote(("page", 2), source="web")
    told = studio.director.count_votes("twitch", [0, 4, 1], poll.id)
    assert (told.outside, [choice.votes for choice in told.choices]) == ("twitch", [0, 5, 1])
    studio.director.count_votes("twitch", [6, 4, 1], poll.id)
    assert studio.counts() == (6, 5, 1)
    assert refusal(studio.director.count_votes, "twitch", [1, 2], poll.id).reason is Reason.BAD_INPUT
    studio.after(10)
    assert refusal(studio.director.count_votes, "twitch", [1, 2, 3], poll.id).reason is Reason.NOT_FOUND
    assert studio.poll.winner == 1


def test_a_restart_ends_it_without_a_winner(class_index, tmp_path):
    path = tmp_path / "queue.sqlite3"
    with RequestQueue(path) as queue:
        director = Director(queue, Vocabulary(class_index), QueueConfig(), seed=1)
        director.tick()
        director.begin_poll("mod", "castle / pizza")
        director.vote([PollVote("ann", 1)])
    with RequestQueue(path) as queue:
        director = Director(queue, Vocabulary(class_index), QueueConfig(), seed=1)
        assert director.poll is None
        assert director.programme().waiting == ()


# Polls that start by themselves


def test_a_poll_begins_by_itself_and_what_is_on_air_stays_until_it_is_over(make):
    studio = make(wander="poll")
    studio.director.tick()
    poll = studio.poll
    assert (poll.user, poll.length_s, len(poll.choices)) == ("", 30, 3)
    assert len({choice.title for choice in poll.choices}) == 3
    scene = studio.director.tick()
    assert scene.title not in [choice.title for choice in poll.choices]
    assert studio.after(29) is scene, "though it may wander on after 20 s"
    studio.vote(("ann", 2))
    won = studio.after(1)
    assert (won.title, won.user) == (poll.choices[1].title, "the poll")
    studio.after(5)
    assert studio.poll.state is PollState.DECIDED, "none is begun while a request is on air"
    studio.after(10)
    assert studio.poll.id != poll.id


def test_where_nobody_votes_it_wanders_by_chance_and_asks_again_later(make):
    studio = make(wander="poll")
    studio.director.tick()
    first, scene = studio.poll, studio.director.tick()
    studio.after(30)
    assert studio.poll.winner is None
    assert studio.director.tick() is not scene
    assert studio.director.programme().scene.user == ""
    studio.after(19)
    assert studio.poll is None
    studio.after(1)
    assert studio.poll.id != first.id


def test_a_request_interrupts_and_the_poll_continues(make):
    studio = make(wander="poll")
    studio.director.tick()
    poll = studio.poll
    studio.director.submit("ann", "teapot")
    studio.director.submit("bob", "goldfish")
    assert studio.director.tick().title == "teapot"
    assert studio.poll.id == poll.id
    studio.vote(("cid", 1))
    studio.director.end_poll()
    assert studio.titles() == ["goldfish", poll.choices[0].title], "not before those who asked"


def test_what_waits_need_not_wait_for_a_poll(make):
    studio = make(wander="poll", interrupt_wandering=False)
    studio.director.tick()
    studio.director.submit("ann", "teapot")
    assert studio.after(22).title == "teapot"


def test_it_is_between_the_operators_choice(make):
    studio = make(wander="poll", wander_among=("castle", "volcano + pizza", "teapot", "goldfish"), poll_choices=2)
    studio.director.tick()
    titles = {choice.title for choice in studio.poll.choices}
    assert len(titles) == 2
    assert titles <= {"castle", "volcano + pizza", "teapot", "goldfish"}


def test_with_one_thing_to_choose_there_is_no_poll(make):
    studio = make(wander="poll", wander_among=("castle",))
    studio.after(30)
    assert studio.poll is None


def test_none_begins_while_the_dream_is_held_or_after_one_was_cancelled(make):
    studio = make()
    studio.director.pause(True)
    studio.director.change_rules({"wander": "poll"})
    studio.director.tick()
    assert studio.poll is None
    studio.director.pause(False)
    studio.director.tick()
    assert studio.poll.state is PollState.OPEN
    studio.director.end_poll(cancel=True)
    studio.after(19)
    assert studio.poll is None


def test_after_a_layer_too(make, class_index):
    studio = make(wander="poll")
    studio.director.learn(Vocabulary(class_index), [LayerEntry("fire5", 64, 4)])
    studio.director.submit("mod", "layer fire5", role=Role.MODERATOR)
    assert studio.director.tick().title == "layer fire5"
    assert studio.after(12).user == ""
    assert len(studio.poll.choices) == 3


def test_a_winner_that_cannot_be_stored_is_logged_and_the_stream_continues(studio, monkeypatch, caplog):
    studio.begin()
    studio.vote(("ann", 1))

    def full(self):
        import sqlite3

        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(Store, "transaction", full)
    assert studio.director.end_poll().winner == 1
    assert "the poll's winner cannot be requested" in caplog.text
    studio.director.tick()
    caplog.clear()
