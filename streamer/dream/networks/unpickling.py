"""Unpickles files of ``torch.save`` without running any code that they name.

A pickle is a program that can call anything that can be imported; published checkpoints contain optimisers, settings and
functions beside the weights. Here a few names map to functions of this file, which record where a tensor's numbers are. Every
other name maps to one object that accepts and ignores any operation. Nothing is imported.
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
"""Data types by the names of torch's storages."""


@dataclass(frozen=True, slots=True)
class Storage:
    """A storage: a sequence of numbers in a file."""

    key: str
    """Its name in the file."""
    dtype: torch.dtype
    count: int
    """Number of elements, not of bytes."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A tensor that is still in its file: the position of its numbers in a storage, in elements."""

    storage: Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


class _Swallowing(type):
    """Defines calls and item assignment of the foreign object: both have no effect."""

    def __call__(cls, *_: object, **__: object) -> Any:
        return cls

    def __setitem__(cls, key: object, value: object) -> None:
        pass


class _Foreign(metaclass=_Swallowing):
    """Replaces every unknown name, the result of calling it, and the contents of that result.

    It is a class because a pickle can create instances in three ways; each of them returns the class itself.
    """

    def __new__(cls, *_: object, **__: object) -> Any:
        return cls

    @staticmethod
    def _swallow(*_: object) -> None:
        pass

    __setstate__ = append = extend = add = _swallow


FOREIGN: Any = _Foreign


class _Dict(dict[object, object]):
    """Replaces ``OrderedDict``; the additional attribute of torch's state dicts is ignored."""

    __slots__ = ()

    @staticmethod
    def __setstate__(*_: object) -> None:
        pass


class _Function:
    """A function of this file that replaces a name in the pickle; the pickle can call it but not change it."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., object]) -> None:
        self._function = function

    def __call__(self, *arguments: object) -> object:
        return self._function(*arguments)

    def __setstate__(self, state: object) -> None:
        pass


def _tensor(storage: object, offset: object, size: object, stride: object, *_: object) -> object:
    """Replace ``torch._utils._rebuild_tensor_v2``: return a tensor as a view of a storage."""
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
    """Replace ``torch._utils._rebuild_parameter``: return a trainable tensor as a plain one."""
    return tensor


def _of_a_class(function: object, _kind: object, arguments: object, *_: object) -> object:
    """Replace ``torch._tensor._rebuild_from_type_v2``: return a tensor without its attributes and subclass."""
    return function(*arguments) if isinstance(function, _Function) and isinstance(arguments, tuple) else FOREIGN


def _numbers(values: object) -> tuple[int, ...]:
    if not isinstance(values, tuple | list) or not all(type(value) is int and 0 <= value < 1 << 62 for value in values):
        raise pickle.UnpicklingError(f"a tensor's shape, strides or place is {short(values)}")
    return tuple(values)


def _size(sides: object = ()) -> object:
    """Replace ``torch.Size``."""
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
    """Loads a pickle, with ``Stored`` for tensors and ``FOREIGN`` for unknown objects."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file, encoding="utf-8", errors="replace")  # for texts from Python 2
        self._file = file
        self.storages: dict[str, Storage] = {}
        """The storages by their names in the file."""
        self.unknown: list[str] = []
        """Names of the storages with an unknown data type."""

    def load(self) -> object:
        """Load the next pickle in the file.

        Raises:
            pickle.UnpicklingError: it is damaged; so are pickles that raise any other of ``pickled_arrays.FAILURES``.
        """
        check_memories(self._file)
        return super().load()

    def find_class(self, module: str, name: str) -> object:
        """Return the replacement of a name in the pickle."""
        return _NAMES.get((module, name), FOREIGN)

    def persistent_load(self, pid: object) -> object:
        """Return a storage; its numbers are not in the pickle itself."""
        match pid:
            case ("storage", torch.dtype() as dtype, str(key), _, int(count), *view) if count >= 0 and not any(view):
                return self.storages.setdefault(key, Storage(key, dtype, count))
            case ("storage", _, str(key), *_):
                self.unknown.append(key)
        return FOREIGN
