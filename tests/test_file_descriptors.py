"""The limit of file descriptors, in separate processes: a lowered limit cannot be raised again without privileges."""

import subprocess
import sys

import pytest

resource = pytest.importorskip("resource", reason="limits of a process are POSIX")

CODE = """
import resource
from streamer import file_descriptors
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
file_descriptors.raise_most()
print(file_descriptors.most(), resource.getrlimit(resource.RLIMIT_NOFILE)[1])
"""


@pytest.mark.parametrize(
    ("soft", "hard", "after"), [(256, 512, "512 512"), (256, 8192, "4096 8192"), (6000, 8192, "6000 8192"), (64, 64, "64 64")]
)
def test_it_is_raised_as_far_as_is_of_use(soft, hard, after):
    if hard > resource.getrlimit(resource.RLIMIT_NOFILE)[1]:
        pytest.skip("no process may have so many here")
    code = CODE.format(soft=soft, hard=hard)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300)
    assert done.stdout.strip() == after
