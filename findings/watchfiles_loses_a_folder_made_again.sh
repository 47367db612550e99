#!/usr/bin/env bash
# watchfiles 1.3.0: a folder that is removed and made again is watched no longer, and nothing says so.
#
# A good guess would be: `watch(folder)` goes on with what stands under that name, or raises once the folder is gone, as it does for one
# that is not there at the start. Seen: the deletion is reported, then the generator waits as before, and a file written into the new folder
# of that name is never told of: the watch hangs on the inode that is gone. Deployments that replace whole folders, and mounts that come
# back, end a watch for good. Cure: watch the parent as well, or look at the file itself now and then.
#
# Installs watchfiles into a temporary folder and fails if it behaves otherwise. Linux.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet watchfiles==1.3.0
cd "$folder"
"$folder/env/bin/python" - <<'PYTHON'
import shutil
import threading
import time
from importlib.metadata import version
from pathlib import Path

from watchfiles import watch

folder, told, stop = Path("watched").absolute(), [], threading.Event()
folder.mkdir()


def look() -> None:
    for changes in watch(folder, recursive=False, step=20, debounce=50, stop_event=stop, rust_timeout=200):
        told.extend(f"{change.name} {Path(path).name}" for change, path in sorted(changes))


def settled() -> list[str]:
    """What has been told of by now."""
    time.sleep(1.5)
    return list(told)


thread = threading.Thread(target=look)
thread.start()
time.sleep(0.5)
(folder / "one.yaml").write_text("a: 1")
first = settled()
shutil.rmtree(folder)
folder.mkdir()
settled()
before = len(told)
(folder / "two.yaml").write_text("a: 2")
after = settled()[before:]
lives = thread.is_alive()
stop.set()
thread.join(10)
print(f"watchfiles {version('watchfiles')}")
print(f"told of at first: {first}; of a file in the folder made again: {after}; the watch goes on: {lives}")
assert any("one.yaml" in line for line in first)
assert lives, "the watch ends now"
assert not after, "the new folder is watched now"
PYTHON
