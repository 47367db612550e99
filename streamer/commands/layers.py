"""Which layers a network has, and how large they are at the size that it would dream."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

from rich.console import Console
from rich.table import Table

from streamer.commands import WRONG_CALL, CommandError, with_near
from streamer.config import Config, NetworkConfig
from streamer.dream.device import DeviceError, canvas_size, choose_device
from streamer.dream.networks.anatomy import Part, anatomy
from streamer.dream.networks.network import NetworkError
from streamer.messages import Kind, Refused
from streamer.requests.subjects import MODERATOR, Subjects
from streamer.requests.vocabulary import Vocabulary

NETWORKS = tuple(name for name in get_args(NetworkConfig.model_fields["name"].annotation) if name != "auto")


def command(config: Config, word: str, network: str | None, console: Console, announce: Callable[[str], None]) -> None:
    """List a network's layers; no weights are loaded.

    Args:
        word: lists only layers with that in their name; or channels, as in ``fire5:3``, to see whether they are there.
        network: whose; None for the config's.

    Raises:
        CommandError: there is no such network, device or layer.
    """
    if network is not None and network not in NETWORKS:
        raise CommandError(f"there is no network '{network}'; there are {', '.join(NETWORKS)}", WRONG_CALL)
    try:
        device = choose_device(config.device).type
        name: str = network or config.network.name
        if name == "auto":
            name = "vgg16" if device == "cuda" else "squeezenet1_1"
        height, width = canvas_size(config.canvas, config.video, device)
        parts = anatomy(name, (height, width))
    except (DeviceError, NetworkError) as error:
        raise CommandError(str(error)) from error
    word = word.strip().casefold().removeprefix("layer ").strip()
    shown = tuple(part for part in parts if word in part.entry.name.casefold())
    if not shown:
        subjects = Subjects(Vocabulary.load(), [part.entry for part in parts])
        try:
            match = subjects.match(f"layer {word}", MODERATOR)
        except Refused as refused:
            raise CommandError(with_near(str(refused), refused.suggestions)) from None
        named = {target.layer for target in match.targets if target.kind is Kind.LAYER}
        announce(f"'{word}' dreams: {match.title}")
        shown = tuple(part for part in parts if part.entry.name in named)
    console.print(_table(shown, f"map at {width}x{height}"))
    announce(f"{len(shown)} of {len(parts)} layers of {name}; *: the one that a guide picture takes when none is named")


def _table(parts: tuple[Part, ...], size: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("ask for", no_wrap=True)
    table.add_column("", no_wrap=True)
    for title in ("channels", size, "pixels apart"):
        table.add_column(title, justify="right", no_wrap=True)
    for part in parts:
        entry, (rows, columns) = part.entry, part.map_size
        star = "*" if part.favourite else ""
        table.add_row(f"layer {entry.name}", star, str(entry.channels), f"{columns}x{rows}", str(entry.stride))
    return table
