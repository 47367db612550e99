from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.role import Role
from streamer.config import QueueConfig
from streamer.messages.requests import Priority, Request
from streamer.messages.scenes import Target
from streamer.requests.order import moved, sort_queue, viewer_of

FIFO = QueueConfig(fair=False)


def ask(number, user="ann", **more):
    target = Target(f"n{number:08d}", f"thing {number}")
    return Request(number, user, "", (target,), Role.EVERYONE, "web", 1000.0 + number, **more)


def ids(waiting, rules=FIFO, last=None):
    return [request.id for request in sort_queue(waiting, rules, last)]


def by(*users):
    return [ask(number, user) for number, user in enumerate(users, 1)]


def test_first_come_first_served():
    assert ids([]) == []
    assert ids(by("ann", "bob", "ann")) == [1, 2, 3]


def test_a_vote_moves_up_one_place():
    assert ids([ask(1), ask(2), ask(3, votes=1)]) == [1, 3, 2]
    assert ids([ask(1), ask(2), ask(3, votes=2)]) == [3, 1, 2]
    assert ids([ask(1), ask(2, votes=1), ask(3, votes=1)]) == [2, 1, 3]


def test_most_votes_first():
    rules = QueueConfig(order="votes", fair=False)
    assert ids([ask(1), ask(2, votes=1), ask(3, votes=5), ask(4, votes=1)], rules) == [3, 2, 4, 1]


def test_a_raffle_is_drawn_once_and_votes_are_tickets():
    rules = QueueConfig(order="random", fair=False)
    waiting = [ask(number) for number in range(1, 41)]
    drawn = ids(waiting, rules)
    assert drawn != sorted(drawn) == list(range(1, 41))
    assert [number for number in drawn if number != 7] == ids([r for r in waiting if r.id != 7], rules)
    places = [ids([ask(n, votes=9 if n == m else 0) for n in range(1, 11)], rules).index(m) for m in range(1, 11)]
    assert sum(places) < sum(range(10)) / 2


def test_bits_before_points_before_the_rest():
    waiting = [
        ask(1, "a"),
        ask(2, "b", priority=Priority.POINTS, amount=10_000),
        ask(3, "c", priority=Priority.BITS, amount=100),
        ask(4, "d", priority=Priority.BITS, amount=500),
        ask(5, "e", priority=Priority.POINTS, amount=10_000),
    ]
    assert ids(waiting) == [4, 3, 2, 5, 1]
    assert ids(waiting, QueueConfig()) == [4, 3, 2, 5, 1]
    assert ids(waiting, QueueConfig(paid_first=False)) == [1, 2, 3, 4, 5]


def test_taking_turns():
    rules = QueueConfig()
    assert ids(by("ann", "ann", "ann", "bob", "cid", "bob"), rules) == [1, 4, 5, 2, 6, 3]
    assert ids(by("ann", "ann", "bob"), rules, last="web:ann") == [3, 1, 2]
    assert ids(by("ann", "ann"), rules, last="web:ann") == [1, 2]


def test_the_same_name_is_the_same_viewer():
    assert viewer_of("ＡＮＮ", "web") == viewer_of("@Ann", "web") != viewer_of("ann", "twitch")


def test_what_a_moderator_moved_stays():
    line = sort_queue(by("a", "b", "c", "d", "e"), FIFO)
    assert moved(line, 4, 1) == (4,)
    assert moved(line, 4, 2) == (1, 4)
    assert moved(line, 1, 3) == (2, 3, 1)
    assert moved(line, 1, 99) == (2, 3, 4, 5, 1)
    assert ids([ask(1), ask(2), ask(3, pinned_position=2, votes=0), ask(4, pinned_position=1), ask(5, votes=9)]) == [
        4,
        3,
        5,
        1,
        2,
    ]


def test_moving_in_front_of_what_was_moved_keeps_that():
    line = sort_queue([ask(1, pinned_position=1), ask(2, pinned_position=2), ask(3), ask(4)], FIFO)
    assert moved(line, 4, 1) == (4, 1, 2)
    assert moved(line, 1, 2) == (2, 1)
    assert moved(line, 2, 4) == (1, 3, 4, 2)


requests = st.lists(
    st.builds(
        lambda user, votes, priority, amount: (user, votes, priority, amount if priority is not Priority.NONE else 0),
        st.sampled_from(["ann", "bob", "cid", "dan"]),
        st.integers(0, 4),
        st.sampled_from([Priority.NONE, Priority.NONE, Priority.NONE, Priority.POINTS, Priority.BITS]),
        st.integers(1, 3),
    ),
    max_size=14,
).map(
    lambda rows: [
        ask(number, user, votes=votes, priority=priority, amount=amount)
        for number, (user, votes, priority, amount) in enumerate(rows, 1)
    ]
)
rules = st.builds(QueueConfig, order=st.sampled_from(["fifo", "random", "votes"]), fair=st.booleans(), paid_first=st.booleans())


def paid(request, rules):
    return request.priority.rank if rules.paid_first else 0


@given(requests, rules, st.sampled_from([None, "web:ann", "web:bob"]))
def test_nobody_is_lost_or_doubled_and_payment_counts(waiting, rules, last):
    line = sort_queue(waiting, rules, last)
    assert Counter(line) == Counter(waiting)
    ranks = [paid(request, rules) for request in line]
    assert ranks == sorted(ranks, reverse=True)


@given(requests, rules, st.sampled_from([None, "web:ann", "web:bob"]))
def test_no_viewer_twice_in_a_row_while_as_good_a_claim_waits(waiting, rules, last):
    rules = rules.model_copy(update={"fair": True})
    line = sort_queue(waiting, rules, last)
    had = [last, *(viewer_of(request.user, request.source) for request in line)]
    for place, (before, now) in enumerate(pairwise(had)):
        if before == now:
            rest = [r for r in line[place:] if paid(r, rules) == paid(line[place], rules)]
            assert {viewer_of(r.user, r.source) for r in rest} == {now}


@given(requests, rules)
def test_the_queue_shown_is_the_order_rendered(waiting, rules):
    """Unless something changes, the second in the queue is next once the first is on air."""
    if rules.order == "fifo":  # votes are worth places, which shift when the queue moves up
        waiting = [ask(r.id, r.user, priority=r.priority, amount=r.amount) for r in waiting]
    unfair = rules.model_copy(update={"fair": False})
    line = sort_queue(waiting, unfair)
    assert sort_queue([r for r in waiting if r != line[0]], unfair) == line[1:] if line else line == ()


@given(requests, rules, st.data())
def test_a_move_goes_where_it_should_and_leaves_the_others_in_order(waiting, rules, data):
    line = sort_queue(waiting, rules)
    for _ in range(3):
        if not line:
            return
        chosen = data.draw(st.sampled_from(line))
        position = data.draw(st.integers(1, len(line)))
        pinned = moved(line, chosen.id, position)
        places = {number: place for place, number in enumerate(pinned, 1)}
        waiting = [
            ask(
                r.id,
                r.user,
                votes=r.votes,
                priority=r.priority,
                amount=r.amount,
                pinned_position=places.get(r.id, r.pinned_position),
            )
            for r in waiting
        ]
        before = [r.id for r in line if r.id != chosen.id]
        line = sort_queue(waiting, rules)
        now = [r.id for r in line]
        assert now[position - 1] == chosen.id
        assert now[: len(pinned)] == list(pinned)
        assert [n for n in now[: len(pinned)] if n != chosen.id] == before[: len(pinned) - 1]


@pytest.mark.slow
@pytest.mark.parametrize("order", ["fifo", "random", "votes"])
def test_a_long_line_is_ordered(order):
    waiting = [ask(number, f"viewer {number % 700}", votes=number % 3) for number in range(10_000)]
    assert len(sort_queue(waiting, QueueConfig(order=order))) == 10_000
