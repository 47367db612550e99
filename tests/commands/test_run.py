"""What signals do to a stream, and how changed settings reach the chat bot."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from streamer.commands import run
from streamer.config import Config

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="there is no such signal here")


class Heard:
    """Records what signals ask of a stream."""

    def __init__(self) -> None:
        self.stopping, self.reloads = threading.Event(), 0

    def reload(self) -> None:
        self.reloads += 1


@pytest.fixture
def heard() -> Iterator[Heard]:
    before = signal.getsignal(signal.SIGHUP)
    yield Heard()
    assert signal.getsignal(signal.SIGHUP) is before
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def hang_up() -> None:
    os.kill(os.getpid(), signal.SIGHUP)


def has_terminal(monkeypatch: pytest.MonkeyPatch, now: bool) -> None:
    monkeypatch.setattr(run, "_has_terminal", lambda: now)


@pytest.mark.parametrize("terminal", [True, False])
def test_sighup_reads_the_config_again_with_and_without_a_terminal(
    heard: Heard, monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    has_terminal(monkeypatch, terminal)
    with run._signals(heard.stopping, heard.reload):
        hang_up()
        hang_up()
        assert (heard.reloads, heard.stopping.is_set()) == (2, False)


def test_a_terminal_that_is_closed_ends_what_was_started_in_it(heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    has_terminal(monkeypatch, True)
    with run._signals(heard.stopping, heard.reload):
        has_terminal(monkeypatch, False)
        hang_up()
        assert (heard.reloads, heard.stopping.is_set()) == (0, True)


def test_nohup_holds_though_the_terminal_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    heard, before = Heard(), signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        has_terminal(monkeypatch, True)
        with run._signals(heard.stopping, heard.reload):
            has_terminal(monkeypatch, False)
            hang_up()
            assert (heard.reloads, heard.stopping.is_set()) == (1, False)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_terminal_is_there_or_not() -> None:
    """The answer depends on where the tests run, but it comes without an error."""
    assert run._has_terminal() in (True, False)
    code = "from streamer.commands.run import _has_terminal; raise SystemExit(_has_terminal())"
    done = subprocess.run([sys.executable, "-c", code], start_new_session=True, timeout=300, check=False)
    assert done.returncode == 0, "a session of its own has no terminal"


def test_only_settings_of_the_chat_are_passed_on_to_the_bot() -> None:
    told = []

    class Bot:
        def configure(self, settings: object) -> None:
            told.append(settings)

    config = Config.model_validate({"chat": {"prefix": "?"}, "dream": {"layout": "whole"}})
    run._tell_chat(Bot(), "http://127.0.0.1:8080/", config, ["zoom.speed"])  # type: ignore[arg-type]
    assert told == []
    for changed in (["chat.prefix"], ["dream.layout", "zoom.speed"], ["chat.commands.queue.cooldown_s"]):
        run._tell_chat(Bot(), "http://127.0.0.1:8080/", config, changed)  # type: ignore[arg-type]
        settings = told.pop()
        assert (settings.chat.prefix, settings.layout, settings.api_url) == ("?", "whole", "http://127.0.0.1:8080")
