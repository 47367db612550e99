"""The settings of the place where the dream is computed.

Part of ``config``, which re-exports these names; see there for how to write settings.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from shared.section import Section

Where = Literal["local", "ray"]
Compress = Literal["auto", "none", "jpeg", "h264"]


class RendererConfig(Section):
    """Where the dream is computed: on this machine, or on a node of a Ray cluster. docs/ray.md."""

    where: Where = Field(
        default="local",
        description="local: on this machine. ray: on a node of a Ray cluster with the same zoomdream installed; this needs "
        "zoomdream[ray] here. The video, the queue and the page stay here; only keyframes and the description of the dream "
        "cross the network. Files named in other settings, such as network.weights, have to exist there too; a starting "
        "picture (source.kind: image) is sent.",
    )
    address: Annotated[str, Field(min_length=1)] = Field(
        default="auto",
        json_schema_extra={"allowed": "auto, HOST:PORT, or ray://HOST:PORT"},
        description="The cluster. auto: the one with a node on this machine, or named by RAY_ADDRESS. HOST:PORT: one that "
        "this machine is a node of. ray://HOST:10001: one that this machine is not a node of.",
    )
    gpus: Annotated[float, Field(ge=0, le=1)] = Field(
        default=1.0,
        description="Share of a GPU to request from the cluster. 0.5 lets two streams share one; 0 uses a node's CPU.",
    )
    cpus: Annotated[int, Field(ge=1, le=256)] | None = Field(
        default=None,
        description="CPUs to request from the cluster, and number of threads if gpus is 0. null: requests one, and uses all "
        "of the node's cores but one.",
    )
    compress: Compress = Field(
        default="auto",
        description="How keyframes cross the network. none: uncompressed, to the last bit. jpeg, h264: lossy, for a slower "
        "link. auto: as the link allows, measured at the start and while it runs. After another worker has taken over from a "
        "compressed picture, a replay is similar, not identical.",
    )
    fallback: Literal["local", "none"] = Field(
        default="local",
        description="What to do while the cluster has no node available. local: dream on this machine, and move back once the "
        "cluster has one again. none: don't start without it; if it is lost later, wait for it while the video zooms into the "
        "last picture.",
    )
    spare: bool = Field(
        default=True,
        description="Whether a second, prepared process waits to replace the one that dreams, so that a failure stops the "
        "dream for a fraction of a second only. false saves its memory on a small machine: after a failure the dream stops for "
        "some seconds, until a new process has loaded, while the video continues. Without it, the fastest way to compute is "
        "not measured either (docs/networks.md).",
    )
