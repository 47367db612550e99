import pytest

from streamer.requests.filler_words import is_filler, other_words, strip_filler


@pytest.mark.parametrize(
    ("folded", "left"),
    [
        ("can i see the volcano please", "volcano"),
        ("a volcano now lol", "volcano"),
        ("can opener", "can opener"),
        ("the", "the"),
        ("show me", "me"),
        ("big dogs", "dogs"),
    ],
)
def test_what_is_said_around_a_thing_goes(folded, left):
    assert strip_filler(folded) == left


@pytest.mark.parametrize(
    ("folded", "names_nothing"), [("please", True), ("thanks lol", True), ("oh please", False), ("", True)]
)
def test_small_words_name_nothing(folded, names_nothing):
    assert is_filler(folded) is names_nothing


@pytest.mark.parametrize(
    ("sentence", "found", "left"),
    [
        ("the dog ate my pizza", "pizza", ("dog ate",)),
        ("red volcano at night", "volcano", ("red", "night")),
        ("is this a pizza", "pizza", ()),
        ("pizza pizza hot pizza", "pizza", ("hot",)),
        ("pizzas and pizza", "pizza", ("pizzas",)),
    ],
)
def test_what_else_is_said(sentence, found, left):
    assert other_words(sentence, found) == left
