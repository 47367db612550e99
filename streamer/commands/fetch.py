"""Downloads weights now, for a machine that will be offline or never was online."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import get_args

from rapidfuzz import process

from streamer.commands import INTERRUPTED, WRONG_CALL, CommandError
from streamer.config import Config
from streamer.network_names import NetworkName


def command(config: Config, names: Sequence[str], source: str | None, announce: Callable[[str], None]) -> None:
    """Download the weights of networks to the cache, with a progress bar for each.

    Args:
        names: Names as in ``network.name``; empty for those that the settings name.
        source: A mirror's address, a folder or a file; None for torchvision's address.

    Raises:
        CommandError: there is no such network, or its weights are unavailable.
    """
    known = get_args(NetworkName)
    for name in names:
        if name not in known:
            near = [match[0] for match in process.extract(name, known, limit=2, score_cutoff=60)]
            raise CommandError(
                f"there is no network '{name}'; {'near: ' if near else ''}{', '.join(near or known)}", WRONG_CALL
            )
    from streamer.dream.device import DeviceError
    from streamer.dream.networks.weights import NetworkError

    try:
        for name in dict.fromkeys(names or _wanted(config)):
            announce(_obtained(name, source))
    except (NetworkError, DeviceError) as error:
        raise CommandError(str(error)) from error
    except KeyboardInterrupt:
        raise CommandError("stopped; the downloaded part is kept, and the same call continues", INTERRUPTED) from None


def _wanted(config: Config) -> Sequence[str]:
    """Return the networks that a stream with these settings starts with."""
    from streamer.dream.device import choose_device
    from streamer.dream.networks.loading import PACKAGED, first_choice

    return config.network.names or (first_choice(choose_device(config.device).type), PACKAGED)


def _obtained(name: str, source: str | None) -> str:
    """Get one network's weights; return a line about them."""
    from streamer.dream.networks import bundled
    from streamer.dream.networks.caffe_squeezenet import packaged_squeezenet
    from streamer.dream.networks.mirrors import obtain
    from streamer.dream.networks.registry import ARCHITECTURES
    from streamer.dream.networks.weights import cache_folder

    if name == bundled.NAME:
        return f"{name}: comes with the program, in {bundled.shipped()}"
    if ARCHITECTURES[name].torchvision is None:
        return f"{name}: {packaged_squeezenet(cache_folder()).file}, out of a package"
    fetched = obtain(ARCHITECTURES[name], source)
    return f"{name}: {fetched.file} ({fetched.file.stat().st_size / 1e6:.0f} MB{'' if fetched.new else ', was there already'})"
