#!/usr/bin/env bash
# PyAV 18.1.0 (FFmpeg 8.1): `frame.side_data` of an ordinary photograph raises ValueError.
#
# A good guess would be: side data of a kind that PyAV has no name for is left out, or is listed under its number, as with streams. Seen:
# FFmpeg attaches a JPEG's whole EXIF block to the frame as a kind of its own, number 31, and `frame.side_data`, asked for anything, the
# display matrix for instance, raises "31 is not a valid Type": a photograph that notes how it was held, the very one whose
# matrix matters, is the one of which it cannot be read. `frame.rotation` works, but tells turns only, no mirroring.
# PyAV 19 knows the name. FFmpeg's filter `sidedata=mode=delete:type=31` takes it away.
#
# Installs PyAV and Pillow into a temporary folder and fails if it behaves otherwise.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet av==18.1.0 pillow==12.0.0 numpy
cd "$folder"
"$folder/env/bin/python" - <<'PYTHON'
import av
from PIL import Image

exif = Image.Exif()
exif[0x0112] = 6  # held upright
Image.new("RGB", (64, 48), (200, 40, 40)).save("plain.jpg")
Image.new("RGB", (64, 48), (200, 40, 40)).save("held.jpg", exif=exif)


def sides(name: str) -> str:
    """What is attached to the picture, or what is raised."""
    with av.open(name) as container:
        frame = next(container.decode(video=0))
        try:
            return f"{len(frame.side_data)} kinds of side data, rotation {frame.rotation}"
        except ValueError as error:
            return f"ValueError: {error} (rotation {frame.rotation})"


print(f"PyAV {av.__version__}")
for name in ("plain.jpg", "held.jpg"):
    print(f"{name}: {sides(name)}")
assert sides("plain.jpg") == "0 kinds of side data, rotation 0"
assert sides("held.jpg").startswith("ValueError: 31 is not a valid Type"), "it is listed now"
PYTHON
