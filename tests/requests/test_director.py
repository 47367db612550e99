import logging
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest

from streamer.config import QueueConfig
from streamer.messages import Layout, Reason, Refused
from streamer.requests.director import Director
from streamer.requests.queue import RequestQueue
from streamer.requests.vocabulary import Vocabulary
from tests.fakes import HandClock


class Studio:
    """A director with everything it needs, and a clock to turn."""

    def __init__(self, shelf, path=None, layout=Layout.AUTO, seed=0, available=None, **config):
        self.clock = HandClock()
        self.queue = RequestQueue(path, clock=lambda: 0.0)
        self.director = Director(
            self.queue,
            Vocabulary(shelf, available),
            QueueConfig(hold_s=30.0, wander_s=20.0, **config),
            layout,
            seed,
            self.clock,
        )

    def after(self, seconds):
        self.clock.advance(seconds)
        return self.director.tick()

    def waiting(self):
        return [(entry.request.title, entry.position, entry.eta_s) for entry in self.director.programme().waiting]


@pytest.fixture
def make(shelf):
    studios = []

    def make_studio(*args, **kwargs):
        studios.append(Studio(shelf, *args, **kwargs))
        return studios[-1]

    yield make_studio
    for studio in studios:
        studio.queue.close()


@pytest.fixture
def studio(make):
    return make()


def refusal(call, *args, **kwargs):
    with pytest.raises(Refused) as caught:
        call(*args, **kwargs)
    return caught.value


def test_before_the_first_tick(studio):
    programme = studio.director.programme()
    assert (programme.scene, programme.since_s, programme.left_s, programme.waiting) == (None, 0.0, None, ())
    assert refusal(studio.director.skip).reason is Reason.NOT_FOUND
    assert studio.director.submit("ann", "volcano").eta_s == 0
    assert studio.director.tick().title == "volcano"


def test_a_request_ends_wandering_and_is_held(studio):
    wandering = studio.director.tick()
    assert (wandering.user, wandering.request_id, wandering.id) == ("", None, 0)
    receipt = studio.director.submit("Ann", "volcano + bubble")
    assert (receipt.position, receipt.eta_s, receipt.note) == (1, 0.0, "")
    scene = studio.after(0.1)
    assert (scene.title, scene.user, scene.request_id, scene.id) == ("volcano + bubble", "Ann", receipt.id, 1)
    assert [region.box for region in scene.regions] == [(0, 0, 1, 0.5), (0, 0.5, 1, 1)]
    assert studio.after(29.8) is scene
    assert studio.after(0.3).user == ""
    assert studio.queue.waiting() == ()


def test_wandering_is_left_to_end_if_so_configured(make):
    studio = make(interrupt_wandering=False)
    wandering = studio.director.tick()
    studio.clock.advance(5)
    assert studio.director.submit("ann", "volcano").eta_s == 15
    assert studio.director.programme().left_s == 15
    assert studio.after(14) is wandering
    assert studio.after(1).title == "volcano"


def test_the_line_and_its_times(make):
    studio = make(fair=False)
    for subject in ("volcano", "bubble", "pizza"):
        studio.director.submit("ann", subject)
    studio.director.tick()
    studio.clock.advance(10)
    programme = studio.director.programme()
    assert (programme.since_s, programme.left_s) == (10, 20)
    assert studio.waiting() == [("bubble", 1, 20), ("pizza", 2, 50)]
    assert studio.director.submit("bob", "castle").eta_s == 80
    assert [studio.after(s).title for s in (20, 30, 30)] == ["bubble", "pizza", "castle"]


def test_wandering_never_repeats_and_follows_the_seed(make):
    def wanderings(seed):
        studio = make(seed=seed)
        return [frozenset(region.target for region in studio.after(20).regions) for _ in range(60)]

    seen = wanderings(1)
    assert all(not one & other for one, other in pairwise(seen))
    assert seen == wanderings(1)
    assert seen != wanderings(2)
    assert len(set(seen)) > 50


def test_wandering_with_a_single_class(make):
    studio = make(available=["n09472597"])
    assert [studio.after(20).title for _ in range(3)] == ["volcano"] * 3


def test_wandering_among_three_never_repeats(make):
    studio = make(available=["n01440764", "n01443537", "n01484850"])
    titles = [studio.after(20).title for _ in range(20)]
    assert all(one != other for one, other in pairwise(titles))


def test_skip(studio):
    studio.director.submit("ann", "volcano")
    studio.director.submit("ann", "bubble")
    assert studio.director.tick().title == "volcano"
    studio.director.skip()
    assert studio.director.programme().scene.title == "bubble"
    assert studio.after(29).title == "bubble"
    studio.director.skip()
    assert studio.director.tick().user == ""
    first = studio.director.tick()
    studio.director.skip()
    assert studio.director.tick() is not first


def test_pause_holds_and_goes_on_where_it_stood(studio):
    studio.director.submit("ann", "volcano")
    studio.director.submit("ann", "bubble")
    scene = studio.director.tick()
    studio.clock.advance(10)
    studio.director.pause(True)
    studio.director.pause(True)
    assert studio.after(1000) is scene
    programme = studio.director.programme()
    assert (programme.paused, programme.left_s, programme.since_s) == (True, None, 10)
    assert studio.waiting() == [("bubble", 1, 20)]
    studio.director.pause(False)
    studio.director.pause(False)
    assert studio.director.programme().left_s == 20
    assert studio.after(19.5) is scene
    assert studio.after(0.5).title == "bubble"


def test_skip_while_paused_goes_on_and_stays_paused(studio):
    studio.director.submit("ann", "volcano")
    studio.director.submit("ann", "bubble")
    studio.director.tick()
    studio.director.pause(True)
    studio.clock.advance(5)
    studio.director.skip()
    assert studio.after(100).title == "bubble"
    assert studio.director.programme().since_s == 0
    studio.director.pause(False)
    assert studio.director.programme().left_s == 30
    assert studio.after(29).title == "bubble"


def test_remove_and_clear(studio):
    ids = [studio.director.submit("ann", subject).id for subject in ("volcano", "bubble", "pizza")]
    studio.director.tick()
    studio.director.remove(ids[1])
    assert [title for title, _, _ in studio.waiting()] == ["pizza"]
    assert refusal(studio.director.remove, ids[1]).reason is Reason.NOT_FOUND
    assert "on air already" in str(refusal(studio.director.remove, ids[0]))
    assert studio.director.clear() == 1
    assert studio.director.tick().title == "volcano"
    assert studio.after(30).user == ""


def test_limits_and_duplicates(make):
    studio = make(capacity=3, per_user=2)
    studio.director.submit("ann", "volcano")
    assert refusal(studio.director.submit, "bob", "VOLCANOES").reason is Reason.DUPLICATE
    studio.director.submit("ann", "bubble")
    assert refusal(studio.director.submit, "Ann", "pizza").reason is Reason.LIMIT
    studio.director.submit("bob", "pizza")
    assert refusal(studio.director.submit, "cid", "castle").reason is Reason.LIMIT
    studio.director.tick()
    studio.director.submit("cid", "volcano")


def test_a_message_delivered_twice_is_one_request(studio):
    receipt = studio.director.submit("ann", "volcano", message_id="m1")
    assert studio.director.submit("ann", "volcano", message_id="m1") == receipt
    studio.director.tick()
    assert refusal(studio.director.submit, "ann", "volcano", message_id="m1").reason is Reason.DUPLICATE
    assert studio.waiting() == []


def test_names_and_texts_are_cleaned(studio):
    studio.director.submit("\u202eA\u200bn\nn" + "x" * 99, "  vol\u200bcano\x00 ", message_id="\ud800")
    (request,) = studio.queue.waiting()
    assert (request.user, request.text) == ("An n" + "x" * 21, "volcano")
    studio.director.submit("\u200b", "bubble")
    assert studio.queue.waiting()[1].user == "someone"


def test_the_request_on_air_outlives_a_crash(make, tmp_path):
    path = tmp_path / "queue.sqlite3"
    studio = make(path)
    for subject in ("volcano", "bubble", "pizza", "castle", "church"):
        studio.director.submit(subject, subject)
    studio.director.tick()
    assert studio.after(30).title == "bubble"
    studio.queue.close()  # in mid-hold: nothing was finished
    studio = make(path)
    dreamt = [studio.director.tick().title, *(studio.after(30).title for _ in range(3))]
    assert dreamt == ["bubble", "pizza", "castle", "church"]
    assert studio.after(30).user == ""
    studio.queue.close()
    assert make(path).director.tick().user == ""


def test_a_disk_that_fails_refuses_politely(make, tmp_path, caplog):
    studio = make(tmp_path / "queue.sqlite3")
    studio.queue.store.connection.execute("PRAGMA query_only = ON")
    with caplog.at_level(logging.ERROR):
        assert refusal(studio.director.submit, "ann", "volcano").reason is Reason.CLOSED
    assert "cannot be kept" in caplog.text
    caplog.clear()
    assert studio.director.tick().user == ""


def test_a_change_of_network(make, shelf, tiny):
    studio = make()
    studio.director.submit("ann", "volcano")
    studio.director.submit("bob", "red fox + pizza")
    before = studio.director.tick()
    studio.director.vocabulary = tiny
    after = studio.after(5)
    assert (after.title, after.user, after.id) == ("alpine mountain", "ann", before.id + 1)
    assert studio.after(25).title == "red panda + pizza"
    assert refusal(studio.director.submit, "cid", "volcano").reason is Reason.UNKNOWN_WORD
    available = {target.wnid for target in tiny.available}
    for _ in range(10):
        assert {region.target.wnid for region in studio.after(30).regions} <= available


def test_layouts(make):
    studio = make(layout=Layout.LEFT_RIGHT)
    studio.director.submit("ann", "volcano + bubble")
    assert [region.box for region in studio.director.tick().regions] == [(0, 0, 0.5, 1), (0.5, 0, 1, 1)]


def test_many_threads(make, shelf):
    studio = make(capacity=1000, per_user=1000)
    labels = [entry.label for entry in shelf.entries[:40]]
    with ThreadPoolExecutor(4) as pool:
        receipts = list(pool.map(lambda label: studio.director.submit("ann", label), labels))
        list(pool.map(lambda _: studio.director.tick(), range(20)))
    assert len({receipt.id for receipt in receipts}) == 40
    assert len(studio.waiting()) == 39
