import os
import pickle

import numpy as np
import pytest

from streamer.dream.networks.pickled_arrays import PickledArray, load_arrays

ROWS = np.arange(6, dtype=np.float32).reshape(2, 3)
ARRAYS = {
    "C": ROWS,
    "turned": ROWS.T,
    "Fortran": np.asfortranarray(ROWS),
    "big-endian": ROWS.astype(">f8"),
    "bytes": ROWS.astype(np.uint8),
    "truths": ROWS > 2,
    "one number": np.array(3, np.float32),
    "none": ROWS[:0],
}


class Call:
    """Pickles as a function call."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def naming(module, name, *rest):
    """Return a pickle that names an object, then has handwritten opcodes."""
    return b"\x80\x03c" + f"{module}\n{name}\n".encode() + b"".join(rest) + b"."


@pytest.mark.parametrize("protocol", [3, 4])
@pytest.mark.parametrize("array", ARRAYS.values(), ids=ARRAYS)
def test_arrays_come_out_as_they_went_in(array, protocol):
    found = load_arrays(pickle.dumps({"a": [array, (1, "b", None)]}, protocol))
    assert list(found) == ["a"]
    assert found["a"][1] == (1, "b", None)
    assert isinstance(found["a"][0], PickledArray)
    assert found["a"][0].values.dtype == array.dtype
    assert np.array_equal(found["a"][0].values, array)


def test_the_name_of_numpys_older_versions_is_known():
    data = pickle.dumps(ROWS, 3).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    assert b"numpy.core.multiarray" in data
    assert np.array_equal(load_arrays(data).values, ROWS)


WHOLE = pickle.dumps(ROWS, 3)
REFUSED = {
    "a call": (pickle.dumps(Call(os.mkdir, "marker")), r"names 'posix\.mkdir'"),
    "a call beside arrays": (pickle.dumps([ROWS, Call(os.mkdir, "marker")], 3), r"names 'posix\.mkdir'"),
    "a call of a built-in": (pickle.dumps(Call(eval, "__import__('os').mkdir('marker')")), r"names 'builtins\.eval'"),
    "a dotted name": (pickle.dumps(Call(np.lib.format.open_memmap, "marker", "w+"), 4), "names 'numpy"),
    "another function of numpy": (pickle.dumps(np.float32(3)), r"names 'numpy.*scalar'"),
    "an array of objects": (pickle.dumps(np.array([Call(os.mkdir, "marker")], object), 3), "names|'O8', not of numbers"),
    "an array of texts": (pickle.dumps(np.array(["a"]), 3), "'U1', not of numbers"),
    "an array of records": (pickle.dumps(np.zeros(2, [("a", "f4")]), 3), "'V4', not of numbers"),
    "a subclass": (pickle.dumps(ROWS.view(np.matrix), 3), r"names 'numpy\.matrix'"),
    "an empty file": (b"", "pickle exhausted"),
    "no pickle": (b"<html>not found</html>", "."),
    "half a pickle": (WHOLE[: len(WHOLE) // 2], "."),
    "an array of the wrong length": (WHOLE.replace(b"K\x03\x86", b"K\x04\x86"), "cannot reshape"),
    "a negative side": (WHOLE.replace(b"K\x03\x86", b"J\xff\xff\xff\xff\x86"), r"of the shape \(2, -1\)"),
    "a persistent object": (b"\x80\x03X\x01\x00\x00\x00aQ.", "persistent"),
    "a change of the class of arrays": (naming("numpy", "ndarray", b"N}X\x06\x00\x00\x00valuesK\x01s\x86b"), "."),
    "a change of the function": (naming("numpy.core.multiarray", "_reconstruct", b"}b"), "would change a function"),
    "a memory of billions of things": (b"\x80\x03]r\xff\xff\xff\x7f.", "would remember something as number 2147483647"),
    "the same in letters": (b"]p1048576\n.", "would remember something as number 1048576"),
    "an array without numbers": (naming("numpy", "ndarray", b")\x81}b"), "pickled in an unknown way"),
}


@pytest.mark.parametrize(("data", "why"), REFUSED.values(), ids=REFUSED)
def test_anything_else_is_refused_and_not_run(data, why, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(pickle.UnpicklingError, match=why) as caught:
        load_arrays(data)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
    assert np.array_equal(load_arrays(WHOLE).values, ROWS), "what was refused has left something behind"


def test_those_calls_would_be_run_otherwise(tmp_path, monkeypatch):
    """This shows that the test above can fail."""
    monkeypatch.chdir(tmp_path)
    pickle.loads(REFUSED["a call beside arrays"][0])
    assert (tmp_path / "marker").is_dir()


def test_a_message_stays_short_however_much_is_in_the_file():
    for data in (pickle.dumps(np.zeros(2, [(f"field{i}", "f4") for i in range(500)]), 3), naming("a" * 10_000, "b")):
        with pytest.raises(pickle.UnpicklingError) as caught:
            load_arrays(data)
        assert len(str(caught.value)) < 200
