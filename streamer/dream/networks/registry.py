"""The architectures of the ImageNet networks by name, from the list in ``network_names``."""

from __future__ import annotations

from pkgutil import resolve_name

from streamer.dream.networks.architecture import Architecture
from streamer.network_names import ARCHITECTURE_PLACES

ARCHITECTURES: dict[str, Architecture] = {name: resolve_name(place) for name, place in ARCHITECTURE_PLACES.items()}
"""The networks by name."""
