import multiprocessing
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from streamer.dream.worker.frame_slots import SLOTS, FrameSlots


def _fill(frame_slots, done):
    for slot in range(SLOTS):
        frame_slots.write(slot, np.full((2, 3, 3), 10 + slot, np.uint8))
    frame_slots.close()
    done.send(True)


def test_pictures_of_another_process_arrive_whole_and_as_copies():
    frame_slots = FrameSlots(24)
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_fill, args=(frame_slots, theirs))
    process.start()
    assert ours.poll(60)
    process.join()
    copies = [frame_slots.read(slot, (2, 3)) for slot in range(SLOTS)]
    frame_slots.write(0, np.zeros((2, 3, 3), np.uint8))
    assert [int(copy.min()) for copy in copies] == [int(copy.max()) for copy in copies] == [10, 11, 12]
    assert copies[0].flags.c_contiguous
    frame_slots.close()


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="looks at open files through /proc")
def test_it_has_no_name_and_is_let_go():
    def files():
        """Return open files by device and inode: other tests' garbage has the same link and may vanish."""
        found = {}
        for path in Path("/proc/self/fd").iterdir():
            with suppress(OSError):  # closed by now, like the folder's own
                known = path.stat()
                found[known.st_dev, known.st_ino] = path.readlink()
        return found

    before = files()
    frame_slots = FrameSlots(10_000)
    ((memory, link),) = files().items() - before.items()
    assert not link.exists()
    frame_slots.close()
    assert memory not in files()


def test_a_picture_too_large_is_refused():
    frame_slots = FrameSlots(24)
    with pytest.raises(ValueError, match=r"a picture of \(3, 3, 3\) does not fit into 24 bytes"):
        frame_slots.write(0, np.zeros((3, 3, 3), np.uint8))
    frame_slots.close()


def test_kept_state_is_stored_apart_from_the_pictures():
    frame_slots = FrameSlots(25, 200)
    for slot in range(SLOTS):
        frame_slots.write(slot, np.full((2, 4, 3), 10 + slot, np.uint8))
    arrays = {"momentum": np.arange(12, dtype=np.float16).reshape(3, 2, 2), "chance": np.arange(5, dtype=np.uint8)}
    places = frame_slots.write_state(arrays)
    found = frame_slots.read_state(places)
    assert {name: (array.dtype, array.tolist()) for name, array in found.items()} == {
        name: (array.dtype, array.tolist()) for name, array in arrays.items()
    }
    assert [int(frame_slots.read(slot, (2, 4)).max()) for slot in range(SLOTS)] == [10, 11, 12]
    frame_slots.write_state({"momentum": np.zeros(100, np.float16)})
    assert found["momentum"][2, 1, 1] == 11, "a copy"
    assert frame_slots.write_state({"momentum": np.zeros(101, np.float16)}) is None
    frame_slots.close()
