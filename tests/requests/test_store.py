import contextlib
import json
import logging
import sqlite3

import pytest

from streamer.messages import Priority, RequestState, Role, Target
from streamer.requests.queue import MessageKnown, RequestQueue
from streamer.requests.store import VERSION, QueueError, Store

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
"""What the first release wrote, word for word."""


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


def test_a_file_of_the_first_release_goes_on(old):
    with RequestQueue(old) as queue:
        assert [request.user for request in queue.waiting()] == ["ann", "bob", "cid"]
        second = queue.waiting()[1]
        assert (second.role, second.priority, second.amount, second.votes, second.settled) == (
            Role.VIP,
            Priority.NONE,
            0,
            0,
            None,
        )
        assert queue.find(1).state is RequestState.DONE
        with pytest.raises(MessageKnown):
            queue.add("dan", "volcano", second.targets, message_id="dan")
        assert queue.vote(second.id, "web:eve")
    assert version(old) == VERSION == 3
    with RequestQueue(old) as queue:
        assert [(request.user, request.votes) for request in queue.waiting()] == [("ann", 0), ("bob", 1), ("cid", 0)]


def test_a_migration_that_fails_leaves_the_file_as_it_was(old):
    with sqlite3.connect(old) as connection:
        connection.execute("CREATE TABLE votes (x)")  # in the way
    connection.close()
    before = old.read_bytes()
    with pytest.raises(QueueError, match="cannot be opened: table votes already exists"):
        RequestQueue(old)
    assert (version(old), old.read_bytes()[100:]) == (1, before[100:])


def test_a_file_that_says_more_than_it_has_is_told(tmp_path):
    path = tmp_path / "queue.sqlite3"
    with sqlite3.connect(path) as connection:
        connection.executescript(VERSION_1 + "PRAGMA user_version = 2;")
    connection.close()
    with pytest.raises(QueueError, match="no such column: priority"):
        Store(path)


def test_all_or_nothing(tmp_path):
    store = Store(tmp_path / "queue.sqlite3")
    with contextlib.suppress(ZeroDivisionError), store.transaction() as cursor:
        cursor.execute("INSERT INTO rules VALUES ('hold_s', '60')")
        raise ZeroDivisionError
    assert store.connection.execute("SELECT count(*) FROM rules").fetchone() == (0,)
    store.close()
    store.close()


def test_a_note_that_fails_says_what_will_be_lost(caplog):
    store = Store(None)
    with caplog.at_level(logging.ERROR):
        store.note(("INSERT INTO nowhere VALUES (1)", ()), lost="nothing much is missing")
    assert caplog.messages == [
        "queue in memory cannot be written, nothing much is missing after a restart: no such table: nowhere"
    ]
    store.close()


VOLCANO = [Target("n09472597", "volcano")]


def test_what_is_kept_of_a_request(tmp_path):
    path = tmp_path / "queue.sqlite3"
    with RequestQueue(path) as queue:
        first = queue.add("ann", "x", VOLCANO, priority=Priority.POINTS, amount=500)
        second = queue.add("bob", "x", VOLCANO)
        third = queue.add("cid", "x", VOLCANO)
        queue.lift(second.id, Priority.BITS, 100)
        queue.lift(second.id, Priority.BITS, 50)
        queue.lift(second.id, Priority.POINTS, 999)
        assert queue.vote(third.id, "web:dan")
        assert not queue.vote(third.id, "web:dan")
        assert queue.vote(third.id, "web:eve")
        queue.settle([third.id, first.id])
    with RequestQueue(path) as queue:
        told = [(r.user, r.priority, r.amount, r.votes, r.settled) for r in queue.waiting()]
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
