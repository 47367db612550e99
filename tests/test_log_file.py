"""The log as JSON and in a file, including on full disks."""

import contextlib
import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest

from bot.token_redactor import TokenRedactor
from streamer.config import Config, LogConfig
from streamer.log_file import LogFile
from streamer.logs import TEXT, Counting, JsonLines, LogSetup, configure_logs, in_force
from streamer.video.sinks.secrets import Redactor as KeyRedactor
from tests.disks import full_disk
from tests.fakes import HandClock
from tests.test_logs import Written


@contextlib.contextmanager
def logger(*handlers: logging.Handler) -> Iterator[logging.Logger]:
    """Provide a logger whose lines reach only these handlers."""
    log = logging.getLogger("tests.filed")
    log.propagate, log.handlers[:] = False, handlers
    log.setLevel(logging.DEBUG)
    try:
        yield log
    finally:
        log.handlers[:] = []
        for handler in handlers:
            handler.close()


def file_handler(path: Path, *, most_bytes: int = 10_000, files: int = 3, form: logging.Formatter | None = None) -> LogFile:
    handler = LogFile(path, most_bytes, files, Written())
    handler.setFormatter(form or logging.Formatter("%(message)s"))
    return handler


def said_elsewhere(handler: LogFile) -> list[str]:
    elsewhere = handler._elsewhere
    assert isinstance(elsewhere, Written)
    return elsewhere.lines


def test_a_line_of_json_is_one_object_whatever_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "stream.log"
    with logger(file_handler(path, form=JsonLines())) as log:
        log.info('a "quote", a\nbreak and \udcff 🌋 of %s', "anna\r\u2028")
        try:
            raise ValueError("no good")
        except ValueError:
            log.exception("it failed")
    first, second = path.read_bytes().split(b"\n")[:2]
    told = json.loads(first)
    assert set(told) == {"time", "level", "logger", "message"}
    assert (told["level"], told["logger"]) == ("info", "tests.filed")
    assert told["message"] == 'a "quote", a\nbreak and \udcff 🌋 of anna\r\u2028'
    assert told["time"].endswith("Z")
    assert datetime.fromisoformat(told["time"]).tzinfo is not None
    failed = json.loads(second)
    assert failed["message"] == "it failed"
    assert failed["exception"].startswith("Traceback")
    assert failed["exception"].endswith("ValueError: no good")


@pytest.mark.parametrize("form", [JsonLines(), logging.Formatter(TEXT)], ids=["json", "text"])
@pytest.mark.parametrize("redactor", [TokenRedactor(), KeyRedactor()], ids=["chat", "keys"])
def test_secrets_are_hidden_in_every_format(
    tmp_path: Path, form: logging.Formatter, redactor: TokenRedactor | KeyRedactor
) -> None:
    secret = "canary_5tGb6_canary"
    redactor.learn(secret)
    with logger(Counting(file_handler(tmp_path / "stream.log", form=form))) as log:
        log.addFilter(redactor)
        try:
            for _ in range(30):
                log.warning("sent to %s with %r", f"rtmp://a/live/{secret}", {"key": secret})
            raise ValueError(f"refused {secret}")
        except ValueError:
            log.exception("failed")
        finally:
            log.removeFilter(redactor)
    text = (tmp_path / "stream.log").read_text()
    assert secret not in text
    assert "[hidden]" in text
    assert "ValueError: refused" in text


def test_counted_lines_tell_their_number_in_json(tmp_path: Path) -> None:
    path, clock = tmp_path / "stream.log", HandClock(100.0)
    with logger(Counting(file_handler(path, form=JsonLines()), clock)) as log:
        for _ in range(100):
            log.warning("it is full")
            clock.advance(0.05)
    first, second = map(json.loads, path.read_text().splitlines())
    assert "repeated" not in first
    assert second["message"] == "it is full (the same line 99 more times in the last 5 s)"
    assert (second["repeated"], second["seconds"]) == (99, 5.0)


def test_files_are_rotated_by_size_and_never_more_than_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "stream.log"
    with logger(file_handler(path, most_bytes=1000, files=3)) as log:
        for number in range(500):
            log.info("line %05d", number)
    names = sorted(file.name for file in path.parent.iterdir())
    assert names == ["stream.log", "stream.log.1", "stream.log.2"]
    lines = [line for name in reversed(names) for line in (path.parent / name).read_text().splitlines()]
    assert lines == [f"line {number:05}" for number in range(500 - len(lines), 500)]
    assert all(file.stat().st_size <= 1000 for file in path.parent.iterdir())


def test_a_full_disk_is_reported_once_and_writing_resumes_when_there_is_room(tmp_path: Path) -> None:
    path = tmp_path / "stream.log"
    handler = file_handler(path)
    with logger(handler) as log:
        log.info("before")
        with full_disk():
            for number in range(50):
                log.info("meanwhile %d", number)
        log.info("after")
        log.info("later")
    full, again = said_elsewhere(handler)
    assert full == f"the log cannot be written to '{path}': File too large; it continues here, and there once that is fixed"
    assert again == f"the log is written to '{path}' again; 50 lines are missing there: File too large"
    assert path.read_text().splitlines() == ["before", "after", again, "later"]


def test_a_line_for_which_there_is_half_the_room_is_not_written_at_all(tmp_path: Path) -> None:
    import resource

    path = tmp_path / "stream.log"
    handler = file_handler(path)
    with logger(handler) as log, full_disk():  # a write of 100 bytes from byte 40 stops at 64
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (64, hard))
        log.info("a" * 39)
        log.info("b" * 100)
    assert path.read_text() == "a" * 39 + "\n"
    assert len(said_elsewhere(handler)) == 1


@pytest.mark.parametrize("spoil", ["folder is a file", "file is a folder"])
def test_a_place_where_nothing_can_be_written_ends_nothing(tmp_path: Path, spoil: str) -> None:
    path = tmp_path / "logs" / "stream.log"
    if spoil == "folder is a file":
        path.parent.touch()
    else:
        path.mkdir(parents=True)
    handler = file_handler(path)
    with logger(handler) as log:
        log.info("one")
        log.info("two")
        assert len(said_elsewhere(handler)) == 1
        path.parent.unlink() if spoil == "folder is a file" else path.rmdir()
        log.info("three")
    assert path.read_text().splitlines()[0] == "three"
    assert "2 lines are missing" in said_elsewhere(handler)[1]


def test_a_file_that_somebody_removed_is_created_again(tmp_path: Path) -> None:
    path = tmp_path / "stream.log"
    with logger(file_handler(path)) as log:
        log.info("one")
        path.unlink()
        log.info("two")
    assert path.read_text() == "two\n"


def test_the_bot_has_a_file_of_its_own(tmp_path: Path) -> None:
    setup = LogSetup("warning", "json", tmp_path / "stream.log")
    configure_logs(setup)
    assert in_force() == setup
    assert in_force().of_the_bot().file == tmp_path / "stream.bot.log"
    assert LogSetup().of_the_bot() == LogSetup()


Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run() -> Run:
    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "streamer", "bot", "--set", "web.port=1", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, stdin=subprocess.DEVNULL)

    return call


def test_the_call_goes_before_the_config(tmp_path: Path, run: Run) -> None:
    config = tmp_path / "live.yaml"
    config.write_text(f"log: {{format: json, file: {tmp_path / 'config.log'}}}\n")
    done = run(str(config), "--console", "--log-level", "debug")
    lines = [line for line in done.stderr.splitlines() if line.startswith("{")]
    assert lines
    assert all(json.loads(line)["level"] for line in lines)
    assert (tmp_path / "config.bot.log").read_text().splitlines() == lines
    done = run(
        str(config), "--console", "--log-level", "debug", "--log-format", "text", "--log-file", str(tmp_path / "call.log")
    )
    assert not [line for line in done.stderr.splitlines() if line.startswith("{")]
    assert (tmp_path / "call.log").read_text().split()[2] in ("DEBUG", "INFO", "WARNING")


def test_check_looks_at_the_logs_file(tmp_path: Path) -> None:
    from streamer.commands.check import look_at_log
    from streamer.commands.finding import Level

    def found(file: Path) -> tuple[Level, str]:
        (finding,) = look_at_log(Config(log=LogConfig(file=file)))
        return finding.level, finding.text

    assert list(look_at_log(Config())) == []
    level, text = found(tmp_path / "deep" / "stream.log")
    assert (level, text) == (Level.GOOD, f"{tmp_path / 'deep' / 'stream.log'}, up to 5 of 10 MB")
    (tmp_path / "file").touch()
    for file in (tmp_path / "file" / "stream.log", tmp_path):
        level, text = found(file)
        assert level is Level.WARNING
        assert f"the log cannot be written to '{file}'" in text


def test_a_format_that_there_is_not_is_a_wrong_call(run: Run) -> None:
    done = run("--log-format", "xml")
    assert (done.returncode, done.stderr) == (2, "zoomdream: --log-format is 'xml'; must be text or json\n")
