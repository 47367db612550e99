"""A config that is read again: what takes effect, what waits, what is refused, and what the log says."""

from __future__ import annotations

import logging
import os
import random
import time
from collections.abc import Collection
from pathlib import Path

import pytest

from streamer.config import Config
from streamer.messages.status import Reloaded
from streamer.reload import Reload
from streamer.settings_file import ConfigError, ConfigGone, load
from streamer.settings_live import SettingsRefused

FIRST = "zoom:\n  speed: 1.1\nqueue: {hold_s: 20}\n"


class Stage:
    """A config file and a user of its settings."""

    def __init__(self, folder: Path, text: str = FIRST, overrides: Collection[str] = ()) -> None:
        self.file = folder / "live.yaml"
        self.file.write_text(text)
        self.reload = Reload(load(self.file, tuple(overrides)), self.file, tuple(overrides))
        self.taken: list[tuple[Config, tuple[str, ...]]] = []
        self.refusal: SettingsRefused | None = None
        self.reload.taken_by(self._take)

    def _take(self, config: Config, changed: Collection[str]) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.taken.append((config, tuple(changed)))

    def write(self, text: str | bytes) -> Reloaded:
        self.file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return self.reload.reload()

    def mistakes(self, text: str | bytes) -> tuple[str, ...]:
        """Write a file that is refused; return its mistakes, with its path shortened."""
        before = self.reload.config
        with pytest.raises(ConfigError) as caught:
            self.write(text)
        assert self.reload.config is before
        assert self.reload.status.mistakes == caught.value.problems
        return tuple(problem.replace(str(self.file), "live.yaml") for problem in caught.value.problems)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_what_is_live_is_handed_on_and_what_is_not_waits(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    told = stage.write("zoom:\n  speed: 1.5\nvideo: {fps: 30, captions: false}\nweb: {port: 9}\n")
    assert told == Reloaded(("video.captions", "zoom.speed", "queue.hold_s"), ("video.fps", "web.port"))
    ((config, changed),) = stage.taken
    assert changed == told.changed
    assert (config.zoom.speed, config.video.captions, config.queue.hold_s) == (1.5, False, 30.0)
    assert (config.video.fps, config.web.port) == (25, 8080), "they go on as they were"
    assert stage.reload.config == config
    status = stage.reload.status
    assert (status.file, status.mistakes, status.at_next_start) == (str(stage.file), (), ("video.fps", "web.port"))
    assert (status.reloads, status.revision) == (1, 1)
    assert [record.getMessage() for record in caplog.records] == [
        "settings changed: video.captions = false, zoom.speed = 1.5, queue.hold_s = 30.0",
        "'video.fps' and 'web.port' change at the next start",
    ]
    caplog.clear()
    assert stage.write("zoom:\n  speed: 1.6\nvideo: {fps: 30, captions: false}\nweb: {port: 9}\n").at_next_start
    assert "next start" not in caplog.text, "that has been said"


def test_comments_and_another_order_change_nothing(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert stage.write(f"# a comment\n{FIRST}zoom_: \n".replace("zoom_: \n", "")) == Reloaded()
    assert stage.write("queue:\n  hold_s: 20.0  # s\nzoom: {speed: 1.1}") == Reloaded()
    assert stage.taken == []
    assert stage.reload.status.revision == 0
    assert caplog.text == ""


@pytest.mark.logs("'seed' changes at the next start")
def test_a_setting_that_is_put_back_no_longer_waits(stage: Stage) -> None:
    assert stage.write(f"{FIRST}seed: 5\n").at_next_start == ("seed",)
    assert stage.write(FIRST) == Reloaded()
    assert stage.reload.status.at_next_start == ()


def test_what_the_command_line_says_is_laid_over_each_time(tmp_path: Path) -> None:
    stage = Stage(tmp_path, overrides=["zoom.speed=2"])
    assert stage.write("zoom: {speed: 1.5, rotation: 3}\n") == Reloaded(("zoom.rotation", "queue.hold_s"), ())
    assert stage.reload.config.zoom.speed == 2


def test_a_mistake_changes_nothing_and_is_logged_once(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    text = "zoom: {speed: fast, rotation: 3}\nvideo: {fsp: 3}\n"
    mistakes = stage.mistakes(text)
    assert mistakes == (
        "live.yaml:1: 'zoom.speed' is fast; must be a number, above 0.2 and up to 5",
        "live.yaml:2: unknown key 'video.fsp'; did you mean 'video.fps'?",
    )
    assert stage.taken == []
    logged = [record.getMessage() for record in caplog.records]
    assert logged == [
        f"the config has mistakes, so the previous settings stay in force: {mistake}"
        for mistake in stage.reload.status.mistakes
    ]
    assert stage.mistakes(f"{text}# still\n") == mistakes
    assert len(caplog.records) == 2
    caplog.set_level(logging.INFO)
    assert stage.write(FIRST) == Reloaded()
    assert stage.reload.status.mistakes == ()
    assert caplog.records[-1].getMessage() == "the config has no mistakes any more"


def test_those_who_go_by_it_may_refuse(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.refusal = SettingsRefused("'queue.blocked_classes' holds 'floob', which is no class")
    text = "queue: {blocked_classes: [floob]}\n"
    assert stage.mistakes(text) == ("live.yaml: 'queue.blocked_classes' holds 'floob', which is no class",)
    assert "'floob', which is no class" in caplog.text
    stage.refusal = None
    assert "queue.blocked_classes" in stage.reload.reload().changed


def test_a_missing_file_changes_nothing_and_is_logged_once(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.file.unlink()
    for _ in range(3):
        with pytest.raises(ConfigGone):
            stage.reload.reload()
        stage.reload.try_reload()
    assert [record.getMessage() for record in caplog.records] == [
        f"the config has mistakes, so the previous settings stay in force: {stage.file}: the file is gone"
    ]
    assert stage.write(FIRST) == Reloaded()
    assert stage.reload.status.mistakes == ()


BRACKETS = "[" * 20_000
HALF = "x: " + "{a: " * 20_000


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("", "live.yaml: is empty, like a half-written file; write {} for a config without changes"),
        (BRACKETS, "live.yaml:1: is nested more than 16 deep; the settings need five levels"),
        (f"zoom: {BRACKETS}{']' * 20_000}", "live.yaml:1: is nested more than 16 deep; the settings need five levels"),
        (HALF, "live.yaml:1: is nested more than 16 deep; the settings need five levels"),
        ("- " * 20_000, "live.yaml:1: is nested more than 16 deep; the settings need five levels"),
        ("? " * 20_000, "live.yaml:1: has a list or block as a key; a key is a name"),
        ("b: *a\n", "live.yaml:1: has an alias '*a'; write the value out"),
        ("a: &a [x]\n", "live.yaml:1: has an anchor '&a'; leave it out, in quotes a value is text"),
        (b"\xff\xfe\x00", "live.yaml:1: is not UTF-8 text; save it as UTF-8"),
        (b"zoom: \x00", "live.yaml:1: holds the control character '\\x00'; remove it"),
        ("zoom:\n  speed: [1.1", "live.yaml:2: is not YAML: expected ',' or ']', but got '<stream end>'"),
        ("zoom", "live.yaml:1: is zoom; a config is made of blocks such as 'video:', each with keys below it"),
    ],
)
@pytest.mark.logs("the config has mistakes")
def test_what_is_no_config_is_refused_at_once(stage: Stage, text: str | bytes, mistake: str) -> None:
    began_s = time.process_time()
    assert stage.mistakes(text) == (mistake,)
    assert time.process_time() - began_s < 5.0


@pytest.mark.logs("the config has mistakes")
@pytest.mark.parametrize("many", ["key{}: 1\n", "seed: {}\n"])
def test_the_largest_files_are_read_in_bounded_time(stage: Stage, many: str) -> None:
    began_s = time.process_time()
    found = stage.mistakes("".join(many.format(number) for number in range(15_000)))
    assert time.process_time() - began_s < 30.0
    assert len(found) == 101
    assert found[0].startswith(("live.yaml:1: unknown key 'key0'", "live.yaml:2: 'seed' is given twice"))
    assert found[-1] in ("live.yaml: has 14900 more mistakes", "live.yaml: has 14899 more mistakes")


@pytest.mark.logs("the config has mistakes")
def test_what_is_no_file_is_refused_and_not_waited_for(stage: Stage) -> None:
    stage.file.unlink()
    os.mkfifo(stage.file)
    with pytest.raises(ConfigError, match="is a pipe or a device, which is only read at start"):
        stage.reload.reload()
    stage.file.unlink()
    stage.file.mkdir()
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        stage.reload.reload()


def test_without_a_file_there_is_nothing_to_change(tmp_path: Path) -> None:
    reload = Reload(load(None))
    assert reload.reload() == Reloaded()
    assert reload.status.file == ""


SAMPLE = """# a config
zoom:
  speed: 1.2
  rotation: 0.5
queue:
  hold_s: 40
  blocked_words: [this, that]
dream: {momentum: 0.8, views: [1.5, 3.0]}
chat:
  prefix: "!"
"""


@pytest.mark.logs("the config has mistakes", "at the next start")
def test_mutated_and_truncated_files_never_do_harm(stage: Stage) -> None:
    """Every file either takes effect as a whole, or changes nothing and has a line for every mistake."""
    chance = random.Random(7)
    good = bad = 0
    for number in range(300):
        data = bytearray(SAMPLE.encode())
        if number % 3 == 0:
            del data[chance.randrange(len(data)) :]
        else:
            for _ in range(chance.randint(1, 4)):
                where = chance.randrange(len(data))
                data[where : where + chance.randint(0, 3)] = chance.choice(
                    [b"", b"[", b"}", b":", b"\n", b"\t", b"\xff", b"-", b"9", b"'", b"#", b"&a ", b"*a", b"!!x ", b"x" * 50]
                )
        before = stage.reload.config
        try:
            stage.write(bytes(data))
            refused: tuple[str, ...] = ()
        except ConfigError as error:
            refused = error.problems
        if refused:
            bad += 1
            assert all(problem.startswith(str(stage.file)) and "\n" not in problem for problem in refused)
            assert stage.reload.config is before
            assert stage.reload.status.mistakes == refused
        else:
            good += 1
            assert stage.reload.config == load(stage.file) or stage.reload.status.at_next_start
    assert good > 20
    assert bad > 100
