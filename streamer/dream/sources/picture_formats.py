"""Kinds of picture files: which can be read, which a folder's pictures are, and what to do about the others."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from streamer.plurals import counted

HEIF = (".heic", ".heif", ".hif")
"""What telephones and cameras photograph in; read with the extra ``heif``."""
READ = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
    *(".png", ".apng", ".webp", ".gif", ".bmp", ".dib"),
    *(".tif", ".tiff", ".psd", ".tga"),
    *(".avif", ".avifs"),
    *(".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".qoi"),
)
"""What is taken from a folder."""
RAW = (".dng", ".nef", ".nrw", ".cr2", ".cr3", ".crw", ".arw", ".srf", ".orf", ".rw2", ".raf", ".pef", ".srw", ".x3f", ".raw")
NOT_READ = (*RAW, ".jxl", ".exr", ".hdr", ".pfm", ".svg", ".xcf", ".kra", ".ai", ".eps")
"""Pictures all the same, by whose names one knows that they are left out."""
HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm", b"hevs", b"mif1", b"msf1")
AVIF_BRANDS = (b"avif", b"avis")
INSTALL_HEIF = "pip install 'zoomdream[heif]'"


def reads_heif() -> bool:
    """Whether the extra ``heif`` is installed."""
    try:
        return find_spec("pillow_heif") is not None
    except ValueError:  # it was taken away after the start
        return False


def is_picture(path: Path) -> bool:
    """Whether a file in a folder is to be read as a picture, by its name."""
    suffix = path.suffix.lower()
    return not path.name.startswith(".") and (suffix in READ or (suffix in HEIF and reads_heif()))


def ftyp_brand(path: Path) -> bytes:
    """The four letters by which HEIF and AVIF tell what they are; empty in other files."""
    with path.open("rb") as file:
        head = file.read(12)
    return head[8:12] if head[4:8] == b"ftyp" else b""


def describe_skipped(folder: Path) -> str:
    """What is left out of a folder, in a line; empty where it is nothing. Hidden files do not count."""
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
    """The first names, and how many more."""
    names, more = [path.name for path in paths[:3]], len(paths) - 3
    return ", ".join(names) + (f" and {more} more" if more > 0 else "")
