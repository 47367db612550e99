"""Builds the inputs of FFmpeg's filter graphs."""

from __future__ import annotations

from av.filter import Graph
from av.filter.context import FilterContext
from av.video.frame import VideoFrame


def buffer_for(graph: Graph, like: VideoFrame) -> FilterContext:
    """Add a graph's input for pictures of one size, layout and tagging.

    ``Graph.add_buffer`` would leave out the colour matrix and range.
    """
    return graph.add(
        "buffer",
        f"video_size={like.width}x{like.height}:pix_fmt={like.format.name}:time_base=1/1000"
        f":colorspace={like.colorspace}:range={like.color_range}",
    )
