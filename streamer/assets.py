"""Where the shipped data files lie: the repository's ``assets/`` in a checkout, ``streamer/_assets`` in an installed wheel."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_FOLDERS = (_PACKAGE / "_assets", _PACKAGE.parent / "assets")


def asset(name: str) -> Path:
    """The path of a shipped data file, for example ``asset("classes.json")``.

    Raises:
        FileNotFoundError: the installation lacks it.
    """
    for folder in _FOLDERS:
        if (path := folder / name).is_file():
            return path
    raise FileNotFoundError(
        f"the data file '{name}' is missing from {_FOLDERS[-1]}; install zoomdream again or restore the checkout"
    )
