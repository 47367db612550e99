import io
import os
import pickle
import zipfile
from collections import OrderedDict
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from streamer.dream.networks.checkpoint import MAGIC, PROTOCOL, read_checkpoint, state_dict
from streamer.dream.networks.unpickling import FOREIGN, Stored, TorchUnpickler
from streamer.dream.networks.weights import NetworkError, read_weights

FORMS = pytest.mark.parametrize("archive", [True, False], ids=["zip", "before 1.6"])


class Call:
    """Pickles as a function call."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


class Slots:
    __slots__ = ("a",)

    def __init__(self, a):
        self.a = a


class List(list):
    pass


class Dict(dict):
    pass


def save(content, file, archive=True, **options):
    torch.save(content, file, _use_new_zipfile_serialization=archive, **options)
    return file


def rewritten(file, **records):
    """Rewrite a zip with changed entries; None removes one."""
    with zipfile.ZipFile(file) as source:
        kept = {name.partition("/")[2]: source.read(name) for name in source.namelist()}
    with zipfile.ZipFile(file, "w") as target:
        for name, data in (kept | {name.replace("__", "/"): data for name, data in records.items()}).items():
            if data is not None:
                target.writestr(f"archive/{name}", data)
    return file


def same(found, expected):
    assert list(found) == list(expected)
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor)


@FORMS
@pytest.mark.parametrize("protocol", [2, 4])
def test_the_weights_are_picked_out_of_all_that_a_training_keeps(archive, protocol, tmp_path):
    model = nn.DataParallel(nn.Sequential(OrderedDict(conv1=nn.Conv2d(3, 4, 3), bn1=nn.BatchNorm2d(4))))
    momenta = {i: {"momentum_buffer": torch.rand(parameter.shape)} for i, parameter in enumerate(model.parameters())}
    checkpoint = {
        "epoch": np.float64(3),
        "schedule": partial(max, 3),
        "optimizer": {"state": momenta, "param_groups": [{"lr": 0.1, "params": list(momenta)}]},
        "model": model.state_dict(),
        "whole": nn.Linear(2, 2),
        "best": torch.tensor(0.5),
        "args": [
            Slots(1),
            List([1, 2]),
            Dict(a=1),
            {1, Slots},
            Path("a"),
            torch.device("cpu"),
            torch.float16,
            torch.Size((1, 2)),
        ],
    }
    file = save(checkpoint, tmp_path / "a.pt", archive, pickle_protocol=protocol)
    same(read_checkpoint(file), model.state_dict())
    same(read_weights(file)[0], model.state_dict())


def of_all_kinds():
    whole = torch.arange(24.0).view(4, 6)
    flags = nn.Parameter(torch.rand(3))
    flags.note = "a parameter with an attribute is pickled in another way"
    return {
        "whole": whole,
        "turned": whole.T,
        "part": whole[1:3, ::2],
        "repeated": torch.tensor([1.5]).expand(2, 3),
        "one number": torch.tensor(7),
        "none": torch.empty(0, 5),
        "parameter": nn.Parameter(torch.rand(2)),
        "parameter with an attribute": flags,
        "half": torch.rand(3).half(),
        "bfloat16": torch.rand(3).bfloat16(),
        "double": torch.rand(3).double(),
        "complex": torch.tensor([1 + 2j, 3j]),
        "truths": torch.tensor([True, False]),
        **{str(kind): torch.tensor([0, 1, 100], dtype=kind) for kind in (torch.uint8, torch.int8, torch.int16, torch.int32)},
    }


@FORMS
def test_tensors_of_all_kinds(archive, tmp_path):
    tensors = of_all_kinds()
    found = read_checkpoint(save(tensors, tmp_path / "a.pt", archive))
    same(found, tensors)
    assert found["turned"].stride() == (1, 6)
    found["whole"][0, 1] = -1.0
    assert found["turned"][1, 0] == -1.0, "they shared their numbers"


def test_the_other_order_of_bytes(tmp_path):
    tensors = of_all_kinds()
    file = save(tensors, tmp_path / "a.pt")
    swapped = {}
    with zipfile.ZipFile(file) as source:
        # torch numbers storages in order; "turned" and "part" share that of "whole"
        for kind, name in ((np.float32, "whole"), (np.complex64, "complex"), (np.int64, "one number"), (np.float16, "half")):
            number = max(0, list(tensors).index(name) - 2)
            swapped[f"data__{number}"] = np.frombuffer(source.read(f"a/data/{number}"), kind).byteswap().tobytes()
    found = read_checkpoint(rewritten(file, byteorder=b"big", **swapped))
    for name in ("whole", "turned", "complex", "one number", "half", "truths"):
        assert torch.equal(found[name], tensors[name]), name


def test_numbers_of_an_unknown_kind_are_left_out(tmp_path):
    file = save({"a": torch.rand(2), "b": torch.rand(2).to(torch.float8_e4m3fn), "c": Slots(1)}, tmp_path / "a.pt")
    assert list(read_checkpoint(file)) == ["a"]


@pytest.mark.parametrize("name", ["state_dict", "model", "model_state_dict", "ema"])
def test_where_the_weights_may_be(name, tmp_path):
    tensors = {"a": torch.rand(2), "b": torch.rand(3)}
    file = save({"epoch": torch.tensor(3), "optimizer": {"state": {0: torch.rand(2)}}, name: tensors}, tmp_path / "a.ckpt")
    same(read_checkpoint(file), tensors)
    same(read_weights(file)[0], tensors)


def test_a_named_place_is_preferred_to_a_larger_one():
    assert state_dict({"model": {"a": 1}, "ema": {"a": 2, "b": 3}}, int) == {"a": 1}
    assert state_dict({"other": {"a": 2, "b": 3}, "a": 1}, int) == {"a": 2, "b": 3}


@pytest.mark.parametrize(
    ("loaded", "why"),
    [
        ([1], "holds a list, not named tensors"),
        (FOREIGN, "holds an object of a program's own, not named tensors"),
        ({}, "holds no named tensors"),
        ({"model": FOREIGN, "epoch": "three"}, "holds no named tensors"),
    ],
)
def test_no_weights(loaded, why):
    with pytest.raises(TypeError, match=why):
        state_dict(loaded, int)


@FORMS
def test_a_whole_model_is_no_state_dict(archive, tmp_path):
    with pytest.raises(NetworkError, match=r"a\.pt: .*: holds an object of a program's own, not named tensors"):
        read_weights(save(nn.Linear(2, 2), tmp_path / "a.pt", archive))


A = {"a": torch.arange(3.0)}
HARMFUL = {
    "beside the weights": lambda call: {"model": A, "schedule": call},
    "before the weights": lambda call: {"schedule": [call, {"deep": call}], "model": A},
    "among the weights": lambda call: {"model": A | {"b": call}},
    "as a key": lambda call: {"model": A, call: 1},
    "in a tensor's place": lambda call: {
        "model": A | {"b": Call(torch._utils._rebuild_tensor_v2, call, 0, (1,), (1,), False, call)}
    },
    "in a parameter's place": lambda call: {
        "model": A | {"b": Call(torch._utils._rebuild_parameter, call, True, OrderedDict())}
    },
    "with a function's result": lambda call: {"model": A, "b": Call(partial, call, call)},
}


@FORMS
@pytest.mark.parametrize("wrap", HARMFUL.values(), ids=HARMFUL)
def test_nothing_in_a_checkpoint_is_run(wrap, archive, tmp_path):
    marker = tmp_path / "marker"
    file = save(wrap(Call(os.mkdir, str(marker))), tmp_path / "a.pt", archive)
    same(read_checkpoint(file), A)
    same(read_weights(file)[0], A)
    assert not marker.exists()


@FORMS
def test_a_checkpoint_that_is_nothing_but_a_call(archive, tmp_path):
    marker = tmp_path / "marker"
    with pytest.raises(NetworkError, match="holds an object of a program's own"):
        read_weights(save(Call(os.mkdir, str(marker)), tmp_path / "a.pt", archive))
    assert not marker.exists()


def test_those_calls_would_be_run_otherwise(tmp_path):
    """This shows that the two tests above can fail."""
    file = save({"model": A, "schedule": Call(os.mkdir, str(tmp_path / "marker"))}, tmp_path / "a.pt")
    torch.load(file, weights_only=False)
    assert (tmp_path / "marker").is_dir()


NAME = b"cposix\nsystem\n"
"""Opcode that puts a foreign name on the stack."""
BY_HAND = {
    "called": NAME + b"X\x01\x00\x00\x00a\x85R",
    "called, and its result called": NAME + b")R)R)R",
    "made an instance of, as of old": b"(iposix\nsystem\n",
    "made an instance of, with something": b"(I1\niposix\nsystem\n",
    "made an instance of, from the stack": b"(" + NAME + b"I1\no",
    "made an instance of": NAME + b")\x81",
    "made an instance of, with names": NAME + b")}\x92",
    "given a state": NAME + b"}X\x01\x00\x00\x00aK\x01sb",
    "given slots": NAME + b"N}X\x01\x00\x00\x00aK\x01s\x86b",
    "an instance given a state": NAME + b")\x81}b",
    "appended to": NAME + b"K\x01a",
    "extended": NAME + b"(K\x01K\x02e",
    "given an item": NAME + b"K\x01K\x02s",
    "given items": NAME + b"(K\x01K\x02u",
    "added to": NAME + b"(K\x01\x90",
    "named from the stack": b"X\x05\x00\x00\x00posixX\x06\x00\x00\x00system\x93",
    "a dotted name": b"X\x05\x00\x00\x00torchX\x0e\x00\x00\x00hub.os.removedX\x05\x00\x00\x00posix0\x93",
    "a persistent object": b"X\x01\x00\x00\x00aQ",
    "OrderedDict given a state": b"ccollections\nOrderedDict\n}X\x05\x00\x00\x00itemsK\x01sb",
    "OrderedDict given slots": b"ccollections\nOrderedDict\nN}X\x05\x00\x00\x00itemsK\x01s\x86b",
    "a function of torch given slots": b"ctorch._utils\n_rebuild_tensor_v2\nN}X\x09\x00\x00\x00_functionK\x01s\x86b",
}


@pytest.mark.parametrize("part", BY_HAND.values(), ids=BY_HAND)
def test_whatever_is_done_to_a_name_does_nothing(part, tmp_path):
    with zipfile.ZipFile(save({"model": A}, tmp_path / "a.pt")) as source:
        checkpoint = source.read("a/data.pkl")
    thing, loaded = TorchUnpickler(io.BytesIO(b"\x80\x04(" + part + checkpoint[2:-1] + b"t.")).load()
    ours = part.startswith((b"ccollections", b"ctorch"))
    assert (thing is not FOREIGN) if ours else (thing is FOREIGN)
    assert state_dict(loaded, Stored)["a"].size == (3,)


@FORMS
def test_a_file_that_is_cut_short_anywhere(archive, tmp_path):
    whole = save({"model": A, "schedule": Slots(1)}, tmp_path / "whole.pt", archive).read_bytes()
    file = tmp_path / "cut.pt"
    for length in range(0, len(whole), 7):
        file.write_bytes(whole[:length])
        with pytest.raises(pickle.UnpicklingError) as caught:
            read_checkpoint(file)
        assert str(caught.value)
        assert "\n" not in str(caught.value)
    with pytest.raises(NetworkError, match=r"cut\.pt: damaged or truncated, or not such a file: "):
        read_weights(file)


@FORMS
def test_a_file_with_a_wrong_byte_anywhere(archive, tmp_path):
    """A damaged file is either read or refused with a message."""
    whole = save({"model": A, "schedule": Slots(1)}, tmp_path / "whole.pt", archive).read_bytes()
    file = tmp_path / "changed.pt"
    reasons = []
    for place in range(0, len(whole), 11):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:
            read_checkpoint(file)
        except pickle.UnpicklingError as error:
            reasons.append(str(error))
    assert len(reasons) > 10
    assert all(reasons)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ((0, (7,), (1,)), "reaches to number 6 of 6"),
        ((5, (2,), (1,)), "reaches to number 6 of 6"),
        ((0, (2, 2), (1, 5)), "reaches to number 6 of 6"),
        ((0, (2, 2), (1,)), "has 2 sides and 1 strides"),
        ((0, (2,), (-1,)), r"shape, strides or place is \(-1,\)"),
        ((-1, (2,), (1,)), r"shape, strides or place is \(-1,\)"),
        ((0, (1 << 80,), (0,)), "shape, strides or place is "),
        ((0, "ab", (1,)), "shape, strides or place is 'ab'"),
        ((0, (True,), (1,)), r"shape, strides or place is \(True,\)"),
    ],
)
def test_a_tensor_that_cannot_be(arguments, why):
    unpickler = TorchUnpickler(io.BytesIO())
    storage = unpickler.persistent_load(("storage", torch.float32, "0", "cpu", 6))
    with pytest.raises(pickle.UnpicklingError, match=why):
        unpickler.find_class("torch._utils", "_rebuild_tensor_v2")(storage, *arguments, False, {})


def test_zip_archives_that_are_none_of_torchs(tmp_path):
    file = tmp_path / "a.pt"
    with zipfile.ZipFile(file, "w") as target:
        target.writestr("a/readme.txt", "")
    with pytest.raises(NetworkError, match="damaged"):
        read_weights(file)
    for changes, why in (
        ({"data.pkl": None}, "there is no data.pkl in it"),
        ({"data__0": None}, "there is no 'data/0' in it"),
        ({"data__0": b"abcd"}, "ends after 4 of 12 bytes"),
        ({"byteorder": b"middle"}, "its byte order is 'middle'"),
        ({"byteorder": None}, None),
    ):
        rewritten(save(A, file), **changes)
        if why is None:
            same(read_checkpoint(file), A)
        else:
            with pytest.raises(pickle.UnpicklingError, match=why):
                read_checkpoint(file)


def test_what_is_compressed_is_refused(tmp_path):
    file = save(A, tmp_path / "a.pt")
    with zipfile.ZipFile(file) as source:
        records = {name: source.read(name) for name in source.namelist()}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as target:
        for name, data in records.items():
            target.writestr(name, data)
    with pytest.raises(pickle.UnpicklingError, match="in it is compressed, which torch never does"):
        read_checkpoint(file)


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        (({"a": 1},), "torch.save did not write it"),
        ((MAGIC, 1000), "torch.save did not write it"),
        ((MAGIC, PROTOCOL, {"little_endian": False}), "had its bytes in another order"),
        ((MAGIC, PROTOCOL, {"little_endian": True}, {"a": 1}, ["0"]), "its list of storages is not that of its tensors"),
        ((MAGIC, PROTOCOL, {"little_endian": True}, {"a": 1}, 3), "its list of storages is not that of its tensors"),
        ((MAGIC, PROTOCOL, {"little_endian": True}, {"a": 1}, []), "holds no named tensors"),
    ],
)
def test_other_sequences_of_pickles(parts, why, tmp_path):
    file = tmp_path / "a.pt"
    file.write_bytes(b"".join(pickle.dumps(part, 2) for part in parts))
    with pytest.raises(pickle.UnpicklingError, match=why):
        read_checkpoint(file)


def test_a_memory_of_billions_of_things(tmp_path):
    file = rewritten(save(A, tmp_path / "a.pt"), **{"data.pkl": b"\x80\x02]r\xff\xff\xff\x7f."})
    with pytest.raises(pickle.UnpicklingError, match="would remember something as number 2147483647"):
        read_checkpoint(file)


def test_storages_of_an_unknown_kind_in_the_older_form(tmp_path):
    """The end of the storage is unknown, and so is the start of all later ones."""
    file = save({"a": torch.rand(2), "model": Slots(1)}, tmp_path / "a.pt", archive=False)
    file.write_bytes(file.read_bytes().replace(b"ctorch\nFloatStorage", b"ctorch\nXloatStorage"))
    with pytest.raises(pickle.UnpicklingError, match=r"the numbers of its storage '\d+' are of an unknown kind"):
        read_checkpoint(file)


def test_a_message_stays_short_however_much_is_in_the_file(tmp_path):
    file = tmp_path / "a.pt"
    file.write_bytes(b"\x80\x02" + b"X\x10\x27\x00\x00" + b"a" * 10_000 + b"b.")
    with pytest.raises(pickle.UnpicklingError) as caught:
        read_checkpoint(file)
    assert len(str(caught.value)) < 200
