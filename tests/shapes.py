"""Pictures whose shape can be measured (a quad and a disc), and films of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.stream import Disposition

from streamer.dream.sources.readers import VideoReader

COLOURS = {"R": (200, 40, 40), "G": (40, 200, 40), "B": (40, 40, 200), "Y": (220, 200, 60)}
"""The colours of a quad: red and green above, blue and yellow below."""

EXIF = {1: "RG/BY", 2: "GR/YB", 3: "YB/GR", 4: "BY/RG", 5: "RB/GY", 6: "BR/YG", 7: "YG/BR", 8: "GY/RB"}
"""How a quad with each orientation number is displayed (JEITA CP-3451, section 4.6.4): 6 is upright after a quarter turn
clockwise, 5 is mirrored along the diagonal from the top left."""

MATRIX = {
    1: (1, 0, 0, 1), 2: (-1, 0, 0, 1), 3: (-1, 0, 0, -1), 4: (1, 0, 0, -1),
    5: (0, 1, 1, 0), 6: (0, 1, -1, 0), 7: (0, -1, -1, 0), 8: (0, -1, 1, 0),
}  # fmt: skip
"""The same orientations as a, b, c, d of a display matrix."""


def quad(size: tuple[int, int] = (120, 160)) -> np.ndarray:
    """Return a picture of four coloured fields, (H, W, 3) uint8."""
    image = np.zeros((*size, 3), np.uint8)
    rows, columns = (slice(0, size[0] // 2), slice(size[0] // 2, None)), (slice(0, size[1] // 2), slice(size[1] // 2, None))
    for number, letter in enumerate("RGBY"):
        image[rows[number // 2], columns[number % 2]] = COLOURS[letter]
    return image


def fields(image: np.ndarray, off: float = 6.0) -> str:
    """Return the colours of a quad's fields, such as ``RG/BY``; ``?`` for a field whose middle has none of them as its mean."""
    height, width = image.shape[:2]
    found = ""
    for top in (0.125, 0.625):
        for left in (0.125, 0.625):
            y, x = round(top * height), round(left * width)
            mean = image[y : y + height // 4, x : x + width // 4].reshape(-1, 3).mean(0)
            near = [letter for letter, colour in COLOURS.items() if np.abs(mean - colour).max() <= off]
            found += near[0] if near else "?"
    return f"{found[:2]}/{found[2:]}"


def disc(size: tuple[int, int], diameter: float, pixel: float = 1.0) -> np.ndarray:
    """Return a white disc in the middle, (H, W, 3) uint8; it is round where a pixel is ``pixel`` times as wide as high."""
    rows, columns = np.ogrid[: size[0], : size[1]]
    inside = (rows - (size[0] - 1) / 2) ** 2 + ((columns - (size[1] - 1) / 2) * pixel) ** 2 <= (diameter / 2) ** 2
    return np.where(inside[..., None], 240, 16).astype(np.uint8).repeat(3, 2)


def extent(image: np.ndarray) -> tuple[int, int]:
    """Return height and width of the bright area."""
    bright = image.mean(2) > 128
    return int(bright.any(1).sum()), int(bright.any(0).sum())


def write(
    path: Path,
    images: Sequence[np.ndarray],
    *,
    codec: str = "libx264",
    form: str | None = None,
    pixel: Fraction | None = None,
    matrix: Sequence[int] | None = None,
) -> Path:
    """Write a film, 10 pictures a second.

    Args:
        pixel: Width of a pixel over its height, as encoder and container note it; None: they note nothing.
        matrix: a, b, c, d of the display matrix to note in an MP4 or Matroska file.
    """
    with av.open(str(path), "w", format=form) as container:
        stream = container.add_stream(codec, rate=10)
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = {"mjpeg": "yuvj420p", "ffv1": "bgr0", "png": "rgb24"}.get(codec, "yuv420p")
        if codec == "libx264":
            stream.options = {"crf": "4"}
        if codec in ("mpeg2video", "mjpeg"):
            stream.options = {"qmin": "1", "qmax": "2"}
        if pixel is not None:
            stream.codec_context.sample_aspect_ratio = pixel
        if matrix is not None:
            a, b, c, d = (round(value * 65536) for value in matrix)
            stream.set_display_matrix((a, b, 0, c, d, 0, 0, 0, 1 << 30))
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def write_tracks(
    path: Path,
    tracks: Sequence[tuple[tuple[int, int], int]],
    *,
    form: str | None = None,
    flagged: Sequence[int] = (),
    covers: Sequence[int] = (),
    late_s: Sequence[float] = (),
    pictures: Sequence[int] = (),
) -> Path:
    """Write a film with several grey video tracks, 10 pictures a second.

    Args:
        tracks: (height, width) and shade of each.
        flagged: numbers of the tracks with the default flag, from 0; if none has it, muxers flag the first.
        covers: numbers of the tracks that are a single attached picture, which players do not show as video.
        late_s: when each starts, in seconds; 0 if left out.
        pictures: how many each has, 5 if left out.
    """
    with av.open(str(path), "w", format=form) as container:
        streams = []
        for number, ((height, width), _) in enumerate(tracks):
            stream = container.add_stream("png" if number in covers else "libx264", rate=10)
            assert isinstance(stream, av.VideoStream)
            stream.height, stream.width = height, width
            stream.pix_fmt = "rgb24" if number in covers else "yuv420p"
            if number in covers:
                stream.disposition = Disposition.attached_pic
            elif number in flagged:
                stream.disposition = Disposition.default
            streams.append(stream)
        for number, (stream, (size, shade)) in enumerate(zip(streams, tracks, strict=True)):
            late = round(10 * late_s[number]) if number < len(late_s) else 0
            many = pictures[number] if number < len(pictures) else 5
            for count in range(1 if number in covers else many):
                frame = av.VideoFrame.from_ndarray(np.full((*size, 3), shade, np.uint8), format="rgb24")
                frame.pts, frame.time_base = count + late, Fraction(1, 10)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    return path


def note_in_header(path: Path, matrix: Sequence[float]) -> Path:
    """Write a, b, c, d into an MP4's track header, as phones do: the 3x3 matrix of ISO 14496-12, section 8.3.2."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 4 + 20 + 8 + 8  # type, version and flags, times to duration, reserved, layer to volume
    a, b, c, d = (round(value * 65536) for value in matrix)
    data[at : at + 36] = b"".join(value.to_bytes(4, "big", signed=True) for value in (a, b, 0, c, d, 0, 0, 0, 1 << 30))
    path.write_bytes(data)
    return path


def joined(path: Path, parts: Iterable[Path]) -> Path:
    """Concatenate files."""
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def seen(reader: VideoReader) -> list[np.ndarray]:
    """Return all pictures of a reader."""
    found = []
    try:
        while True:
            found.append(reader.read()[0])
    except EOFError:
        return found
    finally:
        reader.close()
