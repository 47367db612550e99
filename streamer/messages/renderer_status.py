"""Status of the renderer and of its link to a cluster."""

from __future__ import annotations

from dataclasses import dataclass

from streamer.messages.network_contents import LayerEntry


@dataclass(frozen=True, slots=True)
class LinkStatus:
    """How the dream stands with the cluster that it is to be computed on."""

    node: str
    """The node that dreams; empty while this machine does."""
    why: str = ""
    """Why this machine does, in one line."""
    coding: str = ""
    """How keyframes cross the network, such as ``jpeg 90``; empty before that is known."""
    bytes_per_s: float = 0.0
    """What the link carries, as far as it was measured; 0 before that."""
    round_trip_s: float = 0.0
    keyframe_bytes: int = 0
    """What a keyframe takes on the network, lately."""
    lag_s: float = 0.0
    """Seconds from a keyframe's moment until it is here, lately."""
    spare: str = ""
    """Where another worker waits to take over: ``here`` or ``cluster``; empty while none is prepared."""


@dataclass(frozen=True, slots=True)
class RendererStatus:
    """How the dreaming goes."""

    network: str = ""
    """Name of the network in use; empty until it is loaded."""
    device: str = ""
    """``cpu`` or ``cuda``; empty until it is chosen."""
    canvas: tuple[int, int] | None = None
    """(height, width) of the picture being dreamt, px."""
    steps_per_s: float = 0.0
    keyframe_s: float | None = None
    """Seconds from one keyframe to the next, lately; None before the second."""
    restarts: int = 0
    """Times the worker died and was started again."""
    error: str = ""
    """What is wrong, in one line; empty once there is another picture."""
    wnids: tuple[str, ...] = ()
    """What the network can dream, in its own order; empty until it is loaded."""
    layers: tuple[LayerEntry, ...] = ()
    """Its layers, from the picture to the classes; empty until it is loaded."""
    nearest: tuple[tuple[int, ...], ...] = ()
    """For each of ``wnids`` the others most like it to the network, best first, as indices; empty until it is loaded."""
    activity: str = ""
    """What keeps it from dreaming, for example ``loading the network``; empty while it dreams."""
    spoilt: int = 0
    """Pictures that were not shown, because they held what is no number or reached beyond black and white."""
    reduced: str = ""
    """What it does without for want of memory or of a GPU that works, and until when; empty when nothing."""
    last_error: str = ""
    """The last thing that went wrong, whether it still is or not; empty when nothing did."""
    last_error_ago_s: float | None = None
    """Seconds since that; None when nothing did."""
    switching: str = ""
    """The network and algorithm that it is about to go over to; empty while it stays with what it has."""
    switch_error: str = ""
    """Why it did not go over to what was asked for last, in one line; empty when it did."""
    switch_failures: int = 0
    """How often it did not."""
    link: LinkStatus | None = None
    """How it stands with the cluster; None where the settings ask for none."""
