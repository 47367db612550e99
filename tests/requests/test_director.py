from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from itertools import pairwise

import pytest

from shared.role import Role
from streamer.config import QueueConfig
from streamer.messages.keyframes import Keyframe
from streamer.messages.motion import Pose
from streamer.messages.network_contents import LayerEntry
from streamer.messages.queue_rules import BlockKind
from streamer.messages.refused import Reason, Refused
from streamer.messages.requests import Priority, RequestState
from streamer.messages.scenes import Layout
from streamer.messages.viewer_polls import SkipVote
from streamer.requests.director import Director
from streamer.requests.queue import RequestQueue
from streamer.requests.schema import QueueError
from streamer.requests.vocabulary import LOADING_S, Vocabulary
from tests.fakes import HandClock


class DreamClock(HandClock):
    """A clock that also sends keyframes of the scene on air: one immediately, one a second, and one at the end."""

    director = None
    dreams = True
    """Whether keyframes are sent."""

    latest = None

    def keyframe(self, scene=None, steps=1):
        scene = scene or self.director.programme().scene
        if scene is not None and (self.now_s, scene) != self.latest:
            self.latest = self.now_s, scene
            self.director.note_keyframe(Keyframe(None, Pose(), self.now_s, scene, 0, steps))

    def advance(self, seconds):
        while self.dreams and seconds > 0:
            self.keyframe()
            super().advance(min(1, seconds))
            seconds -= 1
        if self.dreams:
            self.keyframe()
        else:
            super().advance(seconds)


class Studio:
    """A director with everything it needs, and a clock that tests advance."""

    def __init__(self, opened, class_index, path=None, layout=Layout.AUTO, seed=0, available=None, loading=False, **config):
        self.clock = DreamClock()
        self.queue = opened.enter_context(RequestQueue(path, clock=lambda: 0.0))
        self.director = Director(
            self.queue,
            Vocabulary(class_index, available, loading=loading),
            QueueConfig(**{"hold_s": 30.0, "wander_s": 20.0, **config}),
            layout,
            seed,
            self.clock,
        )
        self.clock.director = self.director

    def after(self, seconds):
        self.clock.advance(seconds)
        return self.director.tick()

    def ask(self, *users_and_texts, **more):
        return [self.director.submit(user, text, **more).id for user, text in users_and_texts]

    def titles(self):
        return [entry.request.title for entry in self.director.programme().waiting]

    def waiting(self):
        return [(entry.request.title, entry.position, entry.eta_s) for entry in self.director.programme().waiting]


@pytest.fixture
def make(class_index, tmp_path):  # the queue is closed before its folder is removed
    with ExitStack() as opened:  # closes the queue even if the director refuses its settings
        yield partial(Studio, opened, class_index)


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


LAYERS = (LayerEntry("fire5", 256, 8), LayerEntry("fire6", 384, 16))


def test_moderators_ask_for_layers(studio, class_index):
    studio.director.learn(Vocabulary(class_index), LAYERS)
    assert studio.director.layers == LAYERS
    assert refusal(studio.director.submit, "ann", "layer fire5").reason is Reason.FORBIDDEN
    receipt = studio.director.submit("mo", "volcano + layer Fire 5:3,1", role=Role.MODERATOR)
    assert receipt.title == "volcano + layer fire5:1,3"
    assert studio.director.match("layer fire6", Role.BROADCASTER).title == "layer fire6"
    assert refusal(studio.director.match, "layer fire6").reason is Reason.FORBIDDEN
    twin = refusal(studio.director.submit, "broad", "layer fire5:1,3 & volcano", role=Role.BROADCASTER)
    assert (twin.reason, twin.vote.counted) == (Reason.DUPLICATE, True)
    assert refusal(studio.director.submit, "ann", "layer fire5:1,3 + volcano").vote.counted, "viewers may vote for it"
    assert refusal(studio.director.submit, "ann", "layer fire5:1,4 + volcano").reason is Reason.FORBIDDEN
    assert studio.director.submit("mo", "layer fire5", role=Role.MODERATOR).position == 2, "all channels are something else"
    assert studio.director.tick().title == "volcano + layer fire5:1,3"


def test_guides_are_nobodys_to_ask_for(studio, class_index):
    studio.director.learn(Vocabulary(class_index), LAYERS)
    for role in Role:
        assert refusal(studio.director.submit, "mo", "guide ../secret.jpg", role=role).reason is Reason.FORBIDDEN


def test_after_a_layer_it_wanders_on(studio, class_index):
    studio.director.learn(Vocabulary(class_index), LAYERS)
    studio.director.submit("mo", "layer fire5", role=Role.MODERATOR)
    assert studio.director.tick().title == "layer fire5"
    assert studio.after(60).user == ""


def test_before_the_network_is_loaded_there_are_no_layers(studio):
    assert refusal(studio.director.submit, "mo", "layer fire5", role=Role.MODERATOR).reason is Reason.LOADING


def test_what_is_promised_while_the_network_loads_any_network_keeps(make, class_index, tiny):
    studio = make(loading=True)
    refused = refusal(studio.director.submit, "ann", "volcano + bubble")
    assert (refused.reason, refused.retry_s) == (Reason.LOADING, LOADING_S)
    assert "'volcano'" in str(refused)
    assert [tiny.match(near).title for near in refused.suggestions] == list(refused.suggestions)
    assert refusal(studio.director.match, "volcano").reason is Reason.LOADING, "one answer, however it is asked"
    studio.ask(("ann", "dog"), ("bob", "vulture pizza"), ("cid", "umbrella + jellyfish"))
    promised = studio.titles()
    studio.director.learn(tiny)
    assert studio.titles() == promised
    assert studio.director.changes(0, "web") == ()
    seen = [studio.director.tick().title] + [studio.after(30).title for _ in range(2)]
    assert seen == promised
    assert refusal(studio.director.submit, "ann", "volcano").reason is Reason.UNLEARNT
    studio.director.learn(Vocabulary(class_index, class_index.index.keys()))
    assert studio.director.submit("ann", "volcano").title == "volcano"


def test_what_waits_from_before_is_no_other_thing_while_the_network_loads(make, tmp_path):
    first = make(tmp_path / "queue")
    first.ask(("ann", "volcano"))
    first.queue.close()
    second = make(tmp_path / "queue", loading=True)
    assert second.titles() == ["volcano"]
    assert second.director.programme().waiting[0].instead_of == ""


def test_requesters_learn_what_another_network_makes_of_requests(make, class_index, tiny):
    studio = make()
    numbers = studio.ask(("ann", "volcano"), ("bob", "red fox + pizza"), ("cid", "goldfish"))
    studio.director.submit("dee", "castle", source="twitch")
    studio.director.tick()
    studio.director.learn(tiny)
    told = [
        (change.number, change.request_id, change.user, change.asked, change.title)
        for change in studio.director.changes(0, "web")
    ]
    assert told == [
        (1, numbers[0], "ann", "volcano", "alpine mountain"),
        (2, numbers[1], "bob", "red fox + pizza", "red panda + pizza"),
    ]
    assert [change.user for change in studio.director.changes(0, "twitch")] == ["dee"]
    assert studio.director.changes(2, "web") == ()
    assert studio.director.programme().instead_of == "volcano"
    waiting = studio.director.programme().waiting
    assert [entry.instead_of for entry in waiting] == ["red fox + pizza", "", "castle"]
    assert waiting[0].request.title == "red panda + pizza"
    assert studio.director.standing(numbers[1]).request.title == "red panda + pizza"
    studio.director.learn(tiny)
    assert len(studio.director.changes(0, "web")) == 2, "once"
    studio.director.learn(Vocabulary(class_index, class_index.index.keys()))
    assert [(change.asked, change.title) for change in studio.director.changes(2, "web")][-1] == (
        "red panda + pizza",
        "red fox + pizza",
    )
    assert studio.titles() == ["red fox + pizza", "goldfish", "castle"], "what was asked for is not forgotten"


@pytest.mark.logs("left out request")
def test_the_requester_learns_what_is_left_out(make, class_index):
    studio = make()
    studio.director.learn(Vocabulary(class_index), LAYERS)
    studio.director.submit("mo", "layer fire5", role=Role.MODERATOR, source="twitch")
    studio.director.learn(Vocabulary(class_index), [])
    studio.director.tick()
    (change,) = studio.director.changes(0, "twitch")
    assert (change.user, change.asked, change.title) == ("mo", "layer fire5", "")


def test_a_bot_that_knows_of_more_changes_than_there_are_is_sent_all(make, tiny):
    studio = make()
    studio.ask(("ann", "volcano"))
    studio.director.learn(tiny)
    assert len(studio.director.changes(99, "web")) == 1, "that number is from another run"


def test_a_layer_that_another_network_lacks_leaves(studio, class_index, caplog):
    studio.director.learn(Vocabulary(class_index), LAYERS)
    studio.director.submit("mo", "layer fire5:200", role=Role.MODERATOR)
    studio.director.submit("mo", "layer fire6 + pizza", role=Role.MODERATOR)
    studio.director.tick()
    studio.director.learn(Vocabulary(class_index), [LayerEntry("fire5", 128, 8)])
    assert studio.director.tick().title == "pizza"
    studio.director.learn(Vocabulary(class_index), LAYERS)
    studio.director.submit("mo", "layer fire6", role=Role.MODERATOR)
    studio.director.learn(Vocabulary(class_index), [])
    assert studio.after(30).user == ""
    assert "this network can dream nothing like layer fire6" in caplog.text
    caplog.clear()


def test_layers_wait_over_a_restart(make, class_index, tmp_path):
    first = make(tmp_path / "queue.sqlite3")
    first.director.learn(Vocabulary(class_index), LAYERS)
    first.director.submit("mo", "volcano + layer fire5:3,17-20", role=Role.MODERATOR)
    first.queue.close()
    second = make(tmp_path / "queue.sqlite3")
    second.director.learn(Vocabulary(class_index), LAYERS)
    scene = second.director.tick()
    assert [region.target.label for region in scene.regions] == ["volcano", "layer fire5:3,17-20"]
    assert scene.regions[1].target.channels == (3, 17, 18, 19, 20)


def test_wandering_among_what_the_operator_chose(make, class_index, tmp_path):
    (tmp_path / "flowers.jpg").touch()
    studio = make(wander_among=("volcano", "layer fire5 + bubble", f"guide {tmp_path}/flowers.jpg at fire6"))
    studio.director.learn(Vocabulary(class_index), LAYERS)
    titles = [studio.after(20).title for _ in range(12)]
    assert set(titles) == {"volcano", "layer fire5 + bubble", "guide flowers"}
    assert all(one != other for one, other in pairwise(titles))
    assert all(titles.count(title) == 4 for title in set(titles)), "each in its turn"


def test_a_single_choice_stays_until_somebody_asks(make):
    studio = make(wander_among=("volcano",))
    scene = studio.director.tick()
    assert scene.title == "volcano"
    assert all(studio.after(20) is scene for _ in range(5)), "a change to the same would be seen"
    studio.director.submit("ann", "pizza")
    assert studio.director.tick().title == "pizza"
    back = studio.after(30)
    assert (back.title, back.id) == ("volcano", 2)
    studio.director.skip()
    assert studio.director.tick() is back


def test_what_the_network_cannot_dream_is_left_out_of_the_choice(make, class_index, caplog):
    studio = make(wander_among=("layer fire5", "volcano", "guide lost.jpg"))
    studio.director.learn(Vocabulary(class_index), [LayerEntry("conv1", 8, 2)])
    assert {studio.after(20).title for _ in range(5)} == {"volcano"}
    assert caplog.text.count("left out 'guide lost.jpg' of queue.wander_among: there is no picture 'lost.jpg'") == 1
    assert caplog.text.count("left out 'layer fire5' of queue.wander_among: this network has no layer 'fire5'") == 1
    studio.director.block(BlockKind.CLASS, "volcano")
    assert studio.director.tick().title not in ("volcano", "layer fire5"), "anything, where nothing of it is left"
    caplog.clear()


def test_a_choice_that_only_a_larger_network_knows_waits_for_one(make, class_index, tiny, caplog):
    studio = make(wander_among=("volcano", "pizza", "castle + goldfish"))
    studio.director.learn(tiny)
    assert {studio.after(20).title for _ in range(5)} == {"pizza"}
    left_out = "of queue.wander_among: 'volcano' is not among the 200 things this network knows (a larger one does)"
    assert caplog.text.count(f"left out 'volcano' {left_out}") == 1
    assert caplog.text.count("left out 'castle + goldfish' of queue.wander_among: 'castle' is not among") == 1
    studio.director.learn(Vocabulary(class_index, class_index.index.keys()))
    assert {studio.after(20).title for _ in range(6)} == {"volcano", "pizza", "castle + goldfish"}
    caplog.clear()


def test_with_nothing_left_of_the_choice_it_wanders_among_what_the_network_knows(make, tiny, caplog):
    studio = make(wander_among=("volcano",))
    studio.director.learn(tiny)
    known = {target.wnid for target in tiny.available}
    assert {region.target.wnid for _ in range(10) for region in studio.after(20).regions} <= known
    caplog.clear()


def test_anything_is_something_that_the_network_knows(make, tiny):
    studio = make(capacity=100, per_user=100, fair=False)
    known = {target.wnid for target in tiny.available}
    for _ in range(20):  # no network is loaded yet: it may be the smallest
        assert {target.wnid for target in studio.director.submit("ann", anything=True).targets} <= known
    studio.director.learn(tiny)
    for _ in range(20):
        assert {target.wnid for target in studio.director.submit("ann", anything=True).targets} <= known


def test_the_known_classes_are_reported_as_they_change(make, class_index, tiny):
    studio = make()
    assert studio.director.knowledge().classes == 0
    studio.director.learn(tiny)
    assert studio.director.knowledge().classes == 200
    example = studio.director.knowledge().examples[0]
    studio.director.block(BlockKind.CLASS, example)
    assert example not in studio.director.knowledge().examples
    studio.director.learn(Vocabulary(class_index, class_index.index.keys()))
    assert studio.director.knowledge().classes == 1000
    assert example not in studio.director.knowledge().examples, "it stays blocked"


def test_a_wander_choice_that_means_nothing_is_refused_at_start(make):
    with pytest.raises(QueueError, match=r"'queue\.wander_among' holds 'layer fire5:x': 'x' is not a list of channels"):
        make(wander_among=("volcano", "layer fire5:x"))
    with pytest.raises(QueueError, match=r"'queue\.wander_among' holds 'qqqqq': I don't know"):
        make(wander_among=("qqqqq",))


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


def test_a_pause_holds_the_scene_and_resumes_where_it_was(studio):
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


def test_a_skip_while_paused_moves_on_and_stays_paused(studio):
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


def test_the_requester_learns_what_is_passed_over(studio):
    receipt = studio.director.submit("ann", "volcano \u200b" * 3 + " Cheer100 bubble 😭 - qwxyz")
    assert [target.label for target in receipt.targets] == ["volcano", "bubble"]
    assert receipt.note == "left out 'qwxyz'"
    long = "pizza + king penguin " + "." * 75 + " volcano " + "." * 40 + " castle"
    assert studio.director.match(long).note == "only the first 100 characters are read"
    receipt = studio.director.submit("bob", long)
    assert receipt.note == "only the first 100 characters are read"
    assert len(studio.queue.waiting()[-1].text) <= 100


def test_a_wander_choice_that_is_partly_understood_is_logged_at_start(make, caplog):
    caplog.set_level("INFO")
    make(wander_among=("volcano vs bubble", "lion - qwxyz"))
    assert "'lion - qwxyz' of queue.wander_among is read as lion (left out 'qwxyz')" in caplog.text
    assert "volcano vs bubble" not in caplog.text


def test_the_request_on_air_outlives_a_crash(make, tmp_path):
    path = tmp_path / "queue.sqlite3"
    studio = make(path)
    for subject in ("volcano", "bubble", "pizza", "castle", "church"):
        studio.director.submit(subject, subject)
    studio.director.tick()
    assert studio.after(30).title == "bubble"
    studio.queue.close()  # before its time is over, so it isn't finished
    studio = make(path)
    dreamt = [studio.director.tick().title, *(studio.after(30).title for _ in range(3))]
    assert dreamt == ["bubble", "pizza", "castle", "church"]
    assert studio.after(30).user == ""
    studio.queue.close()
    assert make(path).director.tick().user == ""


def ended(make, tmp_path, *asked, after_s=12.0, **config):
    """Return the programme of a run at the moment of its crash."""
    before = make(path=tmp_path / "queue.sqlite3", **config)
    before.director.tick()
    before.ask(*asked)
    before.after(0)
    before.after(after_s)
    told = before.director.programme()
    before.queue.close()
    return told


def test_a_restart_continues_with_the_wandering_scene(make, tmp_path):
    was = ended(make, tmp_path)
    studio = make(path=tmp_path / "queue.sqlite3", seed=99)
    studio.director.resume(was.scene, 12.0)
    assert studio.director.tick() is was.scene
    assert studio.director.programme().since_s == 12.0
    assert studio.after(7) is was.scene
    following = studio.after(2)
    assert (following.id, following.request_id) == (was.scene.id + 1, None)


def test_a_restart_continues_with_the_request_that_was_on_air(make, tmp_path):
    was = ended(make, tmp_path, ("ann", "pizza"), ("bob", "volcano"), order="random")
    studio = make(path=tmp_path / "queue.sqlite3", order="random")
    studio.director.resume(was.scene, 3.0, held=True)
    assert studio.director.tick() is was.scene
    assert (studio.director.held, studio.director.programme().left_s) == (True, None)
    studio.director.pause(False)
    assert studio.director.programme().since_s >= 11, "the queue knows better than an old snapshot"
    assert len(studio.director.programme().waiting) == 1
    assert studio.after(30) is not was.scene


def test_a_request_that_has_ended_since_is_not_rendered_again(make, tmp_path):
    was = ended(make, tmp_path, ("ann", "pizza"))
    ended(make, tmp_path, ("bob", "volcano"), after_s=35)
    studio = make(path=tmp_path / "queue.sqlite3")
    studio.director.resume(was.scene, 12.0)
    scene = studio.director.tick()
    assert (scene.title, scene.user) == ("volcano", "bob")
    assert scene.id > was.scene.id, "or the change would not be seen"


def test_an_old_wandering_gives_way_to_the_request_that_was_on_air(make, tmp_path):
    was = ended(make, tmp_path)
    ended(make, tmp_path, ("ann", "pizza"))
    studio = make(path=tmp_path / "queue.sqlite3", interrupt_wandering=False)
    studio.director.resume(was.scene, 2.0)
    assert studio.director.tick().user == "ann"


def test_what_was_on_air_and_is_blocked_since_does_not_come_back(make, tmp_path):
    was = ended(make, tmp_path, ("ann", "pizza"))
    studio = make(path=tmp_path / "queue.sqlite3", blocked_classes=("pizza",))
    studio.director.resume(was.scene, 12.0)
    assert studio.director.tick().title != "pizza"


def test_a_disk_that_fails_refuses_politely_until_it_does_not(make, tmp_path, caplog):
    path = tmp_path / "queue.sqlite3"
    studio = make(path)
    studio.ask(("ann", "volcano"), ("bob", "pizza"))
    studio.after(0.1)
    studio.queue.store._file.execute("PRAGMA query_only = ON")
    for _ in range(3):
        told = refusal(studio.director.submit, "cid", "bubble")
        assert (told.reason, str(told)) == (
            Reason.CLOSED,
            "requests cannot be saved at the moment; the streamer can see why",
        )
    assert (
        studio.director.trouble
        == f"no requests are taken, queue '{path}' cannot be written: attempt to write a readonly database"
    )
    assert [record.levelname for record in caplog.records] == ["ERROR"], "once, however many ask"
    assert studio.after(4).title == "volcano"
    assert studio.director.trouble
    studio.queue.store._file.execute("PRAGMA query_only = OFF")
    studio.after(1)
    assert studio.director.trouble == ""
    assert studio.director.submit("cid", "bubble").position == 2


def test_a_change_of_network(make, class_index, tiny):
    studio = make()
    studio.director.submit("ann", "volcano")
    studio.director.submit("bob", "red fox + pizza")
    before = studio.director.tick()
    studio.director.learn(tiny)
    after = studio.after(5)
    assert (after.title, after.user, after.id) == ("alpine mountain", "ann", before.id + 1)
    assert studio.after(25).title == "red panda + pizza"
    assert refusal(studio.director.submit, "cid", "volcano").reason is Reason.UNLEARNT
    available = {target.wnid for target in tiny.available}
    for _ in range(10):
        assert {region.target.wnid for region in studio.after(30).regions} <= available


def test_layouts(make):
    studio = make(layout=Layout.LEFT_RIGHT)
    studio.director.submit("ann", "volcano + bubble")
    assert [region.box for region in studio.director.tick().regions] == [(0, 0, 0.5, 1), (0.5, 0, 1, 1)]


def test_many_threads(make, class_index):
    studio = make(capacity=1000, per_user=1000)
    labels = [entry.label for entry in class_index.entries[:40]]
    with ThreadPoolExecutor(4) as pool:
        receipts = list(pool.map(lambda label: studio.director.submit("ann", label), labels))
        list(pool.map(lambda _: studio.director.tick(), range(20)))
    assert len({receipt.id for receipt in receipts}) == 40
    assert len(studio.waiting()) == 39


def test_asking_for_what_waits_is_a_vote(studio):
    studio.ask(("ann", "volcano"), ("bob", "bubble"), ("cid", "pizza"))
    refused = refusal(studio.director.submit, "dan", "pizza pie")
    vote = refused.vote
    assert (refused.reason, vote.counted, vote.votes, vote.title, vote.position, vote.eta_s) == (
        Reason.DUPLICATE,
        True,
        1,
        "pizza",
        2,
        30,
    )
    assert str(refused) == "pizza is waiting already, second in line; your vote counts for it"
    again = refusal(studio.director.submit, "DAN", "pizza")
    assert (again.vote.counted, again.vote.votes, str(again)) == (False, 1, "you voted for pizza already, second in line")
    own = refusal(studio.director.submit, "cid", "pizza")
    assert (own.vote.counted, str(own)) == (False, "you asked for pizza already, second in line")
    assert studio.titles() == ["volcano", "pizza", "bubble"]
    assert refusal(studio.director.submit, "eve", "pizza").vote.position == 1


def test_votes_obey_blocks_and_closing(make):
    studio = make(blocked_users=("mallory",))
    (number,) = studio.ask(("ann", "volcano"))
    assert refusal(studio.director.submit, "Mallory", "volcano").reason is Reason.BLOCKED
    studio.director.change_rules({"open": False})
    assert refusal(studio.director.submit, "bob", "volcano").reason is Reason.CLOSED
    assert studio.director.standing(number).request.votes == 0


def test_bits_lift_what_waits_and_points_do_not(studio):
    studio.ask(("ann", "volcano"), ("bob", "bubble"), ("cid", "pizza"))
    points = {"priority": Priority.POINTS, "amount": 500}
    bits = {"priority": Priority.BITS, "amount": 100}
    assert refusal(studio.director.submit, "dan", "pizza", **points).vote.position == 2  # only a vote
    assert refusal(studio.director.submit, "cid", "pizza", **bits).vote.counted  # even for your own request
    assert studio.titles()[0] == "pizza"
    assert studio.director.programme().waiting[0].request.amount == 100


def test_who_pays_goes_first(studio):
    studio.ask(("ann", "volcano"))
    studio.ask(("bob", "bubble"), priority=Priority.POINTS, amount=500)
    studio.ask(("cid", "pizza"), priority=Priority.BITS, amount=1)
    assert studio.titles() == ["pizza", "bubble", "volcano"]


def test_viewers_take_turns(studio):
    studio.ask(("ann", "volcano"), ("ann", "bubble"), ("ann", "castle"))
    assert studio.director.tick().user == "ann"
    studio.ask(("bob", "pizza"))
    assert studio.titles() == ["pizza", "bubble", "castle"]
    assert [studio.after(30).user for _ in range(3)] == ["bob", "ann", "ann"]


def test_a_moderator_puts_things_in_order(studio):
    first, second, third, fourth = studio.ask(("a", "volcano"), ("b", "bubble"), ("c", "pizza"), ("d", "castle"))
    assert studio.director.move(fourth, 1) == 1
    assert studio.director.move(first, 2) == 2
    studio.ask(("e", "church"), priority=Priority.BITS, amount=100)
    assert studio.titles() == ["castle", "volcano", "church", "bubble", "pizza"]
    assert studio.director.move(second, 99) == 5
    assert studio.titles()[-1] == "bubble"
    assert refusal(studio.director.move, 99, 1).reason is Reason.NOT_FOUND
    studio.director.tick()
    assert refusal(studio.director.move, fourth, 1).reason is Reason.NOT_FOUND
    assert third in [entry.request.id for entry in studio.director.programme().waiting]


def test_oops(make):
    studio = make(user_cooldown_s=60.0)
    (first,) = studio.ask(("Ann", "volcano"), source="twitch")
    studio.clock.advance(60)
    (second,) = studio.ask(("Ann", "bubble"), source="twitch")
    studio.ask(("bob", "pizza"))
    assert refusal(studio.director.submit, "ann", "castle", source="twitch").reason is Reason.LIMIT
    assert refusal(studio.director.oops, "ann", "web").reason is Reason.NOT_FOUND
    assert studio.director.oops("@ann", "twitch").id == second
    studio.ask(("ann", "castle"), source="twitch")
    assert studio.director.oops("ann").title == "castle"
    studio.director.tick()
    assert str(refusal(studio.director.oops, "ann")) == "it is on air already"
    assert str(refusal(studio.director.oops, "cid")) == "you have no request waiting"
    assert studio.director.standing(first).request.state is RequestState.ON_AIR
    assert studio.director.standing(second).request.state is RequestState.REMOVED


def test_where_a_request_stands(studio):
    first, second = studio.ask(("ann", "volcano"), ("bob", "bubble"))
    studio.director.tick()
    standing = studio.director.standing(second)
    assert (standing.request.state, standing.position, standing.eta_s) == (RequestState.QUEUED, 1, 30)
    standing = studio.director.standing(first)
    assert (standing.request.state, standing.position) == (RequestState.ON_AIR, None)
    studio.after(30)
    assert studio.director.standing(first).request.state is RequestState.DONE
    assert str(refusal(studio.director.standing, 99)) == "there is no request 99"


def test_what_the_network_cannot_dream_counts_as_removed(make, class_index, caplog):
    studio = make()
    numbers = studio.ask(("ann", "volcano"))
    studio.director.learn(Vocabulary(class_index, ["n01440764"]))
    studio.director.tick()
    assert studio.director.standing(numbers[0]).request.state is RequestState.REMOVED
    assert "left out request" in caplog.text


def test_remove_a_viewer(studio):
    studio.ask(("Ann", "volcano"), ("bob", "bubble"))
    studio.ask(("ann", "pizza"), source="twitch")
    assert studio.director.remove_user("@ANN") == 2
    assert studio.titles() == ["bubble"]
    assert studio.director.remove_user("ann") == 0


def test_cooldowns(make):
    studio = make(cooldown_s=5.0, user_cooldown_s=20.0)
    studio.ask(("ann", "volcano"))
    assert refusal(studio.director.submit, "bob", "bubble").retry_s == 5
    studio.clock.advance(5)
    studio.ask(("bob", "bubble"))
    studio.clock.advance(5)
    assert refusal(studio.director.submit, "ANN", "pizza").retry_s == 10
    studio.ask(("ann", "pizza"), role=Role.MODERATOR)
    studio.clock.advance(20)
    studio.ask(("ann", "castle"))


def test_voteskip(studio):
    studio.ask(("ann", "volcano"), ("bob", "bubble"))
    assert refusal(studio.director.voteskip, "cid").reason is Reason.NOT_FOUND
    studio.director.tick()
    assert studio.director.voteskip("cid") == SkipVote(1, 3, False)
    assert studio.director.voteskip("Cid") == SkipVote(1, 3, False)
    assert studio.director.voteskip("dan") == SkipVote(2, 3, False)
    assert studio.director.voteskip("eve") == SkipVote(3, 3, True)
    assert studio.director.programme().scene.title == "bubble"
    assert studio.director.voteskip("cid") == SkipVote(1, 3, False)


def test_voteskip_takes_its_share_of_who_is_there(make):
    studio = make(voteskip_share=0.5, voteskip_votes=2)
    studio.director.tick()
    for number in range(7):
        studio.director.submit(f"viewer {number}", anything=True)
    assert studio.director.voteskip("viewer 7").needed == 4
    studio.clock.advance(601)
    assert studio.director.voteskip("viewer 1").needed == 2


def test_voteskip_obeys_moderators(make):
    studio = make(blocked_users=("mallory",))
    studio.director.tick()
    assert refusal(studio.director.voteskip, "mallory").reason is Reason.BLOCKED
    studio.director.pause(True)
    assert refusal(studio.director.voteskip, "ann").reason is Reason.CLOSED


def test_anything(make):
    studio = make(per_user=100, capacity=100)
    receipts = [studio.director.submit("ann", anything=True) for _ in range(20)]
    assert len({receipt.targets for receipt in receipts}) == 20
    assert studio.queue.waiting()[0].text == receipts[0].title
    other = make(per_user=100, capacity=100)
    assert other.director.submit("ann", anything=True).targets == receipts[0].targets


def test_looking_what_would_match_changes_nothing(studio):
    looked = [studio.director.match("dog").targets for _ in range(3)]
    assert len(set(looked)) == 1
    assert studio.director.match("volcano").note == ""
    assert studio.director.submit("ann", "dog").targets == looked[0]
    assert studio.director.match("dog").targets != looked[0]
    assert refusal(studio.director.match, "qwxyz").reason is Reason.UNKNOWN_WORD
    studio.director.block(BlockKind.WORD, "volcano")
    assert refusal(studio.director.match, "volcano").reason is Reason.BLOCKED


def test_a_block_empties_line_and_picture_of_it(studio):
    studio.ask(("ann", "volcano"), ("bob", "bubble"), ("Mallory", "pizza"), ("cid", "red fox + volcano"))
    assert studio.director.tick().title == "volcano"
    assert studio.director.block(BlockKind.USER, "mallory") == 1
    assert studio.titles() == ["bubble", "red fox + volcano"]
    assert studio.director.block(BlockKind.CLASS, "volcano") == 1
    assert studio.director.programme().scene.title == "bubble"
    assert refusal(studio.director.submit, "dan", "lava").reason is Reason.BLOCKED
    assert studio.director.block(BlockKind.WORD, "Bubble") == 0
    assert studio.director.programme().scene.user == ""
    studio.director.unblock(BlockKind.CLASS, "volcano")
    studio.ask(("dan", "volcano"))


def test_what_is_blocked_is_not_wandered_to(make):
    studio = make(available=["n09472597", "n09229709", "n07873807"], blocked_classes=("volcano", "pizza"))
    assert {studio.after(20).title for _ in range(10)} == {"bubble"}
    assert not next(iter(studio.director.vocabulary.search("volcano"))).available
    studio.director.block(BlockKind.CLASS, "bubble")  # every class is blocked, but the dream continues
    assert studio.after(20).title
    assert refusal(studio.director.submit, "ann", "bubble").reason is Reason.BLOCKED


def test_blocks_outlive_a_change_of_network(make, tiny):
    studio = make(family_safe=True)
    studio.director.learn(tiny)
    assert refusal(studio.director.submit, "ann", "bikini").reason is Reason.BLOCKED


def test_rules_change_while_it_runs_and_outlive_it(make, tmp_path):
    path = tmp_path / "queue.sqlite3"
    studio = make(path)
    studio.ask(("ann", "volcano"), ("bob", "bubble"))
    scene = studio.director.tick()
    studio.clock.advance(20)
    studio.director.change_rules({"hold_s": 60.0, "open": False})
    programme = studio.director.programme()
    assert (programme.left_s, programme.open, programme.waiting[0].eta_s) == (40, False, 40)
    assert studio.after(20) is scene
    studio.queue.close()
    studio = make(path)
    assert studio.director.rules().settings["hold_s"] == 60.0
    assert refusal(studio.director.submit, "cid", "pizza").reason is Reason.CLOSED
    assert studio.director.reset_rules().changed == ()
    studio.ask(("cid", "pizza"))


def test_family_safe_at_run_time_clears_the_line(studio):
    studio.ask(("ann", "revolver"), ("bob", "volcano"))
    studio.director.change_rules({"family_safe": True})
    assert studio.titles() == ["volcano"]
    assert str(refusal(studio.director.submit, "cid", "revolver")) == "that is blocked here"


def test_a_message_delivered_again_after_its_turn(studio):
    (number,) = studio.ask(("ann", "volcano"), message_id="m1")
    studio.director.tick()
    vote = refusal(studio.director.submit, "ann", "volcano", message_id="m1").vote
    assert (vote.request_id, vote.counted, vote.position) == (number, False, None)


def test_what_the_config_came_to_block_leaves_the_line_at_the_start(make, tmp_path):
    path = tmp_path / "queue.sqlite3"
    studio = make(path)
    studio.ask(("ann", "volcano"), ("bob", "bubble"), ("Mallory", "pizza"))
    studio.queue.close()
    studio = make(path, blocked_classes=("volcano",), blocked_users=("mallory",))
    assert studio.titles() == ["bubble"]


def test_changing_a_rule_does_not_restart_the_turns_of_a_word(studio):
    first = studio.director.submit("ann", "dog").targets
    studio.director.change_rules({"hold_s": 40.0})
    assert studio.director.submit("bob", "dog").targets != first


def test_no_request_is_over_before_it_was_rendered(studio):
    numbers = studio.ask(("ann", "volcano"), ("bob", "bubble"), ("cid", "pizza"))
    scene = studio.director.tick()
    studio.clock.dreams = False  # the worker hangs
    assert {studio.after(10) for _ in range(20)} == {scene}
    programme = studio.director.programme()
    assert (programme.since_s, programme.left_s, programme.waiting[0].eta_s) == (0, 30, 30)
    studio.clock.dreams = True
    assert studio.after(29.5) is scene
    assert studio.after(0.5).title == "bubble"
    assert [studio.director.standing(number).request.state for number in numbers] == ["done", "on_air", "queued"]


def test_time_on_air_stands_while_the_dream_hangs(studio):
    studio.ask(("ann", "volcano"), ("bob", "bubble"))
    scene = studio.director.tick()
    assert studio.after(10) is scene
    studio.clock.dreams = False
    assert studio.after(300) is scene
    assert studio.director.programme().left_s == 30 - 10 - 4, "four of its gaps after the last keyframe it counts as hanging"
    studio.clock.dreams = True
    assert studio.after(15.5) is scene
    assert studio.after(0.5).title == "bubble"


def test_what_hangs_shortly_before_its_end_is_not_over(studio):
    (number, _) = studio.ask(("ann", "volcano"), ("bob", "bubble"))
    scene = studio.director.tick()
    assert studio.after(29) is scene
    studio.clock.dreams = False
    assert studio.after(100) is scene
    assert studio.director.programme().left_s == 0
    assert studio.director.standing(number).request.state is RequestState.ON_AIR
    studio.clock.keyframe(scene)
    assert studio.director.tick().title == "bubble"


def test_keyframes_of_what_was_before_do_not_count(studio):
    wandering = studio.director.tick()
    (number,) = studio.ask(("ann", "volcano"))
    scene = studio.director.tick()
    studio.clock.dreams = False
    for _ in range(20):  # the worker is slow to start the new scene, or restarts the old one
        studio.clock.keyframe(wandering)
        studio.clock.advance(0.5)
    assert studio.director.tick() is scene
    assert studio.director.programme().since_s == 0
    studio.clock.keyframe(scene, steps=0)
    studio.clock.advance(1)
    assert studio.director.programme().since_s == 0, "nothing of it was rendered yet"
    studio.clock.keyframe(scene)
    studio.clock.advance(1)
    assert studio.director.programme().since_s == 1
    assert studio.director.standing(number).request.state is RequestState.ON_AIR


@pytest.mark.parametrize("end", ["skip", "voteskip", "block"])
def test_a_request_ended_before_it_was_rendered_is_not_done(studio, end):
    first, second = studio.ask(("ann", "volcano"), ("bob", "bubble"))
    studio.director.tick()

    def end_it(subject):
        if end == "skip":
            studio.director.skip()
        elif end == "voteskip":
            assert [studio.director.voteskip(user).skipped for user in "xyz"][-1]
        else:
            studio.director.block(BlockKind.CLASS, subject)

    end_it("volcano")
    assert studio.director.standing(first).request.state is RequestState.REMOVED
    assert studio.after(1).title == "bubble"
    end_it("bubble")
    assert studio.director.standing(second).request.state is RequestState.DONE, "a second of it was seen"


def test_a_request_need_not_wait_for_a_wandering_that_nobody_saw(studio):
    studio.director.tick()
    studio.clock.dreams = False
    studio.clock.advance(100)
    studio.ask(("ann", "volcano"))
    assert studio.director.tick().title == "volcano"


def test_wandering_stands_with_the_dream(studio):
    scene = studio.director.tick()
    studio.clock.dreams = False
    assert studio.after(1000) is scene
    studio.clock.dreams = True
    assert studio.after(19.9) is scene
    assert studio.after(0.2) is not scene


def test_what_the_dream_refuses_makes_room(studio, caplog):
    wandering = studio.director.tick()
    first, second = studio.ask(("ann", "volcano"), ("bob", "bubble"))
    studio.director.tick()
    studio.clock.dreams = False
    for _ in range(40):
        studio.clock.keyframe(wandering)
        studio.clock.advance(0.5)
        studio.director.tick()
    assert "the dream continues without volcano, which cannot be rendered" in caplog.text
    states = [studio.director.standing(number).request.state for number in (first, second)]
    assert states == [RequestState.REMOVED, RequestState.ON_AIR]


def test_a_request_continues_for_the_rest_of_its_time_after_a_crash(make, tmp_path):
    path = tmp_path / "queue.sqlite3"
    studio = make(path)
    studio.ask(("ann", "volcano"), ("bob", "bubble"))
    studio.director.tick()
    for _ in range(23):
        studio.after(1)
    studio.queue.store.close()  # nothing is written at the end
    studio = make(path)
    assert studio.director.tick().title == "volcano"
    assert studio.director.programme().left_s == 10, "noted every 5 s"
    assert studio.after(9.5).title == "volcano"
    studio.queue.close()  # as at Ctrl+C
    studio = make(path)
    assert studio.director.tick().title == "volcano"
    assert studio.director.programme().left_s == 0.5
    assert studio.after(0.5).title == "bubble"
    assert studio.director.programme().left_s == 30


def test_a_change_of_network_leaves_the_time_on_air(make, tiny):
    studio = make()
    studio.ask(("ann", "volcano"), ("bob", "pizza"))
    studio.after(0.1)
    studio.after(10)
    studio.director.learn(tiny)
    studio.clock.dreams = False
    assert studio.after(100).title == "alpine mountain"
    assert studio.director.programme().left_s == 20
    studio.clock.dreams = True
    assert studio.after(19.5).title == "alpine mountain"
    assert studio.after(0.5).title == "pizza"


def test_a_crash_costs_no_time_on_air(studio):
    studio.ask(("ann", "volcano"))
    scene = studio.director.tick()
    studio.after(10)
    studio.clock.dreams = False
    studio.clock.advance(1.5)
    studio.director.workers_died(1)
    studio.clock.advance(60)
    assert studio.director.programme().left_s == 20
    studio.director.note_keyframe(Keyframe(None, Pose(), studio.clock(), scene, 0, 1), new_worker=True)
    assert studio.director.programme().left_s == 20
    studio.clock.dreams = True
    assert studio.after(19.5) is scene
    assert studio.after(0.6) is not scene


def test_a_crash_costs_no_time_when_a_new_worker_resumes_before_it_is_reported(studio):
    studio.ask(("ann", "volcano"))
    scene = studio.director.tick()
    studio.after(10)
    studio.clock.dreams = False
    studio.clock.advance(1.9)
    studio.director.note_keyframe(Keyframe(None, Pose(), studio.clock(), scene, 0, 1), new_worker=True)
    studio.director.workers_died(1)
    assert studio.director.programme().left_s == 20


def test_what_ends_every_worker_is_tried_again_once_and_then_given_up(studio, caplog):
    first, second = studio.ask(("ann", "volcano"), ("bob", "bubble"))
    studio.director.tick()
    studio.clock.dreams = False
    studio.director.workers_died(2)
    assert studio.director.tick().title == "volcano"
    studio.director.workers_died(1)
    assert studio.director.tick().title == "bubble", "that one may be rendered"
    assert studio.titles() == ["volcano"]
    studio.clock.dreams = True
    scene = studio.after(30)
    assert (scene.title, scene.request_id) == ("volcano", first)
    studio.clock.dreams = False
    studio.director.workers_died(3)
    assert studio.after(1).user == ""
    states = [studio.director.standing(number).request.state for number in (first, second)]
    assert states == [RequestState.REMOVED, RequestState.DONE]
    assert "workers keep dying over volcano; something else is tried first" in caplog.text
    assert "workers keep dying over volcano; it is given up" in caplog.text


def test_workers_that_end_over_anything_cost_no_request(studio, caplog):
    numbers = studio.ask(("ann", "volcano"), ("bob", "bubble"))
    studio.director.tick()
    studio.clock.dreams = False
    for _ in range(30):
        studio.director.workers_died(1)
        studio.after(10)
    studio.clock.dreams = True
    assert studio.titles() == ["bubble", "volcano"], "wandering, until anything is seen"
    for _ in range(70):
        studio.after(1)
    assert [studio.director.standing(number).request.state for number in numbers] == ["done", "done"]
    assert "given up" in caplog.text, "of what it wandered to"


def test_a_put_aside_request_does_not_end_wandering_before_that_is_seen(studio, caplog):
    studio.ask(("ann", "volcano"))
    studio.director.tick()
    studio.clock.dreams = False
    studio.director.workers_died(3)
    wandering = studio.director.tick()
    assert wandering.user == ""
    assert studio.after(1) is wandering
    assert studio.director.programme().left_s is None
    studio.clock.keyframe(wandering)
    assert studio.director.tick().title == "volcano"
    assert "tried first" in caplog.text


def test_another_config_counts_while_it_runs(make):
    studio = make(hold_s=30.0)
    studio.after(0)
    studio.ask(("ann", "volcano + pizza"), ("bob", "goldfish"), ("cid", "umbrella"))
    first = studio.after(0)
    assert first.title == "volcano + pizza"
    assert [(box.box[1], box.box[3]) for box in first.regions] == [(0.0, 0.5), (0.5, 1.0)]
    config = QueueConfig(hold_s=5.0, wander_s=20.0, per_user=1, blocked_classes=("goldfish",))
    studio.director.configure(config, Layout.LEFT_RIGHT)
    assert studio.titles() == ["umbrella"], "what is blocked has left the line"
    assert studio.after(4).title == "volcano + pizza"
    assert studio.after(2).title == "umbrella"
    assert refusal(studio.director.submit, "dan", "goldfish").reason is Reason.BLOCKED
    studio.ask(("eve", "lion + pizza"))
    assert {region.box[1::2] for region in studio.after(5).regions} == {(0.0, 1.0)}, "beside each other from now on"
    assert refusal(lambda: studio.ask(("fay", "lion"), ("fay", "pizza"))).reason is Reason.LIMIT


def test_another_choice_of_wanderings_comes_when_the_one_on_air_ends(make):
    studio = make(wander_among=("volcano",))
    assert studio.after(0).title == "volcano"
    studio.director.configure(QueueConfig(wander_s=20.0, wander_among=("goldfish",)), Layout.AUTO)
    assert studio.after(1).title == "volcano"
    assert studio.after(20).title == "goldfish"


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"blocked_classes": ("floob",)}, r"'queue\.blocked_classes' holds 'floob'"),
        ({"wander_among": ("floob floob",)}, r"'queue\.wander_among' holds 'floob floob'"),
        ({"wander_among": ("goldfish",), "blocked_classes": ("floob",)}, r"'queue\.blocked_classes' holds 'floob'"),
    ],
)
def test_a_config_that_means_nothing_changes_nothing(make, wrong, why):
    studio = make(wander_among=("volcano",), capacity=7)
    with pytest.raises(QueueError, match=why):
        studio.director.configure(QueueConfig(capacity=9, wander_s=1.0, **wrong), Layout.QUARTERS)
    assert studio.director.rules().settings["capacity"] == 7
    studio.after(0)
    assert studio.after(25).title == "volcano"


def test_the_log_names_what_moderators_changed_before(make, caplog):
    studio = make()
    studio.director.change_rules({"hold_s": 60})
    studio.director.configure(QueueConfig(hold_s=5.0, capacity=9), Layout.AUTO)
    assert "moderators changed queue.hold_s while it ran; their change overrides the config until it is reset" in caplog.text


def test_what_nobody_asked_for_can_give_way_before_its_time(studio):
    director = studio.director
    assert not director.skip_idle_scene()  # nothing is on air
    first = director.tick()
    studio.clock.dreams = False
    assert not director.skip_idle_scene()  # no keyframe has shown it
    studio.clock.keyframe()
    assert director.skip_idle_scene()
    second = director.tick()
    assert second.request_id is None
    assert second.regions != first.regions
    director.pause(True)
    studio.clock.keyframe()
    assert not director.skip_idle_scene()
    director.pause(False)
    studio.ask(("ann", "volcano"))
    asked = director.tick()
    studio.clock.keyframe()
    assert not director.skip_idle_scene()
    assert director.tick() is asked


def test_a_single_choice_does_not_give_way(make):
    studio = make(wander_among=("volcano",))
    only = studio.after(1)
    assert not studio.director.skip_idle_scene()
    assert studio.director.tick() is only


def test_the_blocks_are_the_same_object_until_the_rules_change(studio):
    before = studio.director.blocks
    assert studio.director.blocks is before
    assert not before.blocks("Ann", "volcano", ())
    studio.director.block(BlockKind.USER, "ann")
    now = studio.director.blocks
    assert now is not before
    assert now.blocks("Ann", "volcano", ())
