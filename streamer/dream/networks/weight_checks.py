"""Checks of a weights file without torch, which takes seconds to load: whether it exists, is complete and looks right.

No code in the file is run, and its numbers are only checked by checksums.
"""

from __future__ import annotations

import hashlib
import math
import re
import zipfile
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path

from safetensors import SafetensorError, safe_open

from streamer.errors import ZoomdreamError

SUFFIXES = (".safetensors", ".pth", ".pt", ".ckpt")
CLASSIFIERS = {
    "squeezenet1_1": ("classifier.1.weight", (1000, 512, 1, 1)),
    "vgg16": ("classifier.6.weight", (1000, 4096)),
    "resnet50": ("fc.weight", (1000, 2048)),
}
"""The last layer of some networks: networks retrained for other classes differ there."""
QUICK_BYTES = 100 << 20
"""Files up to this size are read completely in a moment."""
NOTED_HASH = re.compile(r"-(?=[0-9]*[a-f])([0-9a-f]{8,64})\.[a-z]+$")
"""The first digits of its SHA-256 in a file's name, like torchvision's; eight decimal digits alone may be a date."""
_ZIP = b"PK\x03\x04"
"""The first bytes of a file that ``torch.save`` wrote."""
_NUMBER = 0x1950A86A20F9469CFC6C
_LEGACY = (_NUMBER.to_bytes(10, "little"), str(_NUMBER).encode())
"""Bytes near the start of a file from before torch 1.6, in both pickle protocols."""
_BEGINNING = 64
_REBUILT = b"_rebuild_"
"""Part of the pickle of every tensor: the name of the function that makes it."""


class NetworkError(ZoomdreamError):
    """A network is unavailable: its weights are missing, damaged, for another network, or cannot be downloaded."""


def check_weights(file: Path, name: str | None = None, *, most_bytes: float = math.inf, tensors: bool = False) -> None:
    """Check a weights file, as far as possible without torch.

    Args:
        file: the weights file.
        name: its network, if known.
        most_bytes: larger files are not read completely, and their checksums are not compared.
        tensors: whether to check that the file contains tensors; a later reader has a more precise message.

    Raises:
        NetworkError: the message names the file and what is wrong with it.
    """
    try:
        with file.open("rb") as opened:
            suffix = file.suffix.lower()
            if suffix not in SUFFIXES:
                raise NetworkError(f"{file}: weights come as {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}")
            whole = file.stat().st_size <= most_bytes
            if suffix == ".safetensors":
                _look_at_safetensors(file, name)
            else:
                _look_at_torch(file, opened, whole, tensors)
            if whole:
                _compare_hash(file, opened)
    except FileNotFoundError as error:
        raise NetworkError(f"{file}: there is no such file") from error
    except OSError as error:
        raise NetworkError(f"{file}: cannot be read: {error.strerror or error}") from error


def intact(file: Path, name: str = "") -> bool:
    """Return whether a file has the hash in its name, or in ``name`` if given; True if there is no hash.

    Raises:
        OSError: the file cannot be read.
    """
    with file.open("rb") as opened:
        return _wrong_hash(name or file.name, opened) is None


def _look_at_safetensors(file: Path, name: str | None) -> None:
    try:
        with safe_open(file, framework="numpy") as opened:
            if not opened.keys():
                raise NetworkError(f"{file}: holds no named tensors")
            key, expected = CLASSIFIERS.get(name or "", ("", ()))
            if key in opened.keys():  # noqa: SIM118
                found = tuple(opened.get_slice(key).get_shape())
                if found[0] != expected[0] or math.prod(found) != math.prod(expected):
                    raise NetworkError(f"{file}: '{key}' has shape {found}, expected {expected}; is it for another network?")
    except SafetensorError as error:
        raise _damaged(file, next(iter(str(error).splitlines()), "")) from error


def _look_at_torch(file: Path, opened: BufferedReader, whole: bool, tensors: bool) -> None:
    """Check a file of ``torch.save``, in both formats, and whether it contains a tensor."""
    begins = opened.read(_BEGINNING)
    if any(number in begins for number in _LEGACY):
        opened.seek(0)
        if tensors and whole and not _holds(opened, _REBUILT):
            raise _damaged(file, "holds no named tensors")
        return
    if not begins.startswith(_ZIP):
        raise _damaged(file, "torch.save did not write it")
    try:
        with zipfile.ZipFile(file) as archive:
            records = archive.infolist()
            pickles = [record for record in records if record.filename.endswith("/data.pkl")]
            if not pickles:
                raise _damaged(file, "a zip archive, but none of torch's: there is no data.pkl in it")
            for record in records if whole else pickles:
                _compare_checksum(file, archive, record)
            if tensors and not any(_REBUILT in archive.read(record) for record in pickles):
                raise _damaged(file, "holds no named tensors")
    except (zipfile.BadZipFile, NotImplementedError, EOFError) as error:
        raise _damaged(file, str(error)) from error


def _compare_checksum(file: Path, archive: zipfile.ZipFile, record: zipfile.ZipInfo) -> None:
    """Read a record and compare its checksum: torch writes checksums but does not compare them when it reads."""
    if record.compress_type != zipfile.ZIP_STORED:  # a small file could fill the memory
        raise _damaged(file, f"'{record.filename}' in it is compressed, which torch never does")
    record.CRC = record.CRC or None  # type: ignore[assignment]  # 0: torch wrote none; with None, zipfile compares none
    try:
        with archive.open(record) as part:
            while part.read(1 << 20):
                pass
    except zipfile.BadZipFile as error:
        raise _damaged(file, f"'{record.filename}' in it has another checksum than is noted there") from error


def _compare_hash(file: Path, opened: BufferedReader) -> None:
    found = _wrong_hash(file.name, opened)
    if found is not None:
        raise NetworkError(
            f"{file}: damaged or another file: its SHA-256 starts with {found[:8]}, unlike its name; get it again, or rename it"
        )


def _wrong_hash(name: str, opened: BufferedReader) -> str | None:
    noted = NOTED_HASH.search(name)
    if noted is None:
        return None
    opened.seek(0)
    found = hashlib.file_digest(opened, "sha256").hexdigest()
    return None if found.startswith(noted[1]) else found


def _holds(opened: BufferedReader, wanted: bytes) -> bool:
    """Return whether a file contains some bytes; read it in pieces."""
    before = b""
    for piece in _pieces(opened):
        if wanted in before + piece:
            return True
        before = piece[-len(wanted) :]
    return False


def _pieces(opened: BufferedReader) -> Iterator[bytes]:
    while piece := opened.read(1 << 20):
        yield piece


def _damaged(file: Path, reason: str) -> NetworkError:
    return NetworkError(f"{file}: damaged or truncated, or not such a file: {reason}")
