import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.role import Role
from streamer.config import QueueConfig
from streamer.messages.refused import Reason, Refused, Vote
from streamer.messages.requests import Priority, Request, Waiting
from streamer.messages.scenes import Target
from streamer.requests import policy
from streamer.requests.blocks import Blocks, comparable_name, comparable_word
from streamer.requests.policy import NEVER, DraftRequest, TimeSinceRequests

VOLCANO, BUBBLE, PIZZA = Target("n09472597", "volcano"), Target("n09229709", "bubble"), Target("n07873807", "pizza")


def line(*requests):
    return [
        Waiting(Request(n, user, "", tuple(targets), Role.EVERYONE, "web", 0.0), position=n, eta_s=30.0 * n)
        for n, (user, *targets) in enumerate(requests, 1)
    ]


def crowd(count):
    return line(*((f"viewer {n}", Target(f"n{n:08d}", f"thing {n}")) for n in range(count)))


def draft(user="ann", *targets, **more):
    return DraftRequest(user, more.pop("text", ""), targets or (VOLCANO,), **more)


def refusal(waiting, asked, blocks=None, since=NEVER, **config):
    with pytest.raises(Refused) as caught:
        policy.admit(asked, waiting, QueueConfig(**config), blocks or Blocks(), since)
    return caught.value.reason, str(caught.value), caught.value.retry_s


def passes(waiting, asked, blocks=None, since=NEVER, **config):
    policy.admit(asked, waiting, QueueConfig(**config), blocks or Blocks(), since)


def test_lets_in():
    passes([], draft(), capacity=1, per_user=1)
    passes(line(("ann", VOLCANO)), draft("bob", VOLCANO, BUBBLE), capacity=2, per_user=1)


def test_the_same_subjects_in_any_order_are_a_duplicate():
    waiting = line(("ann", PIZZA), ("ann", VOLCANO, BUBBLE))
    assert refusal(waiting, draft("bob", BUBBLE, VOLCANO)) == (
        Reason.DUPLICATE,
        "volcano + bubble is already waiting, second in line",
        None,
    )
    assert policy.find_duplicate(draft("bob", BUBBLE, VOLCANO), waiting) is waiting[1]


def test_a_viewers_share():
    waiting = line(("bob", BUBBLE), ("Ann", PIZZA))
    assert refusal(waiting, draft("ANN"), per_user=1) == (
        Reason.LIMIT,
        "you have a request waiting already",
        60.0,
    )
    assert refusal(line(("ann", BUBBLE), ("ann", PIZZA)), draft(), per_user=2)[1].startswith("you have 2 requests")


def test_the_same_name_elsewhere_is_somebody_else():
    passes(line(("ann", BUBBLE)), draft("ann", source="twitch"), per_user=1)


@pytest.mark.parametrize(
    ("role", "share"),
    [(Role.EVERYONE, 2), (Role.SUBSCRIBER, 3), (Role.VIP, 5), (Role.MODERATOR, None), (Role.BROADCASTER, None)],
)
def test_a_larger_share_for_subscribers_and_vips(role, share):
    rules = {"per_user": 2, "subscriber_bonus": 1, "vip_bonus": 3}
    for count in range(8):
        waiting = line(*(("ann", Target(f"n{n:08d}", f"thing {n}")) for n in range(count)))
        if share is None or count < share:
            passes(waiting, draft(role=role), **rules)
        else:
            assert refusal(waiting, draft(role=role), **rules)[0] is Reason.LIMIT


def test_a_full_queue():
    waiting = line(("bob", BUBBLE), ("cid", PIZZA))
    reason, text, retry_s = refusal(waiting, draft(), capacity=2)
    assert (reason, text, retry_s) == (Reason.LIMIT, "the queue is full with 2 requests", 30.0)
    refusal(waiting, draft(priority=Priority.POINTS, amount=100), capacity=2)


@pytest.mark.parametrize("favour", [{"role": Role.MODERATOR}, {"role": Role.BROADCASTER}, {"priority": Priority.BITS}])
def test_spare_places_are_few(favour):
    passes(crowd(2 + policy.SPARE - 1), draft(**favour), capacity=2)
    assert refusal(crowd(2 + policy.SPARE), draft(**favour), capacity=2)[0] is Reason.LIMIT


def test_closed_but_for_moderators():
    assert refusal([], draft(role=Role.VIP), open=False) == (Reason.CLOSED, "requests are closed at the moment", None)
    assert refusal([], draft(priority=Priority.BITS), open=False)[0] is Reason.CLOSED
    passes([], draft(role=Role.MODERATOR), open=False)


def test_cooldowns():
    assert refusal([], draft(), since=TimeSinceRequests(anyone_s=3, viewer_s=10), user_cooldown_s=60) == (
        Reason.LIMIT,
        "you asked 10 s ago",
        50,
    )
    assert refusal([], draft(), since=TimeSinceRequests(anyone_s=3), cooldown_s=5) == (
        Reason.LIMIT,
        "requests are coming in fast",
        2,
    )
    passes([], draft(), since=TimeSinceRequests(5, 60), cooldown_s=5, user_cooldown_s=60)
    for free in ({"role": Role.MODERATOR}, {"priority": Priority.POINTS}, {"priority": Priority.BITS}):
        passes([], draft(**free), since=TimeSinceRequests(0, 0), cooldown_s=5, user_cooldown_s=60)


def blocks(*words, users=(), wnids=()):
    return Blocks(frozenset(map(comparable_word, words)), frozenset(map(comparable_name, users)), frozenset(wnids))


@pytest.mark.parametrize("role", list(Role))
def test_blocks_hold_for_everybody(role):
    paid = {"role": role, "priority": Priority.BITS}
    for kept_out in (blocks("volcano"), blocks(users=["ANN"]), blocks(wnids=[VOLCANO.wnid]), blocks("ann")):
        assert refusal([], draft(**paid), kept_out)[0] is Reason.BLOCKED


@pytest.mark.parametrize(
    ("word", "text", "found"),
    [
        ("volcano", "a VOLCANO, please", True),
        ("volcano", "ｖｏｌｃａｎｏ", True),
        ("VOLCANO", "volcano", True),
        ("volcano", "volcanology", False),
        ("volcano", "supervolcano", False),
        ("volcano", "my_volcano_99", True),
        ("straße", "STRASSE", True),
        ("ﬁre", "fire", True),
        ("red wine", "some red   wine", True),
        ("red wine", "redwine", False),
        ("c++", "c++ code", True),
        ("🖕", "hello🖕", True),
        ("🐻", "a 🐻\u200d❄", True),
        ("🐻\u200d❄\ufe0f", "a 🐻❄", True),
        ("a.c", "abc", False),
        ("été", "ÉTÉ", True),
    ],
)
def test_whole_words(word, text, found):
    assert (blocks(word).word_in(text) is not None) is found


def test_a_refusal_never_repeats_the_word():
    assert "slur" not in refusal([], draft(text="a slur"), blocks("slur"))[1]


def test_a_name_is_compared_as_it_is_read():
    assert blocks(users=["@Bad_Guy"]).blocks_user("bad_guy")
    assert blocks(users=["ＢＯＢ"]).blocks_user("Bob")
    assert not blocks(users=["bob"]).blocks_user("bobby")


@pytest.mark.parametrize(("seen", "needed"), [(0, 3), (5, 3), (6, 3), (7, 4), (100, 50)])
def test_votes_needed(seen, needed):
    assert policy.votes_needed(QueueConfig(voteskip_share=0.5, voteskip_votes=3), seen) == needed


def test_a_second_requester_sees_their_vote():
    vote = Vote(7, True, 2, "volcano", 2, 30.0)
    assert policy.explain_duplicate(vote, own=False) == "volcano is waiting already, second in line; your vote counts for it"
    again = Vote(7, False, 2, "volcano", 1, 0.0)
    assert policy.explain_duplicate(again, own=True) == "you asked for volcano already, next in line"
    assert policy.explain_duplicate(again, own=False) == "you voted for volcano already, next in line"


def test_etas():
    assert policy.etas(3, 12.0, 30.0) == [12.0, 42.0, 72.0]


@pytest.mark.parametrize(
    ("position", "words"), [(1, "next"), (2, "second"), (6, "6th"), (11, "11th"), (21, "21st"), (22, "22nd"), (113, "113th")]
)
def test_places_in_words(position, words):
    assert policy.ordinal(position) == words


@given(
    st.integers(0, 20),
    st.sampled_from(Role),
    st.sampled_from(Priority),
    st.floats(0, 100),
    st.floats(0, 100),
    st.builds(
        QueueConfig,
        capacity=st.integers(1, 12),
        per_user=st.integers(1, 3),
        cooldown_s=st.floats(0, 50),
        user_cooldown_s=st.floats(0, 50),
        open=st.booleans(),
    ),
)
def test_who_is_let_in_could_not_be_refused_for_more_rights(count, role, priority, anyone_s, viewer_s, rules):
    """More rights never hurt, and the queue never grows beyond its places."""

    def let_in(role, priority):
        try:
            policy.admit(
                draft(role=role, priority=priority), crowd(count), rules, Blocks(), TimeSinceRequests(anyone_s, viewer_s)
            )
        except Refused:
            return False
        return True

    if let_in(role, priority):
        assert count < rules.capacity + policy.SPARE
        assert let_in(Role.BROADCASTER, priority)
        assert let_in(role, Priority.BITS)
