"""Work in progress that is saved and restored."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from streamer.saved_state import SavedStateError, StateFormat, unpack


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True, slots=True, eq=False)
class Frozen:
    image: np.ndarray
    number: int


class Held:
    def __init__(self) -> None:
        self.rows = slice(1, 4)
        self.inner = Frozen(np.zeros((2, 0), np.float64), 3)


class Part:
    """An object whose state is saved, except for the attribute ``fixed``."""

    CHANGES = ("value", "random", "below")

    def __init__(self, value: Any = None, below: Part | None = None) -> None:
        self.value, self.below, self.fixed = value, below, "mine"
        self.random = np.random.default_rng(1)
        self.times = 0

    def went_on(self) -> None:
        self.times += 1


FORM = StateFormat((Colour, Frozen, Held))
VALUES = [
    None,
    True,
    -7,
    0.1,
    math.inf,
    "Ö",
    (1, "b", (2.5,)),
    [1, [2]],
    {3, 4},
    frozenset({(1, 2)}),
    {("a", 1): {"b": None}},
    deque([1, 2], 5),
    Fraction(1, 3),
    Colour.RED,
    slice(None, 3, None),
]


def taken_up(value: Any) -> Any:
    saved, other = Part(value), Part()
    FORM.thaw(unpack(FORM.pack({"about": 1}, {"part": saved})), {"part": other})
    return other.value


@pytest.mark.parametrize("value", VALUES, ids=str)
def test_what_is_held_comes_back(value: Any) -> None:
    again = taken_up(value)
    assert again == value
    assert type(again) is type(value)
    assert getattr(again, "maxlen", 5) == getattr(value, "maxlen", 5)


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float16, np.float32, np.float64, bool])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3, 4)])
def test_arrays_come_back_and_are_ones_own(dtype: type, shape: tuple[int, ...]) -> None:
    array = np.random.default_rng(2).integers(0, 2, shape).astype(dtype)
    again = taken_up([array, array.T])
    for found, wanted in zip(again, (array, array.T), strict=True):
        assert found.dtype == wanted.dtype
        assert np.array_equal(found, wanted)
        assert found.flags.writeable


def test_numpys_numbers_stay_numpys() -> None:
    assert type(taken_up(np.float32(0.1))) is np.float32


def test_objects_of_known_classes_come_back() -> None:
    again = taken_up(Held())
    assert isinstance(again, Held)
    assert again.rows == slice(1, 4)
    assert (again.inner.number, again.inner.image.shape) == (3, (2, 0))


def test_parts_are_taken_up_where_they_stand() -> None:
    saved, other = Part(1, Part(2)), Part(0, Part(0))
    saved.random.random(5)
    saved.fixed = "theirs"
    below, random = other.below, other.random
    FORM.thaw(unpack(FORM.pack({}, {"part": saved})), {"part": other})
    assert (other.value, other.fixed, other.times) == (1, "mine", 1)
    assert other.below is below
    assert other.random is random
    assert below is not None
    assert (below.value, below.times) == (2, 1)
    assert other.random.random() == saved.random.random()


def test_what_nobody_knows_is_refused_when_it_is_written() -> None:
    with pytest.raises(TypeError, match="a object cannot be saved"):
        FORM.pack({}, {"part": Part(object())})


def test_what_is_something_else_or_damaged_is_refused() -> None:
    data = FORM.pack({"done": 3}, {"part": Part(np.arange(5))})
    assert unpack(data).about == {"done": 3}
    with pytest.raises(SavedStateError, match="it is damaged"):
        unpack(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(SavedStateError, match="zoomdream did not write it"):
        unpack(b"GIF89a")
    with pytest.raises(SavedStateError, match="another version"):
        unpack(data.replace(b'"version":1', b'"version":9', 1))
    with pytest.raises(SavedStateError, match="does not fit"):
        FORM.thaw(unpack(data), {"other": Part()})
    with pytest.raises(SavedStateError, match="does not fit"):
        FORM.thaw(unpack(FORM.pack({}, {"part": Part(1, Part())})), {"part": Part()})
    with pytest.raises(SavedStateError, match="does not fit"):
        StateFormat(()).thaw(unpack(FORM.pack({}, {"part": Part(Colour.RED)})), {"part": Part()})
