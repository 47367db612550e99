import contextlib
import errno
import importlib.util
import json
import logging
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap

import pytest

from shared.role import Role
from streamer.messages.requests import Priority, RequestState
from streamer.messages.scenes import Target
from streamer.requests import store as store_module
from streamer.requests import store_file
from streamer.requests.queue import DuplicateMessage, RequestQueue
from streamer.requests.schema import VERSION
from streamer.requests.store import Store

VERSION_1 = """
CREATE TABLE requests (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    place REAL NOT NULL,
    state TEXT NOT NULL,
    user TEXT NOT NULL,
    text TEXT NOT NULL,
    targets TEXT NOT NULL,
    role TEXT NOT NULL,
    source TEXT NOT NULL,
    created_s REAL NOT NULL,
    message_id TEXT
);
CREATE UNIQUE INDEX requests_message ON requests (message_id) WHERE message_id IS NOT NULL;
CREATE INDEX requests_state ON requests (state, place);
PRAGMA user_version = 1;
"""
"""The schema of the first release, word for word."""


@pytest.fixture
def old(tmp_path):
    """A file as the first release left it: one request on air, two waiting, one done."""
    path = tmp_path / "queue.sqlite3"
    with sqlite3.connect(path) as connection:
        connection.executescript(VERSION_1)
        targets = json.dumps([["n09472597", "volcano"]])
        for place, (user, state) in enumerate([("dan", "done"), ("ann", "on_air"), ("bob", "queued"), ("cid", "queued")], 1):
            connection.execute(
                "INSERT INTO requests (place, state, user, text, targets, role, source, created_s, message_id)"
                " VALUES (?, ?, ?, 'volcano', ?, 'vip', 'web', 1700000000.0, ?)",
                (float(place), state, user, targets, user),
            )
    connection.close()
    return path


def version(path):
    connection = sqlite3.connect(path)
    try:
        return connection.execute("PRAGMA user_version").fetchone()[0]
    finally:
        connection.close()


def test_a_file_of_the_first_release_still_works(old):
    with RequestQueue(old) as queue:
        assert [request.user for request in queue.waiting()] == ["ann", "bob", "cid"]
        second = queue.waiting()[1]
        assert (second.role, second.priority, second.amount, second.votes, second.pinned_position) == (
            Role.VIP,
            Priority.NONE,
            0,
            0,
            None,
        )
        assert queue.find(1).state is RequestState.DONE
        with pytest.raises(DuplicateMessage):
            queue.add("dan", "volcano", second.targets, message_id="dan")
        assert queue.vote(second.id, "web:eve")
    assert version(old) == VERSION == 4
    with RequestQueue(old) as queue:
        assert [(request.user, request.votes) for request in queue.waiting()] == [("ann", 0), ("bob", 1), ("cid", 0)]


def test_a_file_that_cannot_be_brought_up_to_date_is_set_aside(old, caplog):
    with sqlite3.connect(old) as connection:
        connection.execute("CREATE TABLE votes (x)")  # blocks the migration
    connection.close()
    before = old.read_bytes()
    with RequestQueue(old) as queue:
        assert [request.user for request in queue.waiting()] == ["ann", "bob", "cid"]
    assert "is damaged (table votes already exists); 3 requests that wait in it could be read" in caplog.text
    (aside,) = old.parent.glob("*.broken-*")
    assert (version(aside), aside.read_bytes()[100:]) == (1, before[100:])
    assert version(old) == VERSION


def test_a_file_that_says_more_than_it_has_is_set_aside(tmp_path, caplog):
    path = tmp_path / "queue.sqlite3"
    with sqlite3.connect(path) as connection:
        connection.executescript(VERSION_1 + "PRAGMA user_version = 2;")
    connection.close()
    Store(path).close()
    assert "is damaged (no such column: priority); 0 requests that wait in it could be read" in caplog.text


def test_all_or_nothing(tmp_path):
    store = Store(tmp_path / "queue.sqlite3")
    with contextlib.suppress(ZeroDivisionError), store.transaction() as cursor:
        cursor.execute("INSERT INTO rules VALUES ('hold_s', '60')")
        raise ZeroDivisionError
    assert store.connection.execute("SELECT count(*) FROM rules").fetchone() == (0,)
    store.close()
    store.close()


VOLCANO = [Target("n09472597", "volcano")]


def test_what_is_kept_of_a_request(tmp_path):
    path = tmp_path / "queue.sqlite3"
    with RequestQueue(path) as queue:
        first = queue.add("ann", "x", VOLCANO, priority=Priority.POINTS, amount=500)
        second = queue.add("bob", "x", VOLCANO)
        third = queue.add("cid", "x", VOLCANO)
        queue.raise_priority(second.id, Priority.BITS, 100)
        queue.raise_priority(second.id, Priority.BITS, 50)
        queue.raise_priority(second.id, Priority.POINTS, 999)
        assert queue.vote(third.id, "web:dan")
        assert not queue.vote(third.id, "web:dan")
        assert queue.vote(third.id, "web:eve")
        queue.pin([third.id, first.id])
    with RequestQueue(path) as queue:
        told = [(r.user, r.priority, r.amount, r.votes, r.pinned_position) for r in queue.waiting()]
        assert told == [("cid", "none", 0, 2, 1), ("ann", "points", 500, 0, 2), ("bob", "bits", 150, 0, None)]
        assert not queue.vote(third.id, "web:eve")
        queue.take(third.id)
        queue.finish(third.id)
        assert queue.store.connection.execute("SELECT count(*) FROM votes").fetchone() == (0,)
        assert queue.find(third.id).state is RequestState.DONE


def test_layers_are_kept(tmp_path):
    path = tmp_path / "queue.sqlite3"
    targets = (*VOLCANO, Target("", "layer fire5:3,17", "fire5", (3, 17)), Target("", "layer fire6", "fire6"))
    with RequestQueue(path) as queue:
        number = queue.add("mo", "x", targets, role=Role.MODERATOR).id
    with RequestQueue(path) as queue:
        assert queue.waiting()[0].targets == targets
        queue.take(number)
        queue.finish(number)
        assert queue.find(number).targets == targets


@pytest.mark.logs("cannot be read and is left out")
@pytest.mark.parametrize("kept", ['[["", "x"]]', '[["", "x", "fire5", ["3"]]]', '[["", "x", "", []]]', "[[1, 2]]", "[3]"])
def test_a_target_that_makes_no_sense_is_left_out(tmp_path, kept):
    path = tmp_path / "queue.sqlite3"
    with RequestQueue(path) as queue:
        queue.add("ann", "x", VOLCANO)
        with queue.store.transaction() as cursor:
            cursor.execute("UPDATE requests SET targets = ?", (kept,))
    with RequestQueue(path) as queue:
        assert queue.waiting() == ()


def test_the_same_line_until_something_changes():
    with RequestQueue(None) as queue:
        request = queue.add("ann", "x", VOLCANO)
        line = queue.waiting()
        assert queue.waiting() is line
        queue.vote(request.id, "web:bob")
        assert queue.waiting() is not line


def child(code, path):
    """Run code in its own process, which ends as if the power failed; return its output. The helpers use its ``queue``."""
    code = f"""
import os, resource, signal, sys
from pathlib import Path
from streamer.messages.scenes import Target
from streamer.requests.queue import QueueError, RequestQueue

def room(least):
    "What files may grow to, in bytes; None for any size."
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard if least is None else least, hard))

def add(*users):
    return [queue.add(user, "volcano", [Target("n09472597", "volcano")]).id for user in users]

def refused(user):
    try:
        add(user)
    except QueueError as error:
        return "cannot be kept" in str(error)

def full():
    "No room for anything that is not there."
    room(sum(file.stat().st_size for file in path.parent.iterdir()))

path = Path(sys.argv[1])
{textwrap.dedent(code)}
sys.stdout.flush()
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", code, str(path)], timeout=300, check=False, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    return done.stdout


needs_limits = pytest.mark.skipif(importlib.util.find_spec("resource") is None, reason="needs limits of file sizes")

WHILE_FULL = """
queue = RequestQueue(path)
first, second, third, fourth = add("ann", "bob", "cid", "dan")
queue.take(first)
full()
queue.finish(first)
queue.take(second)
queue.aired(second, 7.0)
queue.vote(third, "web:eve")
queue.remove(fourth)
assert refused("fay"), "it would be acknowledged, and lost"
assert [request.user for request in queue.waiting()] == ["cid"]
queue.retry_writes()
assert queue.trouble.startswith("no requests are taken, queue "), queue.trouble
"""


@needs_limits
def test_what_happens_while_the_disk_is_full_is_written_when_there_is_room(tmp_path):
    path = tmp_path / "queue.sqlite3"
    child(WHILE_FULL + "room(None); queue.retry_writes(); assert not queue.trouble; add('gus')", path)
    with RequestQueue(path) as queue:
        told = [(request.user, request.votes, request.aired_s) for request in queue.waiting()]
        assert told == [("bob", 0, 7.0), ("cid", 1, 0.0), ("gus", 0, 0.0)]
        assert [queue.find(number).state for number in (1, 4)] == [RequestState.DONE, RequestState.REMOVED]


@needs_limits
def test_a_crash_while_the_disk_is_full_loses_nothing_that_was_taken(tmp_path):
    path = tmp_path / "queue.sqlite3"
    child(WHILE_FULL, path)
    with RequestQueue(path) as queue:
        assert [request.user for request in queue.waiting()] == ["ann", "bob", "cid", "dan"]


@needs_limits
def test_a_start_on_a_full_disk_continues_with_waiting_requests(tmp_path):
    path = tmp_path / "queue.sqlite3"
    child("queue = RequestQueue(path); add('ann', 'bob'); queue.take(1)", path)
    code = """
    room(0)
    queue = RequestQueue(path)
    assert queue.trouble.startswith("no requests are taken"), queue.trouble
    assert [request.user for request in queue.waiting()] == ["ann", "bob"]
    queue.take(1)
    queue.finish(1)
    assert refused("cid")
    room(None)
    queue.retry_writes()
    add("dan")
    """
    child(code, path)
    with RequestQueue(path) as queue:
        assert [request.user for request in queue.waiting()] == ["bob", "dan"]


@needs_limits
def test_a_first_start_on_a_full_disk_runs_on_memory(tmp_path):
    path = tmp_path / "deep" / "queue.sqlite3"
    code = """
    room(0)
    queue = RequestQueue(path)
    add("ann", "bob")
    queue.take(1)
    queue.finish(1)
    queue.retry_writes()
    assert queue.trouble.startswith("requests are kept in memory only"), queue.trouble
    room(None)
    queue.retry_writes()
    assert not queue.trouble
    add("cid")
    full()
    assert refused("dan"), "from now on, what is acknowledged is on disk"
    """
    child(code, path)
    with RequestQueue(path) as queue:
        assert [request.user for request in queue.waiting()] == ["bob", "cid"]


@pytest.mark.parametrize(("fixed", "says"), [("queue.sqlite3", "it is read-only"), (".", "its folder is read-only")])
@pytest.mark.logs("requests are kept in memory only")
def test_what_is_read_only_is_called_so(tmp_path, monkeypatch, fixed, says):
    path = tmp_path / "queue.sqlite3"
    RequestQueue(path).close()
    with monkeypatch.context() as patch:
        patch.setattr(store_file, "_connect", lambda path: sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True))
        patch.setattr(store_file.os, "access", lambda place, mode: place != tmp_path / fixed)
        with RequestQueue(path) as queue:
            assert queue.trouble.endswith(f"cannot be written: {says}")


def unwritable(*called):
    raise sqlite3.OperationalError("attempt to write a readonly database")


@needs_limits
def test_a_file_where_nothing_can_be_written_is_still_read(tmp_path, monkeypatch, caplog):
    path = tmp_path / "queue.sqlite3"
    child("queue = RequestQueue(path); add('ann', 'bob'); queue.take(1); queue.finish(1)", path)
    assert path.with_name("queue.sqlite3-wal").stat().st_size, "some of it is not in the file itself"
    before = path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(store_module, "acquire", unwritable)
        queue = RequestQueue(path)
        assert [request.user for request in queue.waiting()] == ["bob"]
        queue.add("cid", "x", VOLCANO)
        assert path.read_bytes() == before
    assert "requests are kept in memory only" in queue.trouble
    queue.retry_writes()
    assert queue.trouble == ""
    queue.close()
    with RequestQueue(path) as queue:
        assert [request.user for request in queue.waiting()] == ["bob", "cid"]
    assert not list(tmp_path.glob("*.broken-*"))
    assert [record.levelname for record in caplog.records] == ["ERROR"]


@needs_limits
def test_what_could_not_be_read_is_not_written_over(tmp_path, monkeypatch, caplog):
    path = tmp_path / "queue.sqlite3"
    child("queue = RequestQueue(path); add('ann')", path)
    with monkeypatch.context() as patch:
        patch.setattr(store_module, "acquire", unwritable)
        patch.setattr(store_module, "copied", unwritable)
        queue = RequestQueue(path)
        assert queue.waiting() == ()
        queue.add("bob", "x", VOLCANO)
    queue.retry_writes()
    queue.close()
    (aside,) = (found for found in tmp_path.glob("*.broken-*") if found.suffix.startswith(".broken"))
    with RequestQueue(aside) as queue:
        assert [request.user for request in queue.waiting()] == ["ann"]
    with RequestQueue(path) as queue:
        assert [request.user for request in queue.waiting()] == ["bob"]
    assert f"has requests that could not be read at the start; set aside as '{aside}'" in caplog.text


def test_a_file_that_was_deleted_is_written_again(tmp_path, caplog):
    path = tmp_path / "deep" / "queue.sqlite3"
    with caplog.at_level(logging.INFO), RequestQueue(path) as queue:
        queue.add("ann", "x", VOLCANO)
        shutil.rmtree(path.parent)
        queue.retry_writes()
        queue.add("bob", "x", VOLCANO)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        (
            "ERROR",
            f"no requests are taken, queue '{path}' cannot be written: it was deleted; "
            "what happens meanwhile is written as soon as it can be",
        ),
        ("INFO", f"queue '{path}' is written again, with all that happened meanwhile"),
    ]
    with RequestQueue(path) as queue:
        assert [request.user for request in queue.waiting()] == ["ann", "bob"]


def test_a_file_damaged_while_it_is_open_is_written_again(tmp_path, caplog):
    path = tmp_path / "queue.sqlite3"
    with RequestQueue(path) as queue:
        queue.add("ann", "x", VOLCANO)
        queue.store._let_go()
        path.write_bytes(b"something else" * 1000)
        queue.store._fall_behind("something is wrong")
        queue.retry_writes()
        assert queue.trouble == ""
        queue.add("bob", "x", VOLCANO)
    with RequestQueue(path) as queue:
        assert [request.user for request in queue.waiting()] == ["ann", "bob"]
    assert "is damaged (file is not a database); set aside as" in caplog.text


@pytest.mark.logs("it was deleted", "what could not be written is lost now")
def test_a_place_that_another_program_has_taken_is_left_to_it(tmp_path):
    path = tmp_path / "queue.sqlite3"
    with RequestQueue(path) as queue:
        queue.add("ann", "x", VOLCANO)
        path.unlink()
        with RequestQueue(path) as other:
            other.add("bob", "x", VOLCANO)
            queue.store._let_go()
            queue.store._fall_behind("it was deleted")
            queue.retry_writes()
            assert "is in use by another process" in queue.trouble
            queue.close()
    with RequestQueue(path) as queue:
        assert [request.user for request in queue.waiting()] == ["bob"]


def test_damage_that_only_a_whole_check_finds(tmp_path, caplog):
    path = tmp_path / "queue.sqlite3"
    with RequestQueue(path) as queue:
        for number in range(50):
            queue.add(f"viewer {number}", "x", VOLCANO, message_id=f"message {number}")
    with sqlite3.connect(path) as connection:  # an index without the later rows
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("CREATE INDEX other ON requests (message_id) WHERE id < 10")
        connection.execute(
            "UPDATE sqlite_master SET rootpage = (SELECT rootpage FROM sqlite_master WHERE name = 'other')"
            " WHERE name = 'requests_message'"
        )
        connection.execute("DELETE FROM sqlite_master WHERE name = 'other'")
    connection.close()
    with RequestQueue(path) as queue:
        assert len(queue.waiting()) == 50
        with pytest.raises(DuplicateMessage):
            queue.add("ann", "x", VOLCANO, message_id="message 49")
    assert "is damaged" in caplog.text


def test_a_damaged_page_hides_only_what_is_on_it(tmp_path, caplog):
    path = tmp_path / "queue.sqlite3"
    with RequestQueue(path) as queue:
        for number in range(300):
            queue.add(f"viewer {number}", "x" * 100, VOLCANO)
        queue.vote(1, "web:eve")
        with queue.store.transaction() as transaction:
            transaction.execute("INSERT INTO blocks VALUES ('word', 'bad', 1)")
    content = bytearray(path.read_bytes())
    place = content.index(b"viewer 150") // 4096 * 4096
    content[place : place + 4096] = b"\xee" * 4096
    path.write_bytes(content)
    with RequestQueue(path) as queue:
        users = [request.user for request in queue.waiting()]
        assert 250 < len(users) < 300
        assert (users[0], users[-1]) == ("viewer 0", "viewer 299")
        assert queue.waiting()[0].votes == 1
        assert queue.store.connection.execute("SELECT * FROM blocks").fetchall() == [("word", "bad", 1)]
        assert queue.add("new", "x", VOLCANO).id == 301
    assert f"{len(users)} requests that wait in it could be read; they go on in a new one" in caplog.text


@pytest.mark.logs("no new one can be begun: Read-only file system", "what could not be written is lost now")
def test_a_damaged_file_that_cannot_be_set_aside(tmp_path, monkeypatch):
    path = tmp_path / "queue.sqlite3"
    path.write_bytes(b"something else" * 1000)

    def fixed(path, now_s):
        raise OSError(errno.EROFS, "Read-only file system")

    with monkeypatch.context() as patch:
        patch.setattr(store_module, "set_aside", fixed)
        with RequestQueue(path) as queue:
            queue.add("ann", "x", VOLCANO)
            assert "requests are kept in memory only" in queue.trouble
            queue.retry_writes()
            assert queue.trouble
    assert path.read_bytes() == b"something else" * 1000
