#!/usr/bin/env bash
# PyAV 18.1.0 (FFmpeg 8.1): a Theora film in which the picture stands still cannot be decoded to its end.
#
# A good guess would be: three seconds of grey at 25 a second give 75 frames. Theora has a packet of no bytes say 'the same picture again'
# (Theora specification, section 7.1); libavcodec takes a packet of no bytes as the end of the stream, goes into draining, and
# refuses the packet after it. FFmpeg's own programs pass over such packets. Seen: after a frame or so `decode` raises
# ArgumentError (EINVAL), with nothing wrong in the file.
#
# Installs PyAV and a build of FFmpeg's program (imageio-ffmpeg), which makes the film, into a temporary folder and fails if it
# behaves otherwise.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet av==18.1.0 imageio-ffmpeg==0.8.1
cd "$folder"
"$folder/env/bin/python" - <<'PYTHON'
import subprocess

import av
import imageio_ffmpeg

program = imageio_ffmpeg.get_ffmpeg_exe()
made = [program, "-loglevel", "error", "-f", "lavfi", "-i", "color=gray:s=64x48:r=25:d=3", "-c:v", "libtheora", "a.ogv"]
subprocess.run(made, check=True, timeout=60)
print(f"PyAV {av.__version__}")
with av.open("a.ogv") as container:
    sizes = [packet.size for packet in container.demux(video=0) if packet.dts is not None]
print(f"{len(sizes)} packets, {sum(size == 0 for size in sizes)} of them of no bytes")
assert len(sizes) == 75
assert sum(size == 0 for size in sizes) > 60
count = 0
try:
    with av.open("a.ogv") as container:
        for _ in container.decode(video=0):
            count += 1
except av.ArgumentError as error:
    print(f"after {count} frames: {type(error).__name__}: {error}")
else:
    raise SystemExit(f"all of it is decoded: {count} frames")
PYTHON
