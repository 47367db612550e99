#!/usr/bin/env bash
# PyAV 18.1.0 (FFmpeg 8.1): an encoder forgets how long a picture lasts, unless its flag `frame_duration` is set.
#
# A good guess would be: three pictures at 0, 3 and 6 s whose `duration` is 3 s each make an MP4 of 9 s, as the muxer takes the last
# sample's length from its packet. Seen instead: libx264's packets all have a duration of 0, and the file lasts 7 s, the last picture
# one second, the stream's nominal rate. Every other picture is right, for its length is the distance to the next: only the end of films
# with a variable rate is cut. With `codec_context.flags |= Flags.frame_duration` (AV_CODEC_FLAG_FRAME_DURATION) packets carry
# it and the file lasts 9 s.
#
# Installs PyAV into a temporary folder and fails if it behaves otherwise.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet av==18.1.0 numpy
cd "$folder"
"$folder/env/bin/python" - <<'PYTHON'
from fractions import Fraction

import av
import numpy as np
from av.codec.context import Flags

TICK = Fraction(1, 90_000)


def written(name: str, flag: bool) -> tuple[list[int], float]:
    """The durations of the packets, in seconds, and how long the file lasts."""
    durations = []
    with av.open(name, "w") as container:
        stream = container.add_stream("libx264", rate=1)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = TICK
        if flag:
            stream.codec_context.flags |= Flags.frame_duration
        for time_s in (0, 3, 6, None):
            frame = None
            if time_s is not None:
                frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 60 + 10 * time_s, np.uint8), format="rgb24")
                frame.pts, frame.time_base, frame.duration = round(time_s / TICK), TICK, round(3 / TICK)
            for packet in stream.encode(frame):
                durations.append(packet.duration // 90_000)
                container.mux(packet)
    with av.open(name) as container:
        return durations, container.duration / av.time_base


plain, flagged = written("plain.mp4", False), written("flagged.mp4", True)
print(f"PyAV {av.__version__}")
print(f"as it is:                 packets of {plain[0]} s, a file of {plain[1]} s")
print(f"with Flags.frame_duration: packets of {flagged[0]} s, a file of {flagged[1]} s")
assert plain == ([0, 0, 0], 7.0), "durations are passed on now"
assert flagged == ([3, 3, 3], 9.0), "the flag does not do it any more"
PYTHON
