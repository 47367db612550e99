"""What the command line's options ask for, in the words of a script."""

from __future__ import annotations

from pathlib import Path


def subject_of(subject: str, layer: str, guide: Path | None) -> str:
    """A subject as ``requests.subjects`` reads it; empty when nothing was asked for.

    Args:
        subject: class words.
        layer: a layer's name, with channels behind a colon; with a guide, what the guide is seen through.
        guide: a picture file.
    """
    parts = [subject.strip()]
    layer = layer.strip().removeprefix("layer ")
    if guide is not None:
        quote = "'" if '"' in str(guide) else '"'
        parts.append(f"guide {quote}{guide}{quote}" + (f" at {layer}" if layer else ""))
    elif layer:
        parts.append(f"layer {layer}")
    return " + ".join(part for part in parts if part)
