"""Lists the classes that can be requested, and what a word matches."""

from __future__ import annotations

import json
from collections.abc import Callable

from rich.console import Console
from rich.table import Table
from safetensors import SafetensorError, safe_open

from streamer.assets import asset
from streamer.commands import CommandError, refusal
from streamer.messages.network_contents import ClassEntry
from streamer.messages.refused import Refused
from streamer.requests.vocabulary import Vocabulary

BUNDLED_FILE = "bundled_net.safetensors"
IMAGENET = "ImageNet's 1000"
"""The networks that know a class the bundled one lacks: those trained on all of ImageNet's classes."""
SHOWN = 20
"""Most classes listed for a word."""


def command(word: str, console: Console, announce: Callable[[str], None]) -> None:
    """List the classes that can be requested.

    Args:
        word: What a viewer would type; empty lists everything.

    Raises:
        CommandError: the word matches nothing.
    """
    bundled = bundled_wnids()
    everything = Vocabulary.load()
    words = everything.for_network(bundled) if bundled else everything
    if not word.strip():
        entries = words.search("", limit=10_000)
        console.print(_table(entries, bundled))
        known = f": networks trained on ImageNet know all, the bundled one by itself {len(bundled)}" if bundled else ""
        announce(f"{len(entries)} classes{known}")
        return
    try:
        match = everything.match(word)
    except Refused as refused:
        raise CommandError(refusal(refused)) from None
    title = " + ".join(target.label for target in match.targets)
    announce(f"'{word.strip()}' dreams: {title}{f' ({match.note})' if match.note else ''}")
    missing = [target.label for target in match.targets if bundled and target.wnid not in bundled]
    if missing:
        announce(f"known to networks trained on ImageNet, not to the bundled one by itself: {', '.join(missing)}")
    if entries := words.search(word, limit=SHOWN):
        console.print(_table(entries, bundled))


def bundled_wnids() -> frozenset[str]:
    """Return the classes of the bundled network; empty if the installation lacks it."""
    try:
        with safe_open(str(asset(BUNDLED_FILE)), framework="numpy") as file:
            return frozenset(json.loads((file.metadata() or {})["classes"]))
    except (FileNotFoundError, SafetensorError, KeyError, ValueError):
        return frozenset()  # `check` and `run` report what is wrong with the file


def _table(entries: tuple[ClassEntry, ...], bundled: frozenset[str]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("ask for", no_wrap=True)
    table.add_column("also called", style="dim")
    table.add_column("networks", no_wrap=True)
    for entry in entries:
        others = ", ".join(name for name in entry.names if name != entry.label)
        table.add_row(entry.label, others, "all" if entry.wnid in bundled else IMAGENET)
    return table
