"""Unpickles what ``torch.save`` pickled without running anything that it names.

A pickle is a program, which may call whatever can be imported; published checkpoints hold optimisers, settings and functions
beside the weights. Here a few names stand for functions of this file, which tell where a tensor's numbers are. Every other name
stands for one object that swallows whatever is done to it. Nothing is imported.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

import torch

from streamer.dream.networks.pickled_arrays import check_memories, short

DTYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
    "ComplexFloatStorage": torch.complex64,
    "ComplexDoubleStorage": torch.complex128,
}
"""Kinds of numbers by the names of torch's storages."""


@dataclass(frozen=True, slots=True)
class Storage:
    """A run of numbers in a file."""

    key: str
    """What the file calls it."""
    dtype: torch.dtype
    count: int
    """Of numbers, not of bytes."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A tensor that is still in its file: where its numbers are in a storage, counted in numbers."""

    storage: Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


class _Swallowing(type):
    """What the one foreign object does when it is called or given items; it always stays itself."""

    def __call__(cls, *_: object, **__: object) -> Any:
        return cls

    def __setitem__(cls, key: object, value: object) -> None:
        pass


class _Foreign(metaclass=_Swallowing):
    """Stands for every name that is not known, for what calling it gives, and for what that is filled with.

    It is a class because a pickle may want to make an instance, in three ways, and gets the class back by each.
    """

    def __new__(cls, *_: object, **__: object) -> Any:
        return cls

    @staticmethod
    def _swallow(*_: object) -> None:
        pass

    __setstate__ = append = extend = add = _swallow


FOREIGN: Any = _Foreign


class _Dict(dict[object, object]):
    """Stands for ``OrderedDict``; torch gives a state dict's one more attribute, which is not needed."""

    __slots__ = ()

    @staticmethod
    def __setstate__(*_: object) -> None:
        pass


class _Function:
    """A function of ours that a name in the pickle stands for; the pickle can call it, but not change it."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., object]) -> None:
        self._function = function

    def __call__(self, *arguments: object) -> object:
        return self._function(*arguments)

    def __setstate__(self, state: object) -> None:
        pass


def _tensor(storage: object, offset: object, size: object, stride: object, *_: object) -> object:
    """``torch._utils._rebuild_tensor_v2``: a tensor as a view of a storage."""
    if not isinstance(storage, Storage):
        return FOREIGN
    sizes, strides = _numbers(size), _numbers(stride)
    (first,) = _numbers((offset,))
    if len(sizes) != len(strides):
        raise pickle.UnpicklingError(f"a tensor has {len(sizes)} sides and {len(strides)} strides")
    last = first + sum((side - 1) * step for side, step in zip(sizes, strides, strict=True))
    if 0 not in sizes and last >= storage.count:
        raise pickle.UnpicklingError(f"a tensor reaches to number {last} of {storage.count}")
    return Stored(storage, first, sizes, strides)


def _parameter(tensor: object, *_: object) -> object:
    """``torch._utils._rebuild_parameter``: a tensor that can be trained."""
    return tensor


def _of_a_class(function: object, _kind: object, arguments: object, *_: object) -> object:
    """``torch._tensor._rebuild_from_type_v2``: a tensor with attributes, or of a subclass; neither matters here."""
    return function(*arguments) if isinstance(function, _Function) and isinstance(arguments, tuple) else FOREIGN


def _numbers(values: object) -> tuple[int, ...]:
    if not isinstance(values, tuple | list) or not all(type(value) is int and 0 <= value < 1 << 62 for value in values):
        raise pickle.UnpicklingError(f"a tensor's shape, strides or place is {short(values)}")
    return tuple(values)


def _size(sides: object = ()) -> object:
    """``torch.Size``."""
    return sides


_NAMES: dict[tuple[str, str], object] = {
    ("collections", "OrderedDict"): _Dict,
    ("torch", "Size"): _Function(_size),
    ("torch._utils", "_rebuild_tensor"): _Function(_tensor),
    ("torch._utils", "_rebuild_tensor_v2"): _Function(_tensor),
    ("torch._utils", "_rebuild_parameter"): _Function(_parameter),
    ("torch._utils", "_rebuild_parameter_with_state"): _Function(_parameter),
    ("torch._tensor", "_rebuild_from_type_v2"): _Function(_of_a_class),
} | {("torch", name): dtype for name, dtype in DTYPES.items()}


class TorchUnpickler(pickle.Unpickler):
    """Gives what a pickle holds, with ``Stored`` for tensors and ``FOREIGN`` for whatever is not known."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file, encoding="utf-8", errors="replace")  # texts of Python 2
        self._file = file
        self.storages: dict[str, Storage] = {}
        """By what the file calls them."""
        self.unknown: list[str] = []
        """Those of which it is not known how wide their numbers are."""

    def load(self) -> object:
        """The next pickle in the file.

        Raises:
            pickle.UnpicklingError: it is damaged, as are those that raise any other of ``pickled_arrays.FAILURES``.
        """
        check_memories(self._file)
        return super().load()

    def find_class(self, module: str, name: str) -> object:
        """What a name in the pickle stands for."""
        return _NAMES.get((module, name), FOREIGN)

    def persistent_load(self, pid: object) -> object:
        """A storage, which is not in the pickle itself."""
        match pid:
            case ("storage", torch.dtype() as dtype, str(key), _, int(count), *view) if count >= 0 and not any(view):
                return self.storages.setdefault(key, Storage(key, dtype, count))
            case ("storage", _, str(key), *_):
                self.unknown.append(key)
        return FOREIGN
