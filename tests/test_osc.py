"""OSC over UDP on the loopback: which messages take effect, and which are ignored and counted."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import pytest

pytest.importorskip("pythonosc", reason="python-osc is not installed")

from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

from streamer.commands.check import Finding, Level, look_at_osc
from streamer.config import Config, ControlsConfig
from streamer.control_status import Side
from streamer.osc import DATAGRAM_BYTES, EVERY_S, MESSAGES, Osc, OscError
from streamer.presets import PresetNotFound
from streamer.settings_file import ConfigError
from tests.fakes import HandClock
from tests.patience import PATIENCE_S


class Desk:
    """Records the calls that it gets."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def change(self, values: Mapping[str, Any], fade_s: float = 0.0) -> tuple[str, ...]:
        if values.get("zoom.speed") == 99:
            raise ConfigError(["'zoom.speed' is 99;\nmust be above 0.2 and up to 5"])
        self.calls.append(("change", dict(values)))
        return tuple(values)

    def reset(self, keys: Collection[str] | None = None) -> tuple[str, ...]:
        self.calls.append(("reset",))
        return ()

    def go_over(self, name: str, fade_s: float | None = None) -> tuple[tuple[str, ...], tuple[str, ...]]:
        if name == "floob":
            raise PresetNotFound("there is no preset 'floob'")
        self.calls.append(("go_over", name, fade_s))
        return (), ()

    def compare(self, side: Side | None = None) -> Side:
        self.calls.append(("compare", side))
        return side or "b"

    def wake(self, twist: bool) -> None:
        self.calls.append(("twist" if twist else "bump",))


def message(address: str, *values: Any) -> OscMessage:
    builder = OscMessageBuilder(address)
    for value in values:
        builder.add_arg(value)
    return builder.build()


class Stage:
    """A listener and a sender."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.desk = Desk()
        self.osc = Osc("127.0.0.1", 0, self.desk, self.desk.wake, clock)
        self.sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sender.connect(("127.0.0.1", self.osc.port))

    def send(self, address: str, *values: Any) -> None:
        self.sender.send(message(address, *values).dgram)

    def until(self, condition: Callable[[], bool]) -> None:
        end_s = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < end_s, (self.osc.status, self.desk.calls)
            threading.Event().wait(0.005)

    def close(self) -> None:
        self.sender.close()
        assert self.osc.stop(PATIENCE_S)
        assert self.osc.stop(PATIENCE_S), "twice"


@pytest.fixture
def stage() -> Iterator[Stage]:
    """Provide a listener that runs."""
    stage = Stage()
    stage.osc.start()
    yield stage
    stage.close()


@pytest.fixture
def quiet() -> Iterator[Stage]:
    """Provide a listener that gets datagrams from the test, on a clock that stands still."""
    stage = Stage(HandClock())
    yield stage
    stage.close()


@pytest.mark.parametrize(
    ("sent", "done"),
    [
        (("/zoomdream/zoom/speed", 1.1), ("change", {"zoom.speed": 1.1})),
        (("/zoomdream/dream/contrast", 50), ("change", {"dream.contrast": 50})),
        (("/zoomdream/dream/jitter_px", 16.0), ("change", {"dream.jitter_px": 16})),
        (("/zoomdream/dream/layout", "quarters"), ("change", {"dream.layout": "quarters"})),
        (("/zoomdream/video/captions", False), ("change", {"video.captions": False})),
        (("/zoomdream/dream/algorithm", "ink"), ("change", {"dream.algorithm": "ink"})),
        (("/zoomdream/preset", "ink"), ("go_over", "ink", None)),
        (("/zoomdream/preset", "ink", 5.0), ("go_over", "ink", 5.0)),
        (("/zoomdream/reset",), ("reset",)),
        (("/zoomdream/compare",), ("compare", None)),
        (("/zoomdream/compare", "a"), ("compare", "a")),
        (("/zoomdream/bump",), ("bump",)),
        (("/zoomdream/twist",), ("twist",)),
    ],
)
def test_each_address_does_its_part_over_udp(stage: Stage, sent: tuple[Any, ...], done: tuple[Any, ...]) -> None:
    stage.send(*sent)
    stage.until(lambda: stage.osc.status.heard == 1)
    assert stage.desk.calls == [done]
    assert stage.osc.status.ignored == 0


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (("/elsewhere/zoom/speed", 1.1), "'/elsewhere/zoom/speed' does not begin with /zoomdream/"),
        (("/zoomdream/zoom/sped", 1.1), "'/zoomdream/zoom/sped' is not a known address"),
        (("/zoomdream/web/port", 1), "'/zoomdream/web/port' is not a known address"),
        (("/zoomdream/zoom/speed",), "'/zoomdream/zoom/speed' takes other arguments"),
        (("/zoomdream/zoom/speed", 1.1, 2.0), "'/zoomdream/zoom/speed' takes other arguments"),
        (("/zoomdream/zoom/speed", b"\x00"), "'/zoomdream/zoom/speed' takes other arguments"),
        (("/zoomdream/zoom/speed", 99), "'zoom.speed' is 99; must be above 0.2 and up to 5"),
        (("/zoomdream/preset",), "'/zoomdream/preset' takes other arguments"),
        (("/zoomdream/preset", 3), "'/zoomdream/preset' takes other arguments"),
        (("/zoomdream/preset", "ink", -1.0), "'/zoomdream/preset' takes other arguments"),
        (("/zoomdream/preset", "ink", float("nan")), "'/zoomdream/preset' takes other arguments"),
        (("/zoomdream/preset", "floob"), "there is no preset 'floob'"),
        (("/zoomdream/compare", "c"), "'/zoomdream/compare' takes other arguments"),
        (("/zoomdream/reset", 1), "'/zoomdream/reset' takes other arguments"),
    ],
)
def test_what_makes_no_sense_is_ignored_and_counted(stage: Stage, sent: tuple[Any, ...], why: str) -> None:
    stage.send(*sent)
    stage.until(lambda: stage.osc.status.ignored == 1)
    assert (stage.osc.status.last_mistake, stage.osc.status.heard) == (why, 0)
    stage.send("/zoomdream/bump")
    stage.until(lambda: stage.osc.status.heard == 1)
    assert stage.desk.calls == [("bump",)]


@pytest.mark.parametrize(
    "datagram",
    [
        b"x",
        b"\x00" * 16,
        b"/zoomdream/bump",
        b"/zoomdream/zoom/speed\x00\x00\x00,f\x00\x00\x3f",
        b"#bundle\x00",
        b"#bundle\x00" + b"\xff" * 20,
        b"\xff" * 400,
        b"/" + b"a" * (DATAGRAM_BYTES + 8),
    ],
)
def test_what_is_no_osc_is_ignored_and_counted(stage: Stage, datagram: bytes) -> None:
    stage.sender.send(datagram)
    stage.until(lambda: stage.osc.status.ignored >= 1)
    assert stage.osc.status.last_mistake
    stage.send("/zoomdream/bump")
    stage.until(lambda: stage.osc.status.heard == 1)


def test_a_bundle_is_applied_up_to_the_message_limit(quiet: Stage) -> None:
    builder = OscBundleBuilder(IMMEDIATELY)
    for number in range(MESSAGES + 3):
        builder.add_content(message("/zoomdream/bump" if number else "/zoomdream/zoom/rotation", *(() if number else (2.0,))))
    quiet.osc.hear(builder.build().dgram)
    quiet.osc.flush()
    assert quiet.osc.status.heard == MESSAGES
    assert quiet.osc.status.ignored == 3
    assert ("change", {"zoom.rotation": 2}) in quiet.desk.calls


def test_of_a_fader_that_moves_the_newest_value_counts(quiet: Stage) -> None:
    clock = quiet.osc._clock
    assert isinstance(clock, HandClock)
    for number in range(200):
        quiet.osc.hear(message("/zoomdream/zoom/speed", 1.0 + number / 1000).dgram)
        quiet.osc.hear(message("/zoomdream/dream/contrast", 30.0 + number / 10).dgram)
        quiet.osc.flush()
        clock.advance(0.001)
    clock.advance(EVERY_S)
    quiet.osc.flush()
    speeds = [call[1]["zoom.speed"] for call in quiet.desk.calls if "zoom.speed" in call[1]]
    assert len(speeds) <= 0.2 / EVERY_S + 2
    assert speeds == sorted(speeds)
    assert speeds[-1] == 1.199
    assert quiet.desk.calls[-1] == ("change", {"dream.contrast": 49.9})


def test_a_mistake_of_one_setting_keeps_no_other_back(quiet: Stage) -> None:
    quiet.osc.hear(message("/zoomdream/zoom/speed", 99).dgram)
    quiet.osc.hear(message("/zoomdream/dream/contrast", 50).dgram)
    quiet.osc.flush()
    assert quiet.desk.calls == [("change", {"dream.contrast": 50})]
    assert (quiet.osc.status.heard, quiet.osc.status.ignored) == (1, 1)


def test_a_preset_goes_before_faders_that_have_not_been_heard_yet(quiet: Stage) -> None:
    quiet.osc.hear(message("/zoomdream/zoom/speed", 1.5).dgram)
    quiet.osc.hear(message("/zoomdream/preset", "ink").dgram)
    quiet.osc.flush()
    assert quiet.desk.calls == [("go_over", "ink", None)]


def test_an_unusable_address_is_refused(quiet: Stage) -> None:
    desk = Desk()
    with pytest.raises(OscError, match=rf"cannot listen for OSC on 127\.0\.0\.1 port {quiet.osc.port}: .*controls\.osc_port"):
        Osc("127.0.0.1", quiet.osc.port, desk, desk.wake)
    with pytest.raises(OscError, match=r"cannot listen for OSC on no\.such\.host\.invalid"):
        Osc("no.such.host.invalid", 0, desk, desk.wake)


def test_check_finds_what_would_stop_it(quiet: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def found(**controls: Any) -> list[Finding]:
        return list(look_at_osc(Config(controls=ControlsConfig.model_validate(controls))))

    assert found() == []
    assert [finding.level for finding in found(osc=True, osc_port=0)] == [Level.GOOD]
    (taken,) = found(osc=True, osc_port=quiet.osc.port)
    assert taken.level is Level.BLOCKER
    assert "cannot listen for OSC" in taken.text
    monkeypatch.setitem(sys.modules, "pythonosc.osc_packet", None)
    (missing,) = found(osc=True, osc_port=0)
    assert (missing.level, missing.text) == (
        Level.BLOCKER,
        "'controls.osc' needs python-osc: pip install 'zoomdream[osc]'",
    )
