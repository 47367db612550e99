import pytest

from streamer.config import QueueConfig
from streamer.messages import Reason, Refused, Request, Role, Target, Waiting
from streamer.requests import policy

VOLCANO, BUBBLE, PIZZA = Target("n09472597", "volcano"), Target("n09229709", "bubble"), Target("n07873807", "pizza")


def line(*requests):
    return [
        Waiting(Request(n, user, "", tuple(targets), Role.EVERYONE, "web", 0.0), position=n, eta_s=30.0 * n)
        for n, (user, *targets) in enumerate(requests, 1)
    ]


def refusal(waiting, user, targets, **config):
    with pytest.raises(Refused) as caught:
        policy.admit(waiting, user, targets, QueueConfig(**config))
    return caught.value.reason, str(caught.value), caught.value.retry_s


def test_lets_in():
    policy.admit([], "ann", [VOLCANO], QueueConfig(capacity=1, per_user=1))
    policy.admit(line(("ann", VOLCANO)), "bob", [VOLCANO, BUBBLE], QueueConfig(capacity=2, per_user=1))


def test_the_same_subjects_in_any_order_are_a_duplicate():
    waiting = line(("ann", PIZZA), ("ann", VOLCANO, BUBBLE))
    assert refusal(waiting, "bob", [BUBBLE, VOLCANO]) == (
        Reason.DUPLICATE,
        "volcano + bubble is already waiting, second in line",
        60.0,
    )


def test_a_viewers_share():
    waiting = line(("bob", BUBBLE), ("Ann", PIZZA))
    assert refusal(waiting, "ANN", [VOLCANO], per_user=1) == (
        Reason.LIMIT,
        "you have a request waiting already; wait until one is on air",
        60.0,
    )


def test_a_full_queue():
    waiting = line(("bob", BUBBLE), ("cid", PIZZA))
    reason, text, retry_s = refusal(waiting, "ann", [VOLCANO], capacity=2)
    assert (reason, text, retry_s) == (Reason.LIMIT, "the queue is full with 2 requests; try again later", 30.0)


def test_first_come_first_served():
    first, second = (entry.request for entry in line(("ann", VOLCANO), ("bob", BUBBLE)))
    assert policy.next_up([first, second]) is first
    assert policy.next_up([]) is None


def test_etas():
    assert policy.etas(3, 12.0, 30.0) == [12.0, 42.0, 72.0]


@pytest.mark.parametrize(
    ("position", "words"), [(1, "next"), (2, "second"), (6, "6th"), (11, "11th"), (21, "21st"), (22, "22nd"), (113, "113th")]
)
def test_places_in_words(position, words):
    assert policy.place(position) == words
