import pytest

from streamer.commands.check import Level, look_at_queue
from streamer.config import Config, QueueConfig
from streamer.requests.queue import RequestQueue


def look(path):
    return [(finding.level, finding.text) for finding in look_at_queue(Config(queue=QueueConfig(path=path)))]


def test_a_queue_that_can_be_written(tmp_path):
    path = tmp_path / "queue.sqlite3"
    assert look(path) == [(Level.GOOD, f"{path}, 0 requests waiting")]


def test_a_queue_in_use_stops(tmp_path):
    path = tmp_path / "queue.sqlite3"
    with RequestQueue(path):
        ((level, text),) = look(path)
    assert (level, "is in use by another process" in text) == (Level.BLOCKER, True)


@pytest.mark.logs("requests are kept in memory only")
def test_a_queue_without_a_place_is_to_be_minded(tmp_path):
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "queue.sqlite3"
    trouble = f"requests are kept in memory only, queue '{path}' cannot be written: its folder cannot be made: File exists"
    assert look(path) == [(Level.WARNING, f"{path}, 0 requests waiting; {trouble}")]
