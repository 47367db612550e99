"""Saves work in progress, to resume it later seamlessly. Reading a file executes nothing.

A participating class lists in ``CHANGES`` the attributes that change while it works. To resume, the caller builds the object as
before, and these attributes are restored. They may hold numbers, strings, arrays, containers of these, participating objects,
and objects of classes that the caller names. A ``Codec`` converts other values, such as tensors, to arrays.

The format is that of snapshots: two lines of JSON, the first with a checksum of the rest, then arrays in safetensors format.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from fractions import Fraction
from typing import Any, Protocol

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from streamer.errors import ZoomdreamError

VERSION = 1
"""Version of the format; other versions are refused."""
CONTAINERS: Mapping[str, Callable[[Any], Any]] = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}


class SavedStateError(ZoomdreamError):
    """A saved state cannot be resumed; the message, one line, says why."""


class Codec(Protocol):
    """Converts values of other types to arrays and back."""

    name: str
    """Identifies the codec in a file."""

    def encode(self, value: object) -> np.ndarray | None:
        """Return the value as an array; None if it is not of this codec's type."""

    def decode(self, array: np.ndarray, existing: object) -> object:
        """Return the value of an array, which replaces ``existing``; it may be the existing object, updated."""


class StateFormat:
    """Converts objects to bytes and back.

    Args:
        classes: classes whose objects may occur; they are restored without running their code.
        codecs: codecs for other types.
    """

    def __init__(self, classes: Sequence[type], codecs: Sequence[Codec] = ()) -> None:
        self._classes = {each.__name__: each for each in classes}
        assert len(self._classes) == len(classes), "two classes of one name"
        self._codecs = tuple(codecs)

    def pack(self, about: Mapping[str, Any], parts: Mapping[str, object]) -> bytes:
        """Return named parts, and JSON about them, as bytes.

        Raises:
            TypeError: a part holds a value of an unknown type.
        """
        arrays: dict[str, np.ndarray] = {}
        trees = {name: self._freeze(part, arrays) for name, part in parts.items()}
        rest = _line({"about": about, "parts": trees}) + save(arrays)
        return _line({"zoomdream": "unfinished", "version": VERSION, "sha256": hashlib.sha256(rest).hexdigest()}) + rest

    def thaw(self, saved: SavedState, parts: Mapping[str, object]) -> None:
        """Restore the saved state into parts that were built as before.

        Raises:
            SavedStateError: the parts differ, or something is missing.
        """
        try:
            for name, part in parts.items():
                self._thaw(part, saved.trees[name], saved.arrays)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise SavedStateError(f"the saved state does not fit: {type(error).__name__}: {str(error)[:200]}") from error

    def _freeze(self, value: object, arrays: dict[str, np.ndarray]) -> Any:
        if isinstance(value, Enum):
            return {"enum": type(self._known(value)).__name__, "value": value.value}
        if isinstance(value, np.ndarray | np.generic):  # keep numpy's scalars, which compute differently from Python's
            return {"array": _put(np.asarray(value), arrays), "scalar": isinstance(value, np.generic)}
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if isinstance(value, np.random.Generator):
            return {"random": dict(value.bit_generator.state)}
        if isinstance(value, Fraction):
            return {"fraction": [value.numerator, value.denominator]}
        if isinstance(value, slice):
            return {"slice": [value.start, value.stop, value.step]}
        if isinstance(value, deque):
            return {"deque": [self._freeze(each, arrays) for each in value], "most": value.maxlen}
        if isinstance(value, Mapping):
            return {"dict": [[self._freeze(key, arrays), self._freeze(each, arrays)] for key, each in value.items()]}
        if type(value).__name__ in CONTAINERS and isinstance(value, list | tuple | set | frozenset):
            return {type(value).__name__: [self._freeze(each, arrays) for each in value]}
        for codec in self._codecs:
            if (array := codec.encode(value)) is not None:
                return {"codec": codec.name, "array": _put(array, arrays)}
        if (changes := getattr(type(value), "CHANGES", None)) is not None:
            return {"changes": {name: self._freeze(getattr(value, name), arrays) for name in changes}}
        fields = _fields(self._known(value))
        return {"object": type(value).__name__, "fields": {name: self._freeze(each, arrays) for name, each in fields.items()}}

    def _known(self, value: object) -> object:
        if self._classes.get(type(value).__name__) is not type(value):
            raise TypeError(f"a {type(value).__name__} cannot be saved")
        return value

    def _thaw(self, existing: Any, tree: Any, arrays: Mapping[str, np.ndarray]) -> Any:
        match tree:
            case None | bool() | int() | float() | str():
                return tree
            case {"enum": str(name), "value": value}:
                return self._classes[name](value)
            case {"array": str(key), "scalar": bool(scalar)}:
                return arrays[key][()] if scalar else arrays[key].copy()
            case {"random": state}:
                existing.bit_generator.state = state
                return existing
            case {"fraction": [int(above), int(below)]}:
                return Fraction(above, below)
            case {"slice": [start, stop, step]}:
                return slice(start, stop, step)
            case {"deque": items, "most": most}:
                return deque((self._thaw(None, each, arrays) for each in items), most)
            case {"dict": pairs}:
                return {self._thaw(None, key, arrays): self._thaw(None, each, arrays) for key, each in pairs}
            case {"codec": str(name), "array": str(key)}:
                (codec,) = (each for each in self._codecs if each.name == name)
                return codec.decode(arrays[key], existing)
            case {"changes": dict(parts)}:
                if set(parts) != set(type(existing).CHANGES):
                    raise TypeError(f"a {type(existing).__name__} has other attributes")
                for name, each in parts.items():
                    setattr(existing, name, self._thaw(getattr(existing, name), each, arrays))
                if (done := getattr(existing, "went_on", None)) is not None:
                    done()
                return existing
            case {"object": str(name), "fields": dict(fields)}:
                made: Any = object.__new__(self._classes[name])
                for field, each in fields.items():
                    object.__setattr__(made, field, self._thaw(None, each, arrays))
                return made
        for name, make in CONTAINERS.items():
            if name in tree:
                return make([self._thaw(None, each, arrays) for each in tree[name]])
        raise TypeError(f"{str(tree)[:40]} cannot be read")


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class SavedState:
    """The contents of a saved file."""

    about: Mapping[str, Any]
    trees: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray]


def unpack(data: bytes) -> SavedState:
    """Read the result of ``StateFormat.pack``; this executes nothing in it.

    Raises:
        SavedStateError: it is something else, of another version, or damaged.
    """
    first, _, rest = data.partition(b"\n")
    try:
        header = json.loads(first)
        known = isinstance(header, dict) and header.get("zoomdream") == "unfinished"
    except (ValueError, RecursionError):
        known = False
    if not known or header.get("version") != VERSION:
        raise SavedStateError("another version of zoomdream wrote it" if known else "zoomdream did not write it")
    if header.get("sha256") != hashlib.sha256(rest).hexdigest():
        raise SavedStateError("it is damaged: its checksum does not match its contents")
    second, _, packed = rest.partition(b"\n")
    try:
        body = json.loads(second)
        return SavedState(body["about"], body["parts"], {name: np.array(array) for name, array in load(packed).items()})
    except (ValueError, KeyError, TypeError, RecursionError, SafetensorError) as error:
        raise SavedStateError(f"it is invalid: {type(error).__name__}: {str(error)[:200]}") from error


def _fields(value: object) -> dict[str, object]:
    if dataclasses.is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return dict(vars(value))


def _put(array: np.ndarray, arrays: dict[str, np.ndarray]) -> str:
    name = f"a{len(arrays)}"
    arrays[name] = np.ascontiguousarray(array).reshape(array.shape)  # ascontiguousarray gives a scalar a dimension
    return name


def _line(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
