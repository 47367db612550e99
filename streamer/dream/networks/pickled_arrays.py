"""Reads numpy arrays from a pickle without running any code that it names.

A pickle is a program that can call anything that can be imported. Here the few names that pickled arrays need map to classes
of this file, numpy's own functions are never called, and any other name is an error.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import reprlib
from typing import BinaryIO

import numpy as np

DTYPES = frozenset({"f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"})
"""Numbers only: an array of objects would contain more pickled objects."""
FAILURES = (
    pickle.UnpicklingError,
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    ValueError,
)
"""Errors that a damaged or malicious pickle can raise when it cannot import anything."""


MEMORIES = 1 << 20
"""Most memo entries of a pickle; a few per array are usual."""


def load_arrays(data: bytes) -> object:
    """Load a pickle: dictionaries, lists, tuples, sets, texts, numbers, and a ``PickledArray`` for each numpy array.

    Raises:
        pickle.UnpicklingError: it is damaged or contains something else; a one-line message says what.
    """
    file = io.BytesIO(data)
    try:
        check_memories(file)
        return _Unpickler(file).load()
    except FAILURES as error:
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise pickle.UnpicklingError(reason) from error


def check_memories(file: BinaryIO) -> None:
    """Scan a pickle for memo indices that would make Python allocate billions of entries, and seek back to its start.

    Raises:
        pickle.UnpicklingError: there is such an index.
        ValueError: the pickle is damaged.
    """
    begin = file.tell()
    for opcode, argument, _ in pickletools.genops(file):
        if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") and isinstance(argument, int) and argument >= MEMORIES:
            raise pickle.UnpicklingError(f"would remember something as number {argument}")
    file.seek(begin)


class PickledDtype:
    """Replaces ``numpy.dtype`` in a pickle: the type of number, then its byte order."""

    __slots__ = ("_code", "_order")

    def __init__(self, code: object, *_: object) -> None:
        if not isinstance(code, str) or code not in DTYPES:
            raise pickle.UnpicklingError(f"holds an array of {short(code)}, not of numbers")
        self._code, self._order = code, "="

    def __setstate__(self, state: object) -> None:
        match state:
            case (3 | 4, "<" | ">" | "|" | "=" as order, None, None, None, *_):
                self._order = order
            case _:
                raise pickle.UnpicklingError(f"holds an array of an unknown kind: {short(state)}")

    def numpy(self) -> np.dtype[np.generic]:
        """Return the numpy dtype."""
        return np.dtype(self._order + self._code)


class PickledArray:
    """Replaces ``numpy.ndarray`` in a pickle."""

    __slots__ = ("values",)
    values: np.ndarray
    """The numbers, read-only; unset until the pickle has set them."""

    def __setstate__(self, state: object) -> None:
        match state:
            case (1, tuple(shape), PickledDtype() as dtype, bool() | 0 | 1 as fortran, bytes(data)):
                if not all(isinstance(side, int) and side >= 0 for side in shape):
                    raise pickle.UnpicklingError(f"holds an array of the shape {short(shape)}")
                self.values = np.frombuffer(data, dtype.numpy()).reshape(shape, order="F" if fortran else "C")
            case _:
                raise pickle.UnpicklingError("holds an array that is pickled in an unknown way")


class _Reconstruct:
    """Replaces numpy's function that makes an empty array, which the pickle fills next."""

    __slots__ = ()

    def __call__(self, kind: object, *_: object) -> PickledArray:
        if kind is not PickledArray:
            raise pickle.UnpicklingError(f"holds an array of the class {short(kind)}")
        return PickledArray()

    def __setstate__(self, state: object) -> None:
        raise pickle.UnpicklingError("would change a function")


_NAMES = {
    ("numpy", "dtype"): PickledDtype,
    ("numpy", "ndarray"): PickledArray,
    ("numpy.core.multiarray", "_reconstruct"): _Reconstruct(),
    ("numpy._core.multiarray", "_reconstruct"): _Reconstruct(),  # numpy 2's
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> object:
        try:
            return _NAMES[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"names {short(f'{module}.{name}')}, which arrays of numbers do not need") from None


def short(value: object) -> str:
    """Format an object from an untrusted file for one line of a message; deep or endless ones are abbreviated."""
    brief = reprlib.Repr()
    brief.maxstring = brief.maxother = 80
    return brief.repr(value)
