import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.requests.spelling import fold, key, variants


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Potter's Wheel!", "potters wheel"),
        ("Consommé", "consomme"),
        ("hen-of-the-woods", "hen of the woods"),
        ("T-SHIRT", "t shirt"),
        ("Straße", "strasse"),
        ("  ", ""),
        ("!!!", ""),
    ],
)
def test_folding(text, folded):
    assert fold(text) == folded


@pytest.mark.parametrize(
    ("plural", "singular"),
    [
        ("volcanoes", "volcano"),
        ("pizzas", "pizza"),
        ("butterflies", "butterfly"),
        ("wolves", "wolf"),
        ("geese", "goose"),
        ("hot dogs", "hotdog"),
        ("foxes", "fox"),
    ],
)
def test_singulars_are_among_the_variants(plural, singular):
    assert singular in variants(fold(plural))


@given(st.text())
def test_folding_twice_changes_nothing(text):
    folded = fold(text)
    assert fold(folded) == folded
    assert variants(folded)[0] == key(folded)
