"""Picture formats: which can be read, which are read from a folder, and what to do about the others."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from streamer.plurals import counted

HEIF = (".heic", ".heif", ".hif")
"""Suffixes of the format of phones and cameras; read with the extra ``heif``."""
READ = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
    *(".png", ".apng", ".webp", ".gif", ".bmp", ".dib"),
    *(".tif", ".tiff", ".psd", ".tga"),
    *(".avif", ".avifs"),
    *(".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".qoi"),
)
"""Suffixes that are read from a folder."""
RAW = (".dng", ".nef", ".nrw", ".cr2", ".cr3", ".crw", ".arw", ".srf", ".orf", ".rw2", ".raf", ".pef", ".srw", ".x3f", ".raw")
NOT_READ = (*RAW, ".jxl", ".exr", ".hdr", ".pfm", ".svg", ".xcf", ".kra", ".ai", ".eps")
"""Suffixes of pictures that cannot be read, which are reported by name."""
HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm", b"hevs", b"mif1", b"msf1")
AVIF_BRANDS = (b"avif", b"avis")
INSTALL_HEIF = "pip install 'zoomdream[heif]'"


def reads_heif() -> bool:
    """Return whether the extra ``heif`` is installed."""
    try:
        return find_spec("pillow_heif") is not None
    except ValueError:  # it was removed after the start
        return False


def is_picture(path: Path) -> bool:
    """Return whether to read a file in a folder as a picture, by its name."""
    suffix = path.suffix.lower()
    return not path.name.startswith(".") and (suffix in READ or (suffix in HEIF and reads_heif()))


def ftyp_brand(path: Path) -> bytes:
    """Return the four letters that identify HEIF and AVIF; empty for other files."""
    with path.open("rb") as file:
        head = file.read(12)
    return head[8:12] if head[4:8] == b"ftyp" else b""


def describe_skipped(folder: Path) -> str:
    """Describe the skipped files of a folder in one line; empty if there are none. Hidden files do not count."""
    rest = sorted(
        path for path in folder.iterdir() if not path.name.startswith(".") and not (is_picture(path) and path.is_file())
    )
    heif = [path for path in rest if path.suffix.lower() in HEIF and path.is_file()]
    pictures = [path for path in rest if path.suffix.lower() in NOT_READ and path.is_file()]
    folders = [path for path in rest if path.is_dir()]
    others = len(rest) - len(heif) - len(pictures) - len(folders)
    parts = []
    if heif:
        parts.append(f"{_named(heif)} (to read HEIF: {INSTALL_HEIF})")
    if pictures:
        parts.append(f"{_named(pictures)} (kinds that cannot be read)")
    if folders:
        parts.append(counted(len(folders), "folder"))
    if others:
        parts.append(counted(others, "other file"))
    return f"passed over in '{folder}': {', '.join(parts)}" if parts else ""


def _named(paths: list[Path]) -> str:
    """Return the first names and the number of the others."""
    names, more = [path.name for path in paths[:3]], len(paths) - 3
    return ", ".join(names) + (f" and {more} more" if more > 0 else "")
