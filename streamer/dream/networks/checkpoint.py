"""Reads the weights from a file that ``torch.save`` wrote, with any other contents, without running code from it.

Both formats are supported: the zip archive, and the sequence of pickles that torch wrote before 1.6 (2020). The objects are
read first (``unpickling``), then the numbers of the model's tensors.
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
"""Keys under which checkpoints store the named tensors of their model."""
MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
"""The first two objects of the older format."""


def read_checkpoint(file: Path) -> dict[str, Tensor]:
    """Return the named tensors of a checkpoint's model, on the CPU as stored.

    Raises:
        OSError: the file cannot be read.
        pickle.UnpicklingError: the file is damaged, or holds no named tensors; a one-line message says which.
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
    """Find the named tensors in the contents of a file: a state dict, or a checkpoint that contains one.

    Args:
        loaded: the contents of the file.
        kind: the type of its tensors.

    Raises:
        TypeError: there are no named tensors.
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
    """A file with objects and, separately, the numbers of their storages."""

    byteorder = "little"

    def __init__(self) -> None:
        self._read: dict[Storage, Tensor] = {}

    @abstractmethod
    def load(self) -> object:
        """Return the objects, with tensors as ``Stored``."""

    @abstractmethod
    def bytes_of(self, storage: Storage) -> bytes:
        """Return a storage's numbers as they are in the file."""

    def tensor(self, stored: Stored) -> Tensor:
        """Return a tensor with its numbers; tensors that share a storage in the file share it here."""
        storage = stored.storage
        if storage not in self._read:
            data, itemsize = bytearray(self.bytes_of(storage)), storage.dtype.itemsize
            if len(data) < storage.count * itemsize:
                raise pickle.UnpicklingError(f"a storage ends after {len(data)} of {storage.count * itemsize} bytes")
            values = torch.frombuffer(data, dtype=torch.uint8) if data else torch.empty(0, dtype=torch.uint8)
            if self.byteorder != sys.byteorder:
                part = itemsize // 2 if storage.dtype.is_complex else itemsize
                values = values.view(-1, part).flip(1).flatten()
            self._read[storage] = values.view(storage.dtype)
        return self._read[storage].as_strided(stored.size, stored.stride, stored.offset)


class _Zip(_Archive):
    """The format since torch 1.6: ``NAME/data.pkl``, and ``NAME/data/0`` and so on for the numbers."""

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
    """The format before torch 1.6: pickles one after another, the objects in the fourth, then the numbers of every storage."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file, self._length = file, file.seek(0, os.SEEK_END)
        self._places: dict[Storage, tuple[int, int]] = {}
        """Start and length in bytes of each storage's numbers."""

    def load(self) -> object:
        self._file.seek(0)
        if self._next().load() != MAGIC or self._next().load() != PROTOCOL:
            raise pickle.UnpicklingError("torch.save did not write it")
        about = self._next().load()
        if not isinstance(about, dict) or about.get("little_endian") is not True:
            raise pickle.UnpicklingError("the machine that wrote it had its bytes in another order")
        objects = self._next()
        loaded, keys = objects.load(), self._next().load()
        if objects.unknown:  # without the size of its numbers, the start of the next storage is unknown
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
