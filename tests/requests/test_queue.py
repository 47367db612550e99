import logging
import os
import signal
import sqlite3
import subprocess
import sys
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.role import Role
from streamer.messages.refused import Reason, Refused
from streamer.messages.requests import RequestState
from streamer.messages.scenes import Target
from streamer.requests.queue import DuplicateMessage, RequestQueue
from streamer.requests.schema import QueueError

VOLCANO, BUBBLE = Target("n09472597", "volcano"), Target("n09229709", "bubble")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "deep" / "queue.sqlite3"


def opened(path):
    return RequestQueue(path, clock=lambda: 1_700_000_000.0)


def names(queue):
    return [request.user for request in queue.waiting()]


def add(queue, *users):
    return [queue.add(user, "volcano", [VOLCANO]) for user in users]


def test_what_goes_in_comes_out_after_a_restart(path):
    with opened(path) as queue:
        added = queue.add("Åsa 🌋", "volcano + bubble", [VOLCANO, BUBBLE], role=Role.VIP, source="twitch", message_id="abc")
    with opened(path) as queue:
        assert queue.waiting() == (added,)
        assert added.created_s == 1_700_000_000.0
        assert added.title == "volcano + bubble"


def test_on_air_comes_back_in_front_and_done_never(path):
    with opened(path) as queue:
        first, second, _ = add(queue, "ann", "bob", "cid")
        assert queue.take(first.id).state is RequestState.ON_AIR
        queue.finish(first.id)
        queue.take(second.id)
        assert names(queue) == ["cid"]
    with opened(path) as queue:
        assert names(queue) == ["bob", "cid"]
        add(queue, "dan")
        queue.remove(second.id)
    with opened(path) as queue:
        assert names(queue) == ["cid", "dan"]
        assert queue.clear() == 2
        assert queue.clear() == 0
    with opened(path) as queue:
        assert queue.waiting() == ()


def test_a_taken_request_keeps_its_turn_even_if_it_was_last(path):
    with opened(path) as queue:
        _, last = add(queue, "ann", "bob")
        queue.take(last.id)
    with opened(path) as queue:
        assert names(queue) == ["bob", "ann"]


def test_a_message_counts_once_whatever_became_of_it(path):
    with opened(path) as queue:
        request = queue.add("ann", "volcano", [VOLCANO], message_id="abc")
        with pytest.raises(DuplicateMessage):
            queue.add("ann", "volcano", [VOLCANO], message_id="abc")
        queue.remove(request.id)
    with opened(path) as queue:
        with pytest.raises(DuplicateMessage) as caught:
            queue.add("ann", "volcano", [VOLCANO], message_id="abc")
        assert caught.value.request_id == request.id
        assert queue.waiting() == ()


def test_ids_are_never_used_again(path):
    with opened(path) as queue:
        (request,) = add(queue, "ann")
        queue.remove(request.id)
    with opened(path) as queue:
        assert add(queue, "bob")[0].id > request.id


def test_what_is_put_back_waits_in_front_with_the_time_it_had(path):
    with opened(path) as queue:
        first, second, third = add(queue, "ann", "bob", "cid")
        queue.pin([second.id])
        queue.vote(first.id, "web:eve")
        queue.take(first.id)
        queue.aired(first.id, 3.0)
        queue.put_back(first.id)
        queue.put_back(first.id)
        queue.put_back(third.id)
        assert names(queue) == ["ann", "bob", "cid"]
        assert not queue.vote(first.id, "web:eve"), "counted before"
        assert queue.vote(first.id, "web:fay")
        before = queue.waiting()
        assert before[0].votes == 2
        assert (before[0].state, before[0].aired_s, before[0].pinned_position) == (RequestState.QUEUED, 3.0, 0)
    with opened(path) as queue:
        assert queue.waiting() == before


@pytest.mark.parametrize("call", ["take", "remove"])
def test_what_does_not_wait_is_not_found(call):
    with opened(None) as queue, pytest.raises(Refused, match="request 7 is not waiting") as caught:
        getattr(queue, call)(7)
    assert caught.value.reason is Reason.NOT_FOUND


def test_finishing_what_is_not_on_air_changes_nothing():
    with opened(None) as queue:
        (request,) = add(queue, "ann")
        queue.finish(request.id)
        queue.finish(99)
        assert names(queue) == ["ann"]


@pytest.mark.parametrize("garbage", [b"this is no database, just a text that somebody saved here" * 100, b"\x00" * 5000])
def test_a_broken_file_is_set_aside(path, garbage, caplog):
    path.parent.mkdir()
    path.write_bytes(garbage)
    with caplog.at_level(logging.WARNING), opened(path) as queue:
        add(queue, "ann")
    (aside,) = path.parent.glob("queue.sqlite3.broken-*")
    assert aside.read_bytes() == garbage
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "is damaged" in caplog.text
    with opened(path) as queue:
        assert names(queue) == ["ann"]


def test_a_file_damaged_inside_is_set_aside(path, caplog):
    with opened(path) as queue:
        for _ in range(200):
            queue.add("ann", "x" * 100, [VOLCANO])
    content = bytearray(path.read_bytes())
    content[4096:-4096] = os.urandom(len(content) - 8192)
    path.write_bytes(content)
    with caplog.at_level(logging.WARNING), opened(path) as queue:
        left = queue.waiting()
    assert list(path.parent.glob("*.broken-*"))
    told = f"{len(left)} requests that wait in it could be read; they go on in a new one"
    assert told in caplog.text
    with opened(path) as queue:
        assert queue.waiting() == left


def test_an_unreadable_row_is_left_out(path, caplog):
    with opened(path) as queue:
        add(queue, "ann", "bob")
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE requests SET targets = 'nonsense' WHERE user = 'ann'")
    connection.close()
    with caplog.at_level(logging.WARNING), opened(path) as queue:
        assert names(queue) == ["bob"]
    assert "request 1 cannot be read" in caplog.text


def test_a_second_user_of_the_file_is_refused(path):
    with opened(path) as queue:
        add(queue, "ann")
        with pytest.raises(QueueError, match="in use by another process"):
            opened(path)
        assert names(queue) == ["ann"]


def test_files_of_others_are_left_alone(path):
    path.parent.mkdir()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
    connection.close()
    with pytest.raises(QueueError, match="belongs to another program"):
        opened(path)
    newer = path.with_name("newer.sqlite3")
    with sqlite3.connect(newer) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(QueueError, match="newer zoomdream"):
        opened(newer)
    assert not list(path.parent.glob("*.broken-*"))


@pytest.mark.parametrize("place", ["file/queue.sqlite3", "file/deep/queue.sqlite3", "."])
def test_without_a_place_everything_is_in_memory_until_there_is_one(tmp_path, caplog, place):
    (tmp_path / "file").write_text("")
    with caplog.at_level(logging.INFO), opened(tmp_path / place) as queue:
        first, _ = add(queue, "ann", "bob")
        queue.take(first.id)
        queue.retry_writes()
        assert queue.trouble.startswith(f"requests are kept in memory only, queue '{tmp_path / place}' cannot be written: ")
        assert [record.levelname for record in caplog.records] == ["ERROR"], "once"
        if place == ".":
            caplog.clear()
            return
        (tmp_path / "file").unlink()
        queue.retry_writes()
        assert queue.trouble == ""
        assert caplog.messages[-1] == f"queue '{tmp_path / place}' is written again, with all that happened meanwhile"
        add(queue, "cid")
    with opened(tmp_path / place) as queue:
        assert names(queue) == ["ann", "bob", "cid"]


@pytest.mark.logs("no requests are taken")
def test_the_show_continues_when_the_disk_fails(path):
    with opened(path) as queue:
        (request,) = add(queue, "ann")
        queue.store._file.execute("PRAGMA query_only = ON")
        with pytest.raises(QueueError, match="cannot be kept"):
            add(queue, "bob")
        assert names(queue) == ["ann"]
        queue.take(request.id)
        queue.finish(request.id)
        assert names(queue) == []
        assert "attempt to write a readonly database" in queue.trouble
    with opened(path) as queue:
        assert queue.find(request.id).state is RequestState.DONE, "written when it was closed, by a connection that may"


def test_many_threads(path):
    with opened(path) as queue:
        threads = [threading.Thread(target=add, args=(queue, *(f"{n}-{k}" for k in range(5)))) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        in_memory = names(queue)
        assert len(in_memory) == 20
    with opened(path) as queue:
        assert names(queue) == in_memory


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(["add", "take", "finish", "remove", "restart"]), max_size=15))
def test_memory_and_file_never_disagree(tmp_path_factory, moves):
    path = tmp_path_factory.mktemp("queue") / "queue.sqlite3"
    queue, on_air = opened(path), []
    for number, move in enumerate(moves):
        waiting = queue.waiting()
        match move:
            case "add":
                add(queue, str(number))
            case "take" if waiting and not on_air:
                on_air.append(queue.take(waiting[0].id))
            case "finish" if on_air:
                queue.finish(on_air.pop().id)
            case "remove" if waiting:
                queue.remove(waiting[-1].id)
            case "restart":
                expected = [request.user for request in (*on_air, *waiting)]
                on_air.clear()
                queue.close()
                queue = opened(path)
                assert names(queue) == expected
    queue.close()


CHILD = """
import sys
from pathlib import Path
from streamer.messages.scenes import Target
from streamer.requests.queue import RequestQueue
queue = RequestQueue(Path(sys.argv[1]))
first = queue.add("done", "x", [Target("n09472597", "volcano")])
queue.take(first.id)
queue.finish(first.id)
for n in range(5):
    queue.add(f"user{n}", "x", [Target("n09472597", "volcano")], message_id=str(n))
queue.take(queue.waiting()[0].id)
print("ready", flush=True)
while True:
    queue.add("late", "x", [Target("n09229709", "bubble")])
    print("more", flush=True)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs kill -9")
def test_kill_9_loses_nothing(path):
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(path)], stdout=subprocess.PIPE, text=True)
    with child:
        assert child.stdout.readline() == "ready\n"
        for _ in range(3):
            assert child.stdout.readline() == "more\n"
        with pytest.raises(QueueError, match="in use by another process"):
            opened(path)
        child.kill()
        promised = 3 + child.stdout.read().count("more\n")
    with opened(path) as queue:
        waiting = names(queue)
        assert waiting[:5] == [f"user{n}" for n in range(5)]
        assert set(waiting[5:]) == {"late"}
        # A request that was being written at the kill may be there too.
        assert promised <= len(waiting[5:]) <= promised + 1
        with pytest.raises(DuplicateMessage):
            queue.add("user0", "x", [VOLCANO], message_id="0")
