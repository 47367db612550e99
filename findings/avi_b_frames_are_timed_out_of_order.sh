#!/usr/bin/env bash
# PyAV 18.1.0 (FFmpeg 8.1): of H.264 with B-frames in an AVI, pictures come in the right order, with times in another.
#
# A good guess would be: decoded frames have rising `pts`, or none, as AVI keeps no times of display. Seen instead: libavformat makes
# times up (each packet's place in the file, and one), and the frames that are decoded carry those of the packets they were in: 1, 2, 4, 5,
# 3. Whoever takes `frame.pts` shows every group of pictures jumping forth and back. `frame.dts`, the time of the packet that let the
# frame out, rises by one each. FFmpeg's own programs look at `best_effort_timestamp`, which PyAV does not show. MPEG-4 in
# the same container is timed in order.
#
# Installs PyAV into a temporary folder and fails if it behaves otherwise.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet av==18.1.0 numpy
cd "$folder"
"$folder/env/bin/python" - <<'PYTHON'
import av
import numpy as np


def times(codec: str) -> tuple[list[int], list[int], list[int]]:
    """What 50 pictures that get brighter have as pts and as dts, in the order in which they are decoded, and their brightness."""
    with av.open("a.avi", "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.max_b_frames = 2
        for number in range(50):
            image = np.full((48, 64, 3), 20 + 4 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    with av.open("a.avi") as container:
        frames = list(container.decode(video=0))
    return (
        [frame.pts for frame in frames[:40]],
        [frame.dts for frame in frames[:40]],
        [round(frame.to_ndarray(format="gray").mean()) for frame in frames[:40]],
    )


print(f"PyAV {av.__version__}")
for codec in ("libx264", "mpeg4"):
    pts, dts, light = times(codec)
    print(f"{codec:8} pts {pts[:8]} dts {dts[:8]}")
    assert light == sorted(light), "the pictures themselves are out of order"
    assert dts == list(range(dts[0], dts[0] + 40))
    assert (pts == sorted(pts)) == (codec == "mpeg4"), f"{codec} is timed otherwise now"
PYTHON
