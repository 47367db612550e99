"""Reads numpy arrays from a pickle without running anything that it names.

A pickle is a program, which may call whatever can be imported. Here the few names that arrays are pickled under stand for
classes of this file, numpy's own are never called, and every other name ends the reading.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import reprlib
from typing import BinaryIO

import numpy as np

DTYPES = frozenset({"f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"})
"""Numbers only: an array of objects would hold more of the pickle's making."""
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
"""What a pickle that is damaged, or made to do harm, can end in where it can import nothing."""


MEMORIES = 1 << 20
"""Things that a pickle may number, to come back to them; a few per array are usual."""


def load_arrays(data: bytes) -> object:
    """What a pickle holds: dictionaries, lists, tuples, sets, texts, numbers, and a ``PickledArray`` for each numpy array.

    Raises:
        pickle.UnpicklingError: it is damaged or holds something else; one line says what.
    """
    file = io.BytesIO(data)
    try:
        check_memories(file)
        return _Unpickler(file).load()
    except FAILURES as error:
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise pickle.UnpicklingError(reason) from error


def check_memories(file: BinaryIO) -> None:
    """Read over a pickle, up to its end and back, for numbers that would make Python set aside room for billions of things.

    Raises:
        pickle.UnpicklingError: there is one.
        ValueError: it is damaged.
    """
    begin = file.tell()
    for opcode, argument, _ in pickletools.genops(file):
        if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") and isinstance(argument, int) and argument >= MEMORIES:
            raise pickle.UnpicklingError(f"would remember something as number {argument}")
    file.seek(begin)


class PickledDtype:
    """Stands for ``numpy.dtype`` in a pickle: the kind of number, then its byte order."""

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
        """The real one."""
        return np.dtype(self._order + self._code)


class PickledArray:
    """Stands for ``numpy.ndarray`` in a pickle."""

    __slots__ = ("values",)
    values: np.ndarray
    """The numbers, read-only; there are none before the pickle has given them."""

    def __setstate__(self, state: object) -> None:
        match state:
            case (1, tuple(shape), PickledDtype() as dtype, bool() | 0 | 1 as fortran, bytes(data)):
                if not all(isinstance(side, int) and side >= 0 for side in shape):
                    raise pickle.UnpicklingError(f"holds an array of the shape {short(shape)}")
                self.values = np.frombuffer(data, dtype.numpy()).reshape(shape, order="F" if fortran else "C")
            case _:
                raise pickle.UnpicklingError("holds an array that is pickled in an unknown way")


class _Reconstruct:
    """Stands for the function with which numpy makes an empty array, to be filled next."""

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
    """Something from a foreign file, as it can stand in one line of a message; deep or endless things are cut short."""
    brief = reprlib.Repr()
    brief.maxstring = brief.maxother = 80
    return brief.repr(value)
