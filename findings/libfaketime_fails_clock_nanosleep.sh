#!/usr/bin/env bash
# libfaketime 0.9.10: with FAKETIME_DONT_FAKE_MONOTONIC, sleeping until a moment of the monotonic clock fails.
#
# A good guess would be: with that variable set only the wall clock is moved, and whatever goes by the monotonic clock is left to the
# C library. Seen instead: `clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, ...)` gives EINVAL, so that Python's `time.sleep`, which
# sleeps so since 3.11, raises `OSError: [Errno 22] Invalid argument`. Without the variable sleep works, and the monotonic clock is
# moved with the other.
#
# Wants libfaketime (Debian: apt install faketime) and Python 3.11 or newer; fails if it behaves otherwise.
set -euo pipefail
library=$(ls /usr/lib/*/faketime/libfaketime.so.1 | head -n 1)
sleeping() { env "$@" LD_PRELOAD="$library" FAKETIME=+1h "${PYTHON:-python3}" -c 'import time; time.sleep(0.01)'; }
sleeping A=1
if seen=$(sleeping FAKETIME_DONT_FAKE_MONOTONIC=1 2>&1); then
    echo "it sleeps: ${seen}" >&2
    exit 1
fi
[[ $seen == *"[Errno 22] Invalid argument"* ]]
echo "time.sleep fails with FAKETIME_DONT_FAKE_MONOTONIC=1, and with nothing else"
