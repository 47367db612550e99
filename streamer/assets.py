"""Finds the shipped data files: in ``assets/`` of a checkout, in ``streamer/_assets`` of an installed wheel."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_FOLDERS = (_PACKAGE / "_assets", _PACKAGE.parent / "assets")


def asset(name: str) -> Path:
    """Return the path of a shipped data file, for example ``asset("classes.json")``.

    Raises:
        FileNotFoundError: it is missing from the installation.
    """
    for folder in _FOLDERS:
        if (path := folder / name).is_file():
            return path
    raise FileNotFoundError(
        f"the data file '{name}' is missing from {_FOLDERS[-1]}; install zoomdream again or restore the checkout"
    )
