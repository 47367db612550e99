"""The settings of where the dream is computed.

Part of ``config``, which gives these names on; see there for how settings are written.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from streamer.config_block import Section

Where = Literal["local", "ray"]
Compress = Literal["auto", "none", "jpeg", "h264"]


class RendererConfig(Section):
    """Where the dream is computed: on this machine, or on a node of a Ray cluster. docs/ray.md."""

    where: Where = Field(
        default="local",
        description="local: on this machine. ray: on a node of a Ray cluster, which has the same zoomdream installed; that "
        "needs zoomdream[ray] here. The video, the queue and the page stay here, only keyframes and what is to be dreamt cross "
        "the network. Files that other settings name, such as network.weights, have to lie there too; a starting picture "
        "(source.kind: image) is sent.",
    )
    address: Annotated[str, Field(min_length=1)] = Field(
        default="auto",
        json_schema_extra={"allowed": "auto, HOST:PORT, or ray://HOST:PORT"},
        description="The cluster. auto: the one with a node on this machine, or that RAY_ADDRESS names. HOST:PORT: one that "
        "this machine is a node of. ray://HOST:10001: one that it is no node of.",
    )
    gpus: Annotated[float, Field(ge=0, le=1)] = Field(
        default=1.0,
        description="How much of a GPU to ask the cluster for. A half lets two streams share one; 0 dreams on a node's CPU.",
    )
    cpus: Annotated[int, Field(ge=1, le=256)] | None = Field(
        default=None,
        description="CPUs to ask the cluster for, and threads to dream with where gpus is 0. null: asks for one, and dreams "
        "there with all cores but one.",
    )
    compress: Compress = Field(
        default="auto",
        description="How keyframes cross the network. none: as they are, to the last bit. jpeg, h264: with some loss, for less "
        "of the link. auto: what the link has room for, measured at the start and while it runs. A replay of what was dreamt "
        "after another worker took over a compressed picture is alike, not the same.",
    )
    fallback: Literal["local", "none"] = Field(
        default="local",
        description="What to do while the cluster has no node to dream on. local: dream on this machine, and go back once the "
        "cluster has one again. none: do not start without it; if it is lost later, wait for it, and the video moves on into "
        "the last picture.",
    )
