"""Lists a network's layers, with their sizes at the configured canvas."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import get_args

from rich.console import Console
from rich.table import Table

from streamer.commands import WRONG_CALL, CommandError, with_near
from streamer.commands.command_errors import as_command_error
from streamer.config import Config
from streamer.dream.device import canvas_size, choose_device
from streamer.dream.networks.layer_shapes import LayerShape, layer_shapes
from streamer.dream.networks.loading import first_choice
from streamer.dream.networks.names import JOIN
from streamer.messages.refused import Refused
from streamer.network_names import NetworkName
from streamer.requests.subjects import MODERATOR, Subjects
from streamer.requests.vocabulary import Vocabulary

NETWORKS = get_args(NetworkName)


def command(config: Config, word: str, network: str | None, console: Console, announce: Callable[[str], None]) -> None:
    """List a network's layers; no weights are loaded.

    Args:
        word: Part of a layer's name to list only those, or channels as in ``fire5:3``, to see whether they exist.
        network: The network's name; None for the config's.

    Raises:
        CommandError: there is no such network, device or layer.
    """
    if network is not None and network not in NETWORKS:
        raise CommandError(f"there is no network '{network}'; there are {', '.join(NETWORKS)}", WRONG_CALL)
    with as_command_error():
        device = choose_device(config.device).type
        names = (network,) if network else config.network.names or (first_choice(device),)
        height, width = canvas_size(config.canvas, config.video, device)
        parts = _of_all(names, (height, width))
    word = word.strip().casefold().removeprefix("layer ").strip()
    shown = tuple(part for part in parts if word in part.entry.name.casefold())
    if not shown:
        subjects = Subjects(Vocabulary.load(), [part.entry for part in parts])
        try:
            match = subjects.match(f"layer {word}", MODERATOR)
        except Refused as refused:
            raise CommandError(with_near(str(refused), refused.suggestions)) from None
        named = {target.layer for target in match.targets if target.layer}
        announce(f"'{word}' dreams: {match.title}")
        shown = tuple(part for part in parts if part.entry.name in named)
    console.print(_table(shown, f"map at {width}x{height}"))
    announce(
        f"{len(shown)} of {len(parts)} layers of {JOIN.join(names)}; *: the one that a guide picture takes when none is named"
    )


def _of_all(names: Sequence[str], size: tuple[int, int]) -> tuple[LayerShape, ...]:
    """Return the layers of several networks; if two have the same name, the first, which is the one that is used."""
    found: dict[str, LayerShape] = {}
    for name in names:
        for part in layer_shapes(name, size):
            found.setdefault(part.entry.name, part if name == names[0] else replace(part, default_layer=False))
    return tuple(found.values())


def _table(parts: tuple[LayerShape, ...], size: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("ask for", no_wrap=True)
    table.add_column("", no_wrap=True)
    for title in ("channels", size, "pixels apart"):
        table.add_column(title, justify="right", no_wrap=True)
    for part in parts:
        entry, (rows, columns) = part.entry, part.map_size
        star = "*" if part.default_layer else ""
        table.add_row(f"layer {entry.name}", star, str(entry.channels), f"{columns}x{rows}", str(entry.stride))
    return table
