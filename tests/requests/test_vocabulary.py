import json
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.assets import asset
from streamer.messages.refused import Reason, Refused
from streamer.messages.scenes import MAX_TARGETS
from streamer.requests.class_index import shipped_classes
from streamer.requests.spelling import fold
from streamer.requests.vocabulary import Vocabulary

SHELF = shipped_classes()
ALL = Vocabulary(SHELF)
TINY = Vocabulary(SHELF, [entry.wnid for entry in SHELF.entries if entry.tiny])


def labels(match):
    return [target.label for target in match.targets]


def refusal(vocabulary, text):
    with pytest.raises(Refused) as caught:
        vocabulary.match(text)
    return caught.value


def test_the_shipped_classes_are_imagenets_in_order():
    classes = json.loads(asset("classes.json").read_text(encoding="utf-8"))["classes"]
    wnids = [entry["wnid"] for entry in classes]
    assert len(wnids) == 1000
    assert wnids == sorted(set(wnids))
    assert sum(entry["tiny"] for entry in classes) == 200
    known = {
        0: "tench",
        207: "golden retriever",
        281: "tabby cat",
        497: "church",
        817: "sports car",
        980: "volcano",
        999: "toilet paper",
    }
    assert {index: classes[index]["label"] for index in known} == known
    assert len({fold(entry["label"]) for entry in classes}) == 1000
    for entry in classes:
        assert entry["label"] in entry["names"]
        assert entry["link"].startswith("https://en.wikipedia.org/wiki/")
        assert len(entry["relatives"]) == 5
        assert all(classes[other]["tiny"] for other in entry["relatives"])


def test_every_class_is_of_one_kind_and_named_as_it_is_asked_for():
    kinds = json.loads(asset("kinds.json").read_text(encoding="utf-8"))["kinds"]
    told = [(wnid, label) for kind in kinds for wnid, label in kind["classes"].items()]
    assert sorted(told) == [(entry.wnid, entry.label) for entry in SHELF.entries]
    assert len({kind["name"] for kind in kinds}) == len({kind["title"] for kind in kinds}) == len(kinds)
    wanted = {"pug": "dogs", "red fox": "mammals", "king penguin": "birds", "tree frog": "reptiles", "jellyfish": "sea"}
    wanted |= {"ladybug": "insects", "pizza": "food", "daisy": "plants", "volcano": "landscapes", "castle": "buildings"}
    wanted |= {"canoe": "vehicles", "sombrero": "clothes", "violin": "music", "teddy bear": "sport", "teapot": "home"}
    found = {entry.label: entry.kind for entry in ALL.search("", 1000)}
    assert {label: found[label] for label in wanted} == wanted
    assert [kind.name for kind in ALL.kinds] == [kind["name"] for kind in kinds]


def test_in_place_of_what_the_network_lacks_stand_its_relatives():
    volcano = next(entry for entry in SHELF.entries if entry.label == "volcano")
    assert TINY.relatives(volcano.wnid) == tuple(SHELF.entries[other].wnid for other in volcano.relatives)
    assert ALL.relatives(volcano.wnid) == (volcano.wnid,)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("volcano", ["volcano"]),
        ("VOLCANO", ["volcano"]),
        ("Volcanoes", ["volcano"]),
        ("the volcano", ["volcano"]),
        ("can i see a volcano please", ["volcano"]),
        ("a big red volcano", ["volcano"]),
        ("tinca tinca", ["tench"]),
        ("tench, Tinca tinca", ["tench"]),
        ("hook, claw", ["hook"]),
        ("lesser panda, red panda, panda, bear cat", ["red panda"]),
        ("hen-of-the-woods", ["hen-of-the-woods"]),
        ("Shih-Tzu", ["Shih-Tzu"]),
        ("shih tzu", ["Shih-Tzu"]),
        ("potters wheel", ["potter's wheel"]),
        ("Consommé", ["consomme"]),
        ("icecream", ["ice cream"]),
        ("ice-cream", ["ice cream"]),
        ("volcano + bubble", ["volcano", "bubble"]),
        ("volcano & bubble", ["volcano", "bubble"]),
        ("volcano and bubble", ["volcano", "bubble"]),
        ("volcano, bubble", ["volcano", "bubble"]),
        ("volcano+bubble +pizza", ["volcano", "bubble", "pizza"]),
        ("+ volcano +", ["volcano"]),
        ("black and gold garden spider and pizza", ["black and gold garden spider", "pizza"]),
        ("pizza & black & gold garden spider", ["pizza", "black and gold garden spider"]),
        ("volcano + volcano", ["volcano"]),
        ("🌋", ["volcano"]),
        ("🌋🍕", ["volcano", "pizza"]),
        ("pizza 😂", ["pizza"]),
        ("can opener", ["can opener"]),
        ("volcano plus bubble", ["volcano", "bubble"]),
        ("volcano vs bubble", ["volcano", "bubble"]),
        ("volcano versus pizza vs. castle", ["volcano", "pizza", "castle"]),
        ("volcano - pizza", ["volcano", "pizza"]),
        ("volcano-pizza", ["volcano", "pizza"]),
        ("volcano / pizza", ["volcano", "pizza"]),
        ("volcano x pizza", ["volcano", "pizza"]),
        ("volcano with a pizza please", ["volcano", "pizza"]),
        ("volcano Cheer100 bubble", ["volcano", "bubble"]),
        ("Cheer100 volcano uni50", ["volcano"]),
        ("golden Cheer100 retriever", ["golden retriever"]),
        ("a pizza, please", ["pizza"]),
        ("I want to see a pizza, please!", ["pizza"]),
        ("the black and gold garden spider please", ["black and gold garden spider"]),
        ("black & tan coonhound vs pizza", ["black-and-tan coonhound", "pizza"]),
        ("bow and arrow", ["archery bow"]),
        ("bow and arrow vs bow-tie", ["archery bow", "bow tie"]),
        ("bow and arow", ["archery bow"]),
        ("tank top", ["T-shirt"]),
        ("R.V. vs taxi", ["RV", "taxi"]),
        ("merry-go-round - St. Bernard", ["carousel", "Saint Bernard"]),
        ("pizza :) volcano <3", ["pizza", "volcano"]),
        ("pizza! volcano!", ["pizza", "volcano"]),
        ("#volcano #pizza", ["volcano", "pizza"]),
    ],
)
def test_plain_words(text, wanted):
    match = ALL.match(text)
    assert labels(match) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("volcanoe", "volcano"),
        ("vulcano", "volcano"),
        ("vlocano", "volcano"),
        ("gret white sharc", "great white shark"),
        ("golden retreiver", "golden retriever"),
        ("strawbery", "strawberry"),
        ("fqeather boa", "feather boa"),
        ("tigre", "tiger"),
        ("spagetti", "carbonara"),
    ],
)
def test_typos_are_corrected_and_reported(text, wanted):
    match = ALL.match(text)
    assert labels(match) == [wanted]
    assert match.note == f"read '{text}' as {wanted}"


@pytest.mark.parametrize(
    ("text", "wanted", "note"),
    [
        ("volcano bubble", ["bubble"], "left out 'volcano'; join things with +"),
        ("volcano qwxyz", ["volcano"], "left out 'qwxyz'"),
        ("volcano - qwxyz", ["volcano"], "left out 'qwxyz'"),
        ("qwxyz - volcano - asdfgh / pizza", ["volcano", "pizza"], "left out 'qwxyz' and 'asdfgh'"),
        ("a big red volcano", ["volcano"], "left out 'red'"),
        ("the dog ate my pizza", ["pizza"], "left out 'dog ate'"),
        ("king penguin on an umbrella", ["king penguin"], "left out 'umbrella'; join things with +"),
        ("volcano without smoke", ["volcano"], "left out 'smoke'"),
        ("volcano but not pizza", ["volcano"], "left out 'pizza'"),
        ("volcano volcano volcano", ["volcano"], ""),
        ("the volcanoo is here", ["volcano"], "read 'volcanoo' as volcano"),
        ("your redd volcanoo there", ["volcano"], "read 'volcanoo' as volcano; left out 'redd'"),
        ("pizza 😂 this is so funny", ["pizza"], "left out 'this is so funny'"),
        ("please, volcano, thanks 😂 lol", ["volcano"], ""),
        ("pizza, volcano, castle, bubble - church", ["pizza", "volcano", "castle", "bubble"], "only the first 4 fit"),
        ("pizza, volcano, castle, bubble 🦁 😂", ["pizza", "volcano", "castle", "bubble"], "only the first 4 fit"),
        ("pizza, volcano, castle, bubble 🍕 😂", ["pizza", "volcano", "castle", "bubble"], ""),
        (
            "pizza " + "." * 60 + " volcano" + "!" * 60 + " castle",
            ["pizza", "volcano"],
            "only the first 100 characters are read",
        ),
        ("pizza" + " " * 60 + "." * 90 + " volcano", ["pizza"], "only the first 100 characters are read"),
    ],
)
def test_what_is_passed_over_is_said(text, wanted, note):
    match = ALL.match(text)
    assert labels(match) == wanted
    assert match.note == note
    assert match.exact is (note in ("", "only the first 4 fit") and "volcano volcano" not in text)


@pytest.mark.parametrize(
    "text", ["volcano, qwxyz", "volcano & qwxyz", "volcano plus qwxyz", "qwxyz vs volcano", "qwxyz - asdfgh"]
)
def test_what_is_asked_for_and_not_known_refuses_the_line(text):
    refused = refusal(ALL, text)
    assert refused.reason is Reason.UNKNOWN_WORD
    assert str(refused).startswith("I don't know how to dream 'qwxyz'")


@pytest.mark.parametrize("text", ["without volcano", "minus pizza"])
def test_what_only_says_what_is_not_wanted_asks_for_nothing(text):
    assert refusal(ALL, text).reason is Reason.BAD_INPUT


def test_talk_beside_a_known_subject_may_name_what_the_network_has_not_learnt():
    match = TINY.match("teapot with a volcano")
    assert (labels(match), match.note) == (["teapot"], "left out 'a volcano'")
    assert refusal(TINY, "teapot + volcano").reason is Reason.UNLEARNT
    assert refusal(TINY, "volcano with a castle").reason is Reason.UNLEARNT
    with pytest.raises(Refused) as caught:
        ALL.blocking(["n09472597"]).match("teapot with a volcano")
    assert caught.value.reason is Reason.BLOCKED


BETWEEN = (
    " + ",
    "+",
    " and ",
    " plus ",
    " vs ",
    " vs. ",
    " versus ",
    " & ",
    ", ",
    "; ",
    " with ",
    " w/ ",
    " - ",
    " – ",
    " / ",
    " x ",
)
BETWEEN += (" × ", " or ", " n ", " Cheer100 ", " 😭 ", "😭", " 👍🏽 ", "! ", " → ", " | ", "... ", " :) ")


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(SHELF.entries), st.sampled_from(BETWEEN), st.sampled_from(SHELF.entries))
def test_two_labels_are_both_rendered_whatever_is_between_them(one, between, other):
    """Except where both together are one name: 'car, wheel'."""
    text = one.label + between + other.label
    if one is not other and not SHELF.meaning(fold(text)):
        assert labels(ALL.match(text)) == [one.label, other.label]


TALK = "after been best better done friend have hard happy hope later never next other please right shall told work hot off"


@pytest.mark.parametrize("word", TALK.split())
def test_talk_is_no_request(word):
    assert refusal(ALL, word).reason is Reason.UNKNOWN_WORD


@pytest.mark.parametrize("word", ["moose", "love", "death", "girafe", "the", "what is this", "hello everyone", "a", "x", "ಠ_ಠ"])
def test_other_words_do_not_pass_for_slips(word):
    assert refusal(ALL, word).reason is Reason.UNKNOWN_WORD


CHAT_WORDS = """
dog cat bird fish car snake spider flower castle pizza ship train monkey bear butterfly food horse cow pig sheep duck
frog turtle shark whale elephant plane boat truck bus bike guitar piano clock phone computer hat shoe chair house
bridge mountain beach lake fruit apple bread burger coffee beer mushroom rabbit bunny kitten puppy dinosaur dragon
robin penguin owl eagle parrot bee ant crab lobster
"""


@pytest.mark.parametrize(
    "word",
    CHAT_WORDS.split(),
)
def test_what_chat_says(word):
    assert len(ALL.match(word).targets) == 1


def test_a_word_for_several_classes_takes_turns_and_says_which(vocabulary):
    matches = [vocabulary.match("fox") for _ in range(8)]
    seen = [labels(match)[0] for match in matches]
    assert set(seen[:4]) == set(seen[4:]) == {"red fox", "kit fox", "Arctic fox", "grey fox"}
    assert all(match.note == f"'fox' means {label} this time" for match, label in zip(matches, seen, strict=True))


def test_the_same_word_twice_is_two_of_them(vocabulary):
    for _ in range(20):
        assert len(vocabulary.match("dog + dog").targets) == 2


def test_a_group_gives_only_what_the_network_has(tiny):
    assert {labels(tiny.match("cat"))[0] for _ in range(6)} == {"tabby cat", "Persian cat", "Egyptian cat"}


def test_takes_the_first_four(vocabulary):
    match = vocabulary.match("pizza, volcano, castle, bubble, church")
    assert labels(match) == ["pizza", "volcano", "castle", "bubble"]
    assert "only the first 4 fit" in match.note


def test_a_class_the_network_never_learnt_is_refused_with_relatives():
    refused = refusal(TINY, "volcano")
    assert refused.reason is Reason.UNLEARNT
    assert str(refused) == (
        "'volcano' is not among the 200 things this network knows (a larger one does); try alpine mountain, cliff or seashore"
    )
    assert refused.suggestions[:2] == ("alpine mountain", "cliff")
    assert labels(TINY.match(refused.suggestions[0])) == ["alpine mountain"]
    assert "'fox'" in str(refusal(TINY, "foxes")).replace("foxes", "fox")


def test_an_outside_word_is_refused_with_what_is_near_in_meaning():
    assert set(refusal(ALL, "moose").suggestions) & {"bison", "ox", "ibex"}
    assert "red panda" in refusal(ALL, "raccoon").suggestions
    assert set(refusal(TINY, "moose").suggestions) & {"bison", "ox"}


def test_one_bad_subject_refuses_the_line():
    assert "'qwxyz'" in str(refusal(ALL, "volcano + qwxyz"))


@pytest.mark.parametrize("text", ["", "   ", "+", "&,+", "\u200b\u202e", "!!!"])
def test_no_words_at_all(text):
    refused = refusal(ALL, text)
    assert refused.reason is Reason.BAD_INPUT
    assert refused.suggestions


def test_search(vocabulary, tiny):
    everything = tiny.search("", limit=1000)
    assert len(everything) == 1000
    assert [entry.available for entry in everything] == [True] * 200 + [False] * 800
    first = [entry.label.casefold() for entry in everything[:200]]
    assert first == sorted(first)
    assert len(vocabulary.search("")) == 20
    assert vocabulary.search("volcano")[0].label == "volcano"
    assert vocabulary.search("volcanoe")[0].label == "volcano"
    assert {entry.label for entry in vocabulary.search("fox")[:4]} == {"red fox", "kit fox", "Arctic fox", "grey fox"}
    assert vocabulary.search("gold")[0].label.startswith("gold")
    assert vocabulary.search("\u200b") == ()
    assert vocabulary.search("qqqqqqqqqq") == ()


def test_random_is_available_and_seeded(tiny):
    picked = [tiny.random(Random(3)) for _ in range(2)]
    assert picked[0] == picked[1]
    assert picked[0] in tiny.available


def test_wandering_is_seeded_and_pairs_different_themes(tiny):
    first, again = ([tiny.idle_subjects(rng) for _ in range(50)] for rng in (Random(5), Random(5)))
    assert first == again
    assert {len(targets) for targets in first} == {1, 2}
    assert all(len(set(targets)) == len(targets) for targets in first)
    assert {target for targets in first for target in targets} <= set(tiny.available)


def test_wandering_avoids_what_it_can(class_index, tiny):
    avoid = {target for _ in range(30) for target in tiny.idle_subjects(Random(0))}
    assert all(not avoid.intersection(tiny.idle_subjects(Random(seed), avoid)) for seed in range(30))
    lonely = Vocabulary(class_index, ["n01440764"])
    assert [target.label for target in lonely.idle_subjects(Random(0), lonely.available)] == ["tench"]


def test_stand_in(vocabulary, tiny):
    (volcano,) = vocabulary.match("volcano").targets
    assert vocabulary.nearest_available(volcano) == volcano
    assert tiny.nearest_available(volcano).label == "alpine mountain"


def test_a_network_with_no_known_class_is_an_error():
    with pytest.raises(ValueError, match="at least one class"):
        Vocabulary.load(["n00000000"])


def test_every_name_is_understood():
    for entry in SHELF.entries:
        for name in entry.names:
            if len(ALL.match(name.upper()).targets) != 1:
                pytest.fail(name)


def test_every_label_leads_to_its_class():
    for entry in SHELF.entries:
        assert [target.wnid for target in ALL.match(entry.label).targets] == [entry.wnid], entry.label


def try_to_match(vocabulary, text):
    refused = None
    try:
        match = vocabulary.match(text)
    except Refused as caught:
        refused = caught
    if refused:
        assert str(refused)
        assert set(refused.suggestions) <= {target.label for target in vocabulary.available}
    else:
        assert 1 <= len(match.targets) <= MAX_TARGETS
        assert len(set(match.targets)) == len(match.targets)
        assert set(match.targets) <= set(vocabulary.available)


@settings(deadline=None)
@given(st.text(st.characters(categories=None), max_size=200))
def test_any_line_is_matched_or_refused(text):
    try_to_match(ALL, text)
    try_to_match(TINY, text)


WORDS = st.sampled_from(
    [*(entry.label for entry in SHELF.entries), "dog", "food", "and", "+", ",", "&", "a", "the", "🌋", "in", "moose"]
)


@settings(deadline=None)
@given(st.lists(WORDS, max_size=8).map(" ".join))
def test_any_mix_of_words_is_matched_or_refused(text):
    try_to_match(ALL, text)
    try_to_match(TINY, text)


@settings(deadline=None)
@given(st.sampled_from(SHELF.entries), st.integers(min_value=1, max_value=30), st.sampled_from("qz"))
def test_a_letter_too_many_in_a_long_name_is_forgiven(entry, place, letter):
    folded = fold(entry.label)
    if len(folded) >= 8 and place < len(folded) and " and " not in folded:
        match = ALL.match(folded[:place] + letter + folded[place:])
        assert match.note.startswith(("read ", "took ", "'"))


@pytest.mark.parametrize("text", ["volcano " * 200_000, "\u200b" * 1_000_000, "+" * 1_000_000, "ﷺ" * 1_000_000, "a+" * 500_000])
def test_a_megabyte_is_cut_before_it_is_read(text):
    try_to_match(ALL, text)


@pytest.mark.parametrize(
    ("text", "exact"),
    [
        ("volcano", True),
        ("Volcano + the bubbles!", True),
        ("fox", True),
        ("vulcano", False),
        ("the dog ate my pizza", False),
        ("volcano + i love pizza", False),
    ],
)
def test_names_alone_are_distinguished_from_names_in_a_sentence(text: str, exact: bool) -> None:
    assert Vocabulary.load().match(text).exact is exact
