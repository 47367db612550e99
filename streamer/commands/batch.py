"""Matches input pictures with outputs: one file, or many in a folder or by a pattern such as ``out/*.jpg``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from streamer.commands import WRONG_CALL, CommandError
from streamer.dream.sources.picture_formats import describe_skipped, is_picture


@dataclass(frozen=True, slots=True)
class Job:
    """One picture to render."""

    source: Path | None
    """The picture; None to start from the config's source."""
    output: Path


def jobs(sources: Sequence[Path], output: Path) -> tuple[Job, ...]:
    """Return a job for each picture.

    Args:
        sources: Picture files, and folders of them; empty for one picture from the config's source.
        output: A file for one source; for several, a folder for ``NAME.png`` of each, or a pattern with a ``*`` for the name.

    Raises:
        CommandError: a source is missing, a folder has no pictures, an output would replace its source, or several pictures
            would have one output.
    """
    folder = "*" not in output.name and (output.is_dir() or not output.suffix)
    files = list(dict.fromkeys(file for source in sources for file in _files(source)))
    if not files:
        return (Job(None, output / "dream.png" if folder else _named(output, "dream")),)
    if len(files) > 1 and not folder and "*" not in output.name:
        raise CommandError(
            f"{len(files)} pictures do not fit into '{output}'; name a folder, or a pattern such as 'dreams/*.jpg'", WRONG_CALL
        )
    found: dict[Path, Path] = {}
    for file in files:
        wanted = output / f"{file.stem}.png" if folder else _named(output, file.stem)
        free, number = wanted, 1
        while free in found:
            number += 1
            free = wanted.with_stem(f"{wanted.stem}_{number}")
        if free.exists() and free.resolve() == file.resolve():
            raise CommandError(f"'{free}' would be replaced by its own dream; name another place", WRONG_CALL)
        found[free] = file
    return tuple(Job(source, place) for place, source in found.items())


def left_out(sources: Sequence[Path]) -> tuple[str, ...]:
    """Describe the files that are skipped, in a line for each folder that has any."""
    return tuple(line for source in dict.fromkeys(sources) if source.is_dir() and (line := describe_skipped(source)))


def _files(source: Path) -> list[Path]:
    if source.is_dir():
        inside = sorted(file for file in source.iterdir() if is_picture(file) and file.is_file())
        if not inside:
            others = describe_skipped(source)
            raise CommandError(f"there are no pictures in '{source}'{others and '; '}{others}", WRONG_CALL)
        return inside
    if not source.exists():
        raise CommandError(f"there is no picture '{source}'", WRONG_CALL)
    return [source]


def _named(pattern: Path, name: str) -> Path:
    return pattern.with_name(pattern.name.replace("*", name))
