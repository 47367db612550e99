"""Fits the patch prior to photographs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress

from streamer.commands import WRONG_CALL, CommandError
from streamer.dream.algorithms.prior import PriorError, fit
from streamer.dream.sources.picture import SourceError, read_image
from streamer.dream.sources.picture_formats import is_picture


def command(images: list[Path], output: Path, seed: int, console: Console, announce: Callable[[str], None]) -> None:
    """Fit a prior and write it.

    Args:
        images: Photographs, or folders of them.

    Raises:
        CommandError: a picture cannot be read, there are none, or the file cannot be written.
    """
    if output.suffix != ".safetensors":
        raise CommandError(f"'{output}' must end in .safetensors", WRONG_CALL)
    if not output.parent.is_dir():
        raise CommandError(f"there is no folder '{output.parent}' to write to", WRONG_CALL)
    paths = _pictures(images)
    try:
        with Progress(console=console, disable=not console.is_terminal) as shown:
            reading = shown.add_task("reading", total=len(paths))
            fitting = shown.add_task("fitting", total=1.0)

            def pictures() -> Iterator[np.ndarray]:
                for path in paths:
                    yield read_image(path)
                    shown.advance(reading)

            prior = fit(pictures(), seed, progress=lambda fraction: shown.update(fitting, completed=fraction))
        prior.write(output)
    except (SourceError, PriorError) as error:
        raise CommandError(str(error), WRONG_CALL) from error
    except OSError as error:
        raise CommandError(f"'{output}' cannot be written: {error.strerror or error}") from error
    except KeyboardInterrupt:
        raise CommandError("stopped before the end") from None
    announce(f"{output}, fitted to {len(paths)} pictures")


def _pictures(images: list[Path]) -> list[Path]:
    found: list[Path] = []
    for path in images:
        if path.is_dir():
            inside = sorted(item for item in path.rglob("*") if is_picture(item) and item.is_file())
            if not inside:
                raise CommandError(f"there is no picture in '{path}'", WRONG_CALL)
            found += inside
        else:
            found.append(path)
    return found
