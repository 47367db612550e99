"""Status of the renderer and of its link to a cluster."""

from __future__ import annotations

from dataclasses import dataclass

from streamer.messages.network_contents import LayerEntry


@dataclass(frozen=True, slots=True)
class LinkStatus:
    """Status of the link to the cluster that the settings ask for."""

    node: str
    """The node that renders; empty while this machine does."""
    why: str = ""
    """Why this machine renders, in one line."""
    coding: str = ""
    """How keyframes are encoded for the network, such as ``jpeg 90``; empty until the first arrives."""
    bytes_per_s: float = 0.0
    """Measured throughput of the link; 0 before the first measurement."""
    round_trip_s: float = 0.0
    keyframe_bytes: int = 0
    """Mean size of recent keyframes on the network."""
    lag_s: float = 0.0
    """Median seconds from the time of recent keyframes until their arrival."""
    spare: str = ""
    """Where the spare worker runs: ``here`` or ``cluster``; empty while none is prepared."""


@dataclass(frozen=True, slots=True)
class RendererStatus:
    """Status of the renderer and its worker."""

    network: str = ""
    """Name of the network in use; empty until it is loaded."""
    device: str = ""
    """``cpu`` or ``cuda``; empty until it is chosen."""
    canvas: tuple[int, int] | None = None
    """(height, width) of the canvas, px; None before the first keyframe."""
    steps_per_s: float = 0.0
    keyframe_s: float | None = None
    """Mean seconds between recent keyframes; None before the second."""
    restarts: int = 0
    """Number of times the worker failed and was restarted."""
    error: str = ""
    """The current error, in one line; empty again after the next keyframe."""
    wnids: tuple[str, ...] = ()
    """WordNet ids of the classes that the network knows, in its own order; empty until it is loaded."""
    layers: tuple[LayerEntry, ...] = ()
    """Its layers, from input to output; empty until it is loaded."""
    nearest: tuple[tuple[int, ...], ...] = ()
    """For each of ``wnids``, the indices of the classes most similar to it for the network, best first; empty until it is
    loaded."""
    activity: str = ""
    """What the renderer does before it can render, for example ``loading the network``; empty while it renders."""
    spoilt: int = 0
    """Number of unusable pictures, which were not shown: they held non-finite values or values far outside the range."""
    reduced: str = ""
    """What is reduced for lack of memory or of a working GPU, and until when; empty when nothing is."""
    last_error: str = ""
    """The last error, whether it persists or not; empty if there was none."""
    last_error_ago_s: float | None = None
    """Seconds since the last error; None if there was none."""
    switching: str = ""
    """The network and algorithm that it is switching to; empty when it is not switching."""
    switch_error: str = ""
    """Why the last switch failed, in one line; empty if it succeeded."""
    switch_failures: int = 0
    """Number of failed switches."""
    link: LinkStatus | None = None
    """Status of the link to the cluster; None if the settings ask for none."""
