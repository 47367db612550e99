#!/usr/bin/env bash
# PyAV 18.1.0: the packets that end a demuxing have `stream_index` 0, whichever track they are of.
#
# A good guess would be: `packet.stream_index` and `packet.stream.index` are the same number. They are for every packet with data; of the
# empty ones that `demux` gives at the end, one for each track so that its decoder lets go of what it holds, `stream` is right and
# `stream_index` is 0. Whoever sorts packets by `stream_index` never flushes the decoder of a track that is not the first, and loses
# its last pictures: here, four of twelve, as the sound comes first in the file.
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

with av.open("a.mkv", "w") as container:
    sound = container.add_stream("pcm_s16le", rate=48_000, layout="mono")
    video = container.add_stream("libx264", rate=25)
    video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
    samples = av.AudioFrame.from_ndarray(np.zeros((1, 24_000), np.int16), format="s16", layout="mono")
    samples.sample_rate = 48_000
    container.mux(sound.encode(samples))
    for number in range(12):
        image = np.full((48, 64, 3), 20 * number, np.uint8)
        container.mux(video.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
    container.mux(video.encode(None))


def decoded(by_index: bool) -> int:
    """Pictures decoded from the packets of the second track."""
    with av.open("a.mkv") as container:
        return sum(
            len(packet.decode())
            for packet in container.demux()
            if (packet.stream_index if by_index else packet.stream.index) == 1
        )


with av.open("a.mkv") as container:
    last = [(packet.stream_index, packet.stream.index) for packet in container.demux() if not packet.size]
print(f"PyAV {av.__version__}")
print(f"(stream_index, stream.index) of the packets at the end: {last}")
print(f"pictures of 12, packets chosen by stream_index: {decoded(True)}, by stream.index: {decoded(False)}")
assert last == [(0, 0), (0, 1)], "they say whose they are now"
assert decoded(True) < decoded(False) == 12
PYTHON
