"""The journal: written and read back, even after damage to the file."""

import errno
import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from streamer import journal_writer as journal_module
from streamer.config import Config, JournalConfig, WebConfig
from streamer.events import Bump, DreamStarted, Idle, Reseeded, Resized, StepFailed, ThreadsChanged, Tuned
from streamer.journal_reader import JournalError, read_journal
from streamer.journal_writer import Journal, checksum, without_secrets
from streamer.messages.keyframes import Keyframe
from streamer.messages.motion import Motion, Pose
from streamer.messages.scenes import Region, Scene, Target
from streamer.pulse import Pulse
from tests.fakes import HandClock

STARTED = datetime(2026, 11, 21, 20, 15, 3, tzinfo=UTC)
VOLCANO = Target("n09472597", "volcano")
FIRE = Target("", "layer fire5:3,17", layer="fire5", channels=(3, 17))
GUIDE = Target("", "guide flowers.jpg", layer="fire6", guide="flowers.jpg")
SCENE = Scene(0, (Region(VOLCANO, (0.0, 0.0, 1.0, 1.0)),))
MIXED = Scene(1, (Region(FIRE, (0.0, 0.0, 1.0, 0.5)), Region(GUIDE, (0.0, 0.5, 1.0, 1.0), 0.5)), "änn", 12)
BEGUN = DreamStarted("tiny", "cpu", 1, (36, 64))


class Run:
    """A journal, its clock, and keyframes of random pixels."""

    def __init__(self, folder, *, snapshot=b"", **settings):
        self.clock = HandClock(1000.0)
        config = Config(journal=JournalConfig(**settings))
        self.journal = Journal(folder, config, 7, "0.1", snapshot=snapshot, clock=self.clock, wall=lambda: STARTED)
        self.made = []
        self.rng = np.random.default_rng(1)

    def keyframe(self, *events, after_s=0.0):
        moved_ms = sum(event.ms if isinstance(event, Idle) else event for event in events if isinstance(event, int | Idle))
        self.clock.advance(moved_ms / 1000 + after_s)
        image = self.rng.integers(0, 255, (4, 6, 3), np.uint8)
        self.made.append(Keyframe(image, Pose(), self.clock.now_s, SCENE, len(self.made), 1))
        self.journal.keyframe(self.made[-1], events)

    @property
    def past_run(self):
        return read_journal(self.journal.path)


def test_what_is_written_is_read(tmp_path):
    run = Run(tmp_path)
    told = [
        (BEGUN, SCENE),
        (40, 41),
        (40, Motion(1.1, -2.5), 39, MIXED),
        (900, Bump(), Bump(twist=True), 100),
        (Resized((30, 50)), 40),
        (Tuned((("dream.momentum", 0.5), ("dream.views", [1.5, 3.0]))), 40),
        (Tuned(), 40),
        (ThreadsChanged(2), 40),
        (Idle(31_000), 30_000),
        (StepFailed(), 40),
        (40, Reseeded(), 40, Reseeded(noise=True)),
        (replace(BEGUN, resumed=True, kept=3), SCENE, 40),
    ]
    run.clock.advance(5.25)
    for events in told:
        run.keyframe(*events)
    run.journal.close()
    past_run = run.past_run
    assert (past_run.program, past_run.started, past_run.seed, past_run.complete) == ("0.1", STARTED, 7, True)
    assert [keyframe.events for keyframe in past_run.keyframes] == told
    assert [keyframe.at_ms for keyframe in past_run.keyframes] == [round((made.time_s - 1000) * 1000) for made in run.made]
    kept = [
        (past_run.checksum, made)
        for past_run, made in zip(past_run.keyframes, run.made, strict=True)
        if past_run.checksum is not None
    ]
    assert len(kept) >= 3
    assert all(number == checksum(made) for number, made in kept)
    assert past_run.begun == BEGUN
    assert list(past_run.scenes()) == [(5250, SCENE), (5410, MIXED), (67_690, SCENE)]
    assert Config.model_validate_json(json.dumps(past_run.settings)).dream == Config().dream


def test_a_second_of_steps_is_one_short_line(tmp_path):
    run = Run(tmp_path)
    run.keyframe(BEGUN, SCENE)
    size = run.journal.path.stat().st_size
    for _ in range(250):
        run.keyframe(40)
    run.journal.close()
    assert run.journal.path.stat().st_size - size < 250 * 6


def test_all_but_the_last_second_survives_a_kill(tmp_path):
    code = f"""
import os, signal, sys
sys.path[:0] = {[os.getcwd()]!r}
from pathlib import Path
from tests.test_journal import BEGUN, SCENE, Run
run = Run(Path({str(tmp_path)!r}))
run.keyframe(BEGUN, SCENE)
for _ in range(60):
    run.keyframe(50)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", code], timeout=300, check=False)
    assert done.returncode == -signal.SIGKILL
    (path,) = tmp_path.iterdir()
    past_run = read_journal(path)
    assert past_run.complete
    assert past_run.span_ms[1] >= 2000


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_a_last_line_cut_short_is_left_out_without_a_word(tmp_path, cut):
    run = Run(tmp_path)
    run.keyframe(BEGUN, SCENE)
    for _ in range(50):
        run.keyframe(40)
    whole = run.past_run
    data = run.journal.path.read_bytes()
    run.journal.path.write_bytes(data[:-cut])
    assert run.past_run.keyframes == whole.keyframes[: len(run.past_run.keyframes)]
    assert len(run.past_run.keyframes) >= 25
    run.journal.close()


def test_a_journal_that_an_editor_put_a_byte_order_mark_before_is_read(tmp_path):
    run = Run(tmp_path)
    run.keyframe(BEGUN, SCENE)
    run.journal.close()
    whole = run.past_run
    run.journal.path.write_bytes(b"\xef\xbb\xbf" + run.journal.path.read_bytes())
    assert run.past_run.keyframes == whole.keyframes


@pytest.mark.logs("1 broken lines were left out")
def test_missing_steps_are_made_up_for_by_even_ones(tmp_path):
    run = Run(tmp_path)
    run.keyframe(BEGUN, SCENE)
    for _ in range(100):
        run.keyframe(40)
    run.journal.close()
    lines = run.journal.path.read_bytes().splitlines(keepends=True)
    steps = next(i for i, line in enumerate(lines) if b'"steps":"4' in line)
    lines[steps] = lines[steps][:20] + b"\n"
    run.journal.path.write_bytes(b"".join(lines))
    past_run = run.past_run
    assert not past_run.complete
    assert past_run.span_ms == (0, 4000)
    assert past_run.keyframes[1].events == (100,)
    assert past_run.keyframes[0].checksum is not None
    assert all(keyframe.checksum is None for keyframe in past_run.keyframes[1:]), "other steps, other pixels"


def test_a_full_journal_continues_without_steps(tmp_path, caplog):
    run = Run(tmp_path)
    run.journal._room = 4000
    run.keyframe(BEGUN, SCENE)
    for number in range(2000):
        run.keyframe(40, *([Scene(number, MIXED.regions[:1])] if number == 1900 else []))
    run.journal.close()
    assert run.journal.path.stat().st_size <= 4000
    assert "the journal is full" in caplog.text
    past_run = run.past_run
    assert not past_run.complete
    assert past_run.span_ms == (0, 80_000)
    assert [at_ms for at_ms, _ in past_run.scenes()] == [0, 1901 * 40]


def test_older_journals_make_room(tmp_path):
    now_s = datetime.now(UTC).timestamp()
    for age_days, name in [(40, "zoomdream-20260101-000000.jsonl"), (2, "zoomdream-20260102-000000.jsonl")]:
        (tmp_path / name).write_bytes(b"x" * 600_000)
        os.utime(tmp_path / name, (now_s - age_days * 86_400,) * 2)
    for age_days, name in [(1, "zoomdream-20260103-000000-1.jsonl"), (400, "mine.jsonl")]:
        (tmp_path / name).write_bytes(b"x" * 700_000)
        os.utime(tmp_path / name, (now_s - age_days * 86_400,) * 2)
    run = Run(tmp_path, keep_days=30, max_mb=1)
    run.journal.close()
    left = {path.name for path in tmp_path.iterdir()} - {run.journal.path.name}
    assert left == {"zoomdream-20260103-000000-1.jsonl", "mine.jsonl"}


def test_two_runs_of_one_second_have_two_journals(tmp_path):
    first, second = Run(tmp_path), Run(tmp_path)
    assert first.journal.path != second.journal.path
    first.journal.close()
    second.journal.close()


def test_a_full_disk_is_logged_once_and_nothing_is_lost(tmp_path, monkeypatch, caplog):
    run = Run(tmp_path)
    run.keyframe(BEGUN, SCENE)
    real, room = os.write, [30]

    def write(descriptor, data):
        if len(data) > room[0]:
            real(descriptor, data[: room[0]])
            room[0] = 0
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, data)

    monkeypatch.setattr(journal_module.os, "write", write)
    for _ in range(100):
        run.keyframe(50)
    room[0] = 10**6
    for _ in range(100):
        run.keyframe(50)
    run.journal.close()
    assert [record.message for record in caplog.records] == [
        f"the journal '{run.journal.path}' cannot be written: No space left on device"
    ]
    past_run = run.past_run
    assert past_run.complete
    assert [keyframe.events for keyframe in past_run.keyframes] == [(BEGUN, SCENE), *[(50,)] * 200], (
        "all that waited was written"
    )


def test_a_disk_that_takes_parts_gets_whole_lines(tmp_path, monkeypatch):
    run = Run(tmp_path)
    real = os.write
    monkeypatch.setattr(journal_module.os, "write", lambda descriptor, data: real(descriptor, data[:7]))
    run.keyframe(BEGUN, SCENE)
    for _ in range(100):
        run.keyframe(50)
    run.journal.close()
    assert run.past_run.complete
    assert len(run.past_run.keyframes) == 101


@pytest.mark.logs("cannot be written: No space left on device")
def test_a_disk_that_stays_full_takes_no_more_memory_than_is_said(tmp_path, monkeypatch):
    def full(descriptor, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(journal_module, "UNWRITTEN_BYTES", 4000)
    run = Run(tmp_path)
    run.keyframe(BEGUN, SCENE)
    with monkeypatch.context() as patch:
        patch.setattr(journal_module.os, "write", full)
        for number in range(2000):
            run.keyframe(40, *([Scene(number, MIXED.regions[:1])] if number == 1900 else []))
        assert 3000 < len(run.journal._unwritten) <= 4000
    for _ in range(50):
        run.keyframe(40)
    run.journal.close()
    past_run = run.past_run
    assert not past_run.complete
    assert past_run.span_ms == (0, 82_000)
    assert [at_ms for at_ms, _ in past_run.scenes()] == [0, 1901 * 40], "scenes go before steps"


def test_a_journal_begins_when_there_can_be_one(tmp_path, caplog):
    (tmp_path / "file").write_text("")
    with caplog.at_level("INFO"):
        run = Run(tmp_path / "file" / "journals")
        run.keyframe(BEGUN, SCENE)
        for _ in range(100):
            run.keyframe(40)
        assert run.journal.path is None
        (tmp_path / "file").unlink()
        for _ in range(300):
            run.keyframe(40)
        run.journal.close()
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"], "told once, and when it is over"
    assert run.journal.path == tmp_path / "file" / "journals" / "zoomdream-20261121-201503.jsonl"
    assert run.past_run.complete
    assert len(run.past_run.keyframes) == 401
    assert run.past_run.started == STARTED


@pytest.mark.logs("no journal can be created in")
def test_a_journal_that_never_had_a_place_ends_quietly(tmp_path):
    (tmp_path / "file").write_text("")
    run = Run(tmp_path / "file")
    run.keyframe(BEGUN, SCENE)
    run.journal.close()
    run.journal.close()
    run.keyframe(40)
    assert (tmp_path / "file").read_text() == ""


def test_the_snapshot_a_run_resumes_from_is_kept_and_removed_with_its_journal(tmp_path):
    run = Run(tmp_path, snapshot=b"a picture")
    run.clock.advance(4.0)
    run.keyframe(replace(BEGUN, resumed=True, kept=0), SCENE, 700, 300)
    run.journal.close()
    assert run.past_run.snapshot.read_bytes() == b"a picture"
    assert run.past_run.span_ms[0] == 5000, "it has come to its first keyframe by steps"
    assert list(run.past_run.scenes()) == [(4000, SCENE)]
    os.utime(run.journal.path, (0, 0))
    other = Run(tmp_path)
    other.keyframe(BEGUN, SCENE)
    assert other.past_run.snapshot is None
    assert {path.name for path in tmp_path.iterdir()} == {other.journal.path.name}
    other.journal.close()


def test_snapshots_count_among_what_journals_may_take(tmp_path):
    first = Run(tmp_path, max_mb=1, snapshot=bytes(600_000))
    first.journal.close()
    second = Run(tmp_path, max_mb=1, snapshot=bytes(600_000))
    second.journal.close()
    assert not first.journal.path.exists()
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".jsonl", ".snapshot"]


@pytest.mark.logs("the run's starting snapshot cannot be saved as '", "No space left on device; a replay will start from noise")
def test_a_journal_continues_if_there_is_no_room_for_its_snapshot(tmp_path, monkeypatch):
    def full(path, data):
        path.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    run = Run(tmp_path, snapshot=b"a picture")
    run.keyframe(replace(BEGUN, resumed=True, kept=0), SCENE, 700)
    run.journal.close()
    assert [path.name for path in tmp_path.iterdir()] == [run.journal.path.name]
    assert run.past_run.snapshot is not None


def test_what_is_left_of_a_journal_that_somebody_removed_goes(tmp_path):
    first = Run(tmp_path, snapshot=b"a picture")
    first.journal.close()
    first.journal.path.unlink()
    second = Run(tmp_path)
    second.journal.close()
    assert [path.name for path in tmp_path.iterdir()] == [second.journal.path.name]


def test_notes_change_nothing(tmp_path):
    run = Run(tmp_path)
    run.keyframe(BEGUN, SCENE)
    run.journal.note("held")
    run.keyframe(40)
    run.journal.close()
    assert [keyframe.events for keyframe in run.past_run.keyframes] == [(BEGUN, SCENE), (40,)]


def test_a_run_that_changed_its_network_on_the_way_says_so(tmp_path):
    run = Run(tmp_path)
    run.keyframe(BEGUN, SCENE)
    run.keyframe(40)
    assert not run.past_run.switched
    run.journal.note("switched", {"network.name": "googlenet"})
    run.keyframe(40)
    run.journal.close()
    assert run.past_run.switched


def test_nothing_secret_is_written(tmp_path):
    config = Config(web=WebConfig(token="a-secret-token", view_token="a-secret-look"))
    settings = without_secrets({"source": {"path": "rtsp://ann:pass@cam/live?key=abc"}, "list": ["rtsp:/ann:pass@cam"]})
    assert settings == {"source": {"path": "rtsp://cam/live"}, "list": ["rtsp:/cam"]}
    journal = Journal(tmp_path, config, 7, "0.1")
    journal.close()
    assert "secret" not in journal.path.read_text()


def test_many_threads_write_whole_lines(tmp_path):
    run = Run(tmp_path)
    run.keyframe(BEGUN, SCENE)
    threads = [threading.Thread(target=lambda: [run.journal.note("held") for _ in range(200)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(100):
        run.keyframe(40)
    for thread in threads:
        thread.join()
    run.journal.close()
    assert all(json.loads(line) for line in run.journal.path.read_text().splitlines())
    assert run.past_run.complete


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "there is no journal '{path}'"),
        (b"", "'{path}' is not a journal of zoomdream: its first line does not say so"),
        (b"\x00\xff" * 100, "'{path}' is not a journal of zoomdream: its first line does not say so"),
        (b'{"zoomdream":"journal","version":1}\n', "'{path}' is not a journal of zoomdream: its first line does not say so"),
        (
            b'{"zoomdream":"journal","version":2,"program":"9.9"}\n',
            "the journal '{path}' was written by zoomdream 9.9, whose journals this version cannot read; update zoomdream",
        ),
    ],
)
def test_what_cannot_be_read_says_why(tmp_path, content, says):
    path = tmp_path / "a.jsonl"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(JournalError) as error:
        read_journal(path)
    assert str(error.value) == says.format(path=path)


def test_a_journal_without_a_keyframe_is_refused(tmp_path):
    run = Run(tmp_path)
    run.journal.close()
    with pytest.raises(JournalError, match="ends before the first keyframe"):
        read_journal(run.journal.path)


@pytest.mark.logs("broken lines were left out")
@pytest.mark.parametrize(
    "line",
    [
        "[]",
        '{"at":0}',
        '{"at":"x","steps":"1"}',
        '{"at":0,"steps":"-1;"}',
        '{"at":0,"steps":"999999;"}',
        '{"at":0,"scene":{"id":1}}',
        '{"at":0,"motion":{"speed":0,"rotation":0}}',
        '{"at":0,"motion":{"speed":1e999,"rotation":0}}',
        '{"at":0,"canvas":[0,5]}',
        '{"at":0,"stood_ms":-5}',
        '{"at":0,"what":1}',
        '{"at":0,"steps":"1;","scene":{}}',
    ],
)
def test_lines_that_make_no_sense_are_left_out(tmp_path, line):
    run = Run(tmp_path)
    run.keyframe(BEGUN, SCENE)
    run.journal.close()
    with run.journal.path.open("a") as file:
        file.write(line + "\n")
    assert [keyframe.events for keyframe in run.past_run.keyframes] == [(BEGUN, SCENE)]


def test_started_keeps_its_zone(tmp_path):
    run = Run(tmp_path)
    run.keyframe(BEGUN, SCENE)
    run.journal.close()
    text = run.journal.path.read_text().replace("+00:00", "+02:00")
    run.journal.path.write_text(text)
    assert run.past_run.started.utcoffset() == timedelta(hours=2)


def test_pulses_are_read_back_and_change_nothing_else(tmp_path):
    run = Run(tmp_path)
    run.journal.pulse(1000.5, 0.05, 1000.8)
    run.keyframe(BEGUN, SCENE)
    for _ in range(60):
        run.keyframe(40)
        if run.made[-1].number % 12 == 0:
            run.journal.pulse(run.clock.now_s - 0.3, 0.0312345, run.clock.now_s)
    run.keyframe(40, Motion(1.1, 0.0, 1.5), 40)
    run.journal.close()
    past_run = run.past_run
    assert past_run.complete
    assert len(past_run.keyframes) == len(run.made)
    assert past_run.pulses == (Pulse(0.5, 0.05), *(Pulse(round(0.04 * 12 * number - 0.3, 3), 0.0312) for number in range(1, 6)))
    assert past_run.keyframes[-1].events == (40, Motion(1.1, 0.0, 1.5), 40)
    assert '{"at":0.5,"pulse":{"octaves":0.05,"heard":0.8}}' in run.journal.path.read_text().splitlines()


def test_a_pulse_that_no_camera_makes_is_left_out(tmp_path, caplog):
    run = Run(tmp_path)
    run.keyframe(BEGUN, SCENE)
    run.journal.close()
    with run.journal.path.open("a") as file:
        file.writelines(f'{{"at":1,"pulse":{{"octaves":{value}}}}}\n' for value in ("0", "-0.1", "7", '"x"', "[1]", "0.2"))
    assert run.past_run.pulses == (Pulse(1.0, 0.2),)
    assert "5 broken lines were left out" in caplog.text


@pytest.mark.logs("the journal is full")
def test_pulses_leave_the_last_of_the_room_to_scenes(tmp_path):
    run = Run(tmp_path, max_mb=1)
    run.keyframe(BEGUN, SCENE)
    for number in range(40_000):
        run.journal.pulse(1000.0 + number / 4, 0.05, 1000.0)
    run.keyframe(40, MIXED)
    run.clock.advance(1.0)
    run.journal.close()
    assert run.journal.path.stat().st_size < 0.95e6
    assert [scene for _, scene in run.past_run.scenes()] == [SCENE, MIXED]
