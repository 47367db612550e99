"""Reads the weights out of a file that ``torch.save`` wrote, whatever else is in it, without running any of that.

Both forms are known: the zip archive, and the sequence of pickles that torch wrote before 1.6 (2020). The objects are read
first (``unpickling``), then the numbers of those tensors that are wanted.
"""

from __future__ import annotations

import errno
import io
import os
import pickle
import sys
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, TypeVar

import torch
from torch import Tensor

from streamer.dream.networks.pickled_arrays import FAILURES, short
from streamer.dream.networks.unpickling import FOREIGN, Storage, Stored, TorchUnpickler

T = TypeVar("T")

STATE_DICTS = ("state_dict", "model", "model_state_dict")
"""Where checkpoints keep the named tensors of their model."""
MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
"""The first two objects of the older form."""


def read_checkpoint(file: Path) -> dict[str, Tensor]:
    """The named tensors of a checkpoint's model, on the CPU as stored.

    Raises:
        OSError: the file cannot be read.
        pickle.UnpicklingError: it is damaged, or holds no named tensors; one line says what.
    """
    with file.open("rb") as opened:
        try:
            archive: _Archive = _Zip(opened) if opened.read(4) == b"PK\x03\x04" else _Sequence(opened)
            return {key: archive.tensor(stored) for key, stored in state_dict(archive.load(), Stored).items()}
        except (*FAILURES, zipfile.BadZipFile, RuntimeError) as error:
            reason = next(iter(str(error).splitlines()), "") or type(error).__name__
            raise pickle.UnpicklingError(reason) from error
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            raise pickle.UnpicklingError("it points to places outside itself") from error


def state_dict(loaded: object, kind: type[T]) -> dict[str, T]:
    """The named tensors in what a file held: a state dict, or a checkpoint with one in it.

    Args:
        kind: what tensors are here.

    Raises:
        TypeError: there are none.
    """
    if not isinstance(loaded, Mapping):
        what = "an object of a program's own" if loaded is FOREIGN else f"a {type(loaded).__name__}"
        raise TypeError(f"holds {what}, not named tensors")
    named = [loaded[name] for name in STATE_DICTS if name in loaded]
    for choices in (named, [loaded, *loaded.values()]):
        found = [_tensors(each, kind) for each in choices if isinstance(each, Mapping)]
        if best := max(found, key=len, default=None):
            return best
    raise TypeError("holds no named tensors")


def _tensors(named: Mapping[object, object], kind: type[T]) -> dict[str, T]:
    return {key: value for key, value in named.items() if isinstance(key, str) and isinstance(value, kind)}


class _Archive(ABC):
    """A file with objects and, apart from them, runs of numbers."""

    byteorder = "little"

    def __init__(self) -> None:
        self._read: dict[Storage, Tensor] = {}

    @abstractmethod
    def load(self) -> object:
        """The objects, tensors among them as ``Stored``."""

    @abstractmethod
    def bytes_of(self, storage: Storage) -> bytes:
        """A storage's numbers as they are in the file."""

    def tensor(self, stored: Stored) -> Tensor:
        """A tensor with its numbers; those that share a storage in the file share it here."""
        storage = stored.storage
        if storage not in self._read:
            data, wide = bytearray(self.bytes_of(storage)), storage.dtype.itemsize
            if len(data) < storage.count * wide:
                raise pickle.UnpicklingError(f"a run of numbers ends after {len(data)} of {storage.count * wide} bytes")
            values = torch.frombuffer(data, dtype=torch.uint8) if data else torch.empty(0, dtype=torch.uint8)
            if self.byteorder != sys.byteorder:
                part = wide // 2 if storage.dtype.is_complex else wide
                values = values.view(-1, part).flip(1).flatten()
            self._read[storage] = values.view(storage.dtype)
        return self._read[storage].as_strided(stored.size, stored.stride, stored.offset)


class _Zip(_Archive):
    """The form since torch 1.6: ``NAME/data.pkl``, and ``NAME/data/0`` and so on for the numbers."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._zip = zipfile.ZipFile(file)
        names = self._zip.namelist()
        roots = [name.removesuffix("data.pkl") for name in names if name.endswith("/data.pkl")]
        if not roots:
            raise pickle.UnpicklingError("a zip archive, but none of torch's: there is no data.pkl in it")
        self._root = min(roots, key=len)
        if f"{self._root}byteorder" in names:
            self.byteorder = self._record("byteorder").decode("ascii")
        if self.byteorder not in ("little", "big"):
            raise pickle.UnpicklingError(f"its byte order is {short(self.byteorder)}")

    def load(self) -> object:
        return TorchUnpickler(io.BytesIO(self._record("data.pkl"))).load()

    def bytes_of(self, storage: Storage) -> bytes:
        return self._record(f"data/{storage.key}")

    def _record(self, name: str) -> bytes:
        try:
            about = self._zip.getinfo(f"{self._root}{name}")
        except KeyError:
            raise pickle.UnpicklingError(f"there is no {short(name)} in it") from None
        if about.compress_type != zipfile.ZIP_STORED:  # a small file could fill the memory
            raise pickle.UnpicklingError(f"{short(name)} in it is compressed, which torch never does")
        return self._zip.read(about)


class _Sequence(_Archive):
    """The form before torch 1.6: pickles one after another, the objects in the fourth, then the numbers of every storage."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file, self._length = file, file.seek(0, os.SEEK_END)
        self._places: dict[Storage, tuple[int, int]] = {}
        """Where each storage's numbers begin, and how many bytes they take."""

    def load(self) -> object:
        self._file.seek(0)
        if self._next().load() != MAGIC or self._next().load() != PROTOCOL:
            raise pickle.UnpicklingError("torch.save did not write it")
        about = self._next().load()
        if not isinstance(about, dict) or about.get("little_endian") is not True:
            raise pickle.UnpicklingError("the machine that wrote it had its bytes in another order")
        objects = self._next()
        loaded, keys = objects.load(), self._next().load()
        if objects.unknown:  # how wide its numbers are is not known, and so not where the next begin
            raise pickle.UnpicklingError(f"the numbers of its storage {short(objects.unknown[0])} are of an unknown kind")
        if not isinstance(keys, list) or sorted(keys) != sorted(objects.storages):
            raise pickle.UnpicklingError("its list of storages is not that of its tensors")
        for storage in (objects.storages[key] for key in keys):
            count, begin = int.from_bytes(self._file.read(8), "little"), self._file.tell()
            length = storage.count * storage.dtype.itemsize
            if count != storage.count or begin + length > self._length:
                raise pickle.UnpicklingError(f"a run of {storage.count} numbers is cut short")
            self._places[storage] = begin, length
            self._file.seek(length, os.SEEK_CUR)
        return loaded

    def bytes_of(self, storage: Storage) -> bytes:
        begin, length = self._places[storage]
        self._file.seek(begin)
        return self._file.read(length)

    def _next(self) -> TorchUnpickler:
        return TorchUnpickler(self._file)
