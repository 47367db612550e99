"""Votes are counted correctly in any order."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streamer.requests import vote_counts
from streamer.requests.vote_counts import PollTally, SkipVotes

votes = st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 2)), max_size=60)


def tally(*cast: tuple[str, int], choices: int = 3) -> PollTally:
    made = PollTally(choices)
    for voter, choice in cast:
        assert made.cast(voter, choice)
    return made


@given(votes)
def test_of_each_voter_the_last_vote_counts(cast):
    last = dict(cast)
    assert tally(*cast).counts == tuple(list(last.values()).count(choice) for choice in range(3))


def winner_by_replay(cast):
    """Return the leading choices from the counts after each vote, the one that has had its votes longest first."""
    last, history = {}, [(0, 0, 0)]
    for voter, choice in cast:
        last[voter] = choice
        history.append(tuple(list(last.values()).count(each) for each in range(3)))
    final = history[-1]

    def since(choice):
        place = len(history) - 1
        while place and history[place - 1][choice] == final[choice]:
            place -= 1
        return place

    leading = [choice for choice in range(3) if final[choice] == max(final) > 0]
    return sorted(leading, key=since)


@given(votes)
@example([("a", 1), ("b", 0)])
@example([("a", 0), ("b", 1), ("a", 2), ("c", 0)])
@example([])
def test_of_as_many_votes_those_that_were_there_first_lead(cast):
    assert [set(tally(*cast).leaders)] == [set(winner_by_replay(cast))]
    if leaders := tally(*cast).leaders:
        assert leaders[0] == winner_by_replay(cast)[0]


@given(votes, st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50)), max_size=5))
def test_sums_from_elsewhere_take_the_place_of_the_last_ones(cast, sums):
    made = tally(*cast)
    own = made.counts
    for counts in sums:
        made.count("twitch", counts)
    last = sums[-1] if sums else (0, 0, 0)
    assert made.counts == tuple(map(sum, zip(own, last, strict=True)))


def test_votes_of_a_place_are_taken_back():
    made = tally(("twitch:a", 0), ("web:a", 0), ("twitch:b", 1), ("twitch:c", 1))
    made.forget("twitch:")
    assert made.counts == (1, 0, 0)
    assert made.leaders == (0,)
    assert made.cast("twitch:a", 2)
    assert made.counts == (1, 0, 1)


def test_ten_thousand_voters_are_counted():
    made = tally(*((f"web:{number}", number % 3) for number in range(10_000)))
    assert made.counts == (3334, 3333, 3333)
    assert made.leaders == (0,)


def test_voters_are_bounded_but_those_counted_may_change_their_mind(monkeypatch):
    monkeypatch.setattr(vote_counts, "VOTERS", 2)
    made = tally(("a", 0), ("b", 0))
    assert not made.cast("c", 1)
    assert made.cast("a", 1)
    assert made.counts == (1, 1, 0)


def test_votes_against_a_scene_start_again_with_the_next():
    votes = SkipVotes()
    assert [votes.cast(1, "a"), votes.cast(1, "a"), votes.cast(1, "b"), votes.cast(2, "a")] == [1, 1, 2, 1]


def test_as_many_sums_as_choices():
    with pytest.raises(ValueError, match="argument"):
        PollTally(3).count("twitch", (1, 2))
