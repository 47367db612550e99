#!/usr/bin/env bash
# PyAV 18.1.0 with SVT-AV1 4.1: opening the AV1 encoder as root puts the thread that opens it before all else on the machine.
#
# A good guess would be: an encoder gives its own threads a priority, if any, and leaves its caller's alone. Seen, as root, which is what a
# container runs as unless told otherwise: once `libsvtav1` has encoded, the calling thread is SCHED_FIFO with priority 99, for good, and all
# threads and processes that it starts later inherit it. Nothing of the usual class then runs on a processor that one of them keeps busy.
# For other users the call fails, with a warning ("Failed to set thread priority") as the only trace. Cure: encode in a
# process of its own, or `os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))` afterwards.
#
# Installs PyAV into a temporary folder and fails if it behaves otherwise. Linux, as root; takes the priority back at once.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "this shows as root only" >&2; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet av==18.1.0 numpy
cd "$folder"
"$folder/env/bin/python" - 2>/dev/null <<'PYTHON'
import os

import av
import numpy as np

NAMES = {os.SCHED_OTHER: "SCHED_OTHER", os.SCHED_FIFO: "SCHED_FIFO"}


def after(encoder: str) -> tuple[str, int]:
    """Class and priority of this thread after it has encoded a picture; it has the usual ones again afterwards."""
    with av.open("a.mkv", "w") as container:
        stream = container.add_stream(encoder, rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((120, 160, 3), np.uint8), format="rgb24")))
        container.mux(stream.encode(None))
    found = NAMES.get(os.sched_getscheduler(0), "another"), os.sched_getparam(0).sched_priority
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    return found


plain, svt = after("libx264"), after("libsvtav1")
print(f"PyAV {av.__version__}; after libx264: {plain}; after libsvtav1: {svt}")
assert plain == ("SCHED_OTHER", 0)
assert svt == ("SCHED_FIFO", 99), "it leaves its caller alone now"
PYTHON
