"""What the operator reads: one format for the log, set up by the command line and nowhere else."""

from __future__ import annotations

import logging

from rich.console import Console
from rich.logging import RichHandler

LEVELS = ("debug", "info", "warning", "error")

console = Console(stderr=True)
"""Where logs and progress bars go, so that they keep out of each other's way."""

CHATTY = ("aiohttp", "asyncio", "libav", "matplotlib", "PIL", "torch", "twitchio", "urllib3")
"""Libraries whose details are of no use to an operator."""


def configure_logs(level: str) -> None:
    """Send logs of a level and above, in any case, to standard error: in colour on a terminal, plain lines elsewhere."""
    handler: logging.Handler
    if console.is_terminal:
        handler = RichHandler(console=console, show_path=False, log_time_format="%H:%M:%S", omit_repeated_times=False)
        handler.setFormatter(logging.Formatter("%(message)s"))
    else:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in CHATTY:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelNamesMapping()[level.upper()]))
