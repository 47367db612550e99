"""A stream that reacts to its sound: what the beats of a file do to the frames, the dream and the journal."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from streamer import pipeline
from streamer.config import Config, QueueConfig, VideoConfig, WebConfig
from streamer.config_outputs import AudioConfig
from streamer.config_react import ReactConfig
from streamer.journal_reader import RecordedRun, read_journal
from streamer.messages.motion import Motion
from tests.sounds import RATE, beats_at, kick, strokes, write_sound
from tests.test_pipeline import GOLDFISH, PIZZA, UMBRELLA, WAIT_S, WHITE, HandRenderer, Live, Reloading

BPM = 120


@pytest.fixture
def song(tmp_path: Path) -> Path:
    return write_sound(tmp_path / "song.wav", strokes(60.0, beats_at(60.0, BPM), kick()))


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], Live]]:
    """Return a function that starts a stream that plays a file, and makes it dream."""
    monkeypatch.setattr(pipeline, "Renderer", HandRenderer)
    streams = []

    def make(file: Path, **react: float) -> Live:
        config = Config(
            seed=7,
            video=VideoConfig(width=64, height=36, captions=False),
            queue=QueueConfig(path=tmp_path / "queue.sqlite3"),
            web=WebConfig(port=0),
            audio=AudioConfig(source="music", path=file, react=ReactConfig(enabled=True, **react)),  # type: ignore[arg-type]
        )
        live = Live(config)
        streams.append(live)
        dream(live)
        return live

    yield make
    for live in streams:
        assert live.pipeline.stop(WAIT_S)


def dream(live: Live) -> None:
    live.pipeline.start()
    live.renderer.load(GOLDFISH, UMBRELLA, PIZZA)
    live.renderer.await_scene(lambda scene: True)
    live.renderer.keyframe(WHITE)


def watch(live: Live, until: Callable[[], bool]) -> None:
    """Watch the video and keep the dream going until a condition is true."""
    share = live.pipeline._encoders.main.subscribe("jpeg")
    end_s = time.monotonic() + WAIT_S
    try:
        while not until():
            assert time.monotonic() < end_s, "it never was so"
            assert share.read(WAIT_S) is not None
            live.renderer.keyframe(WHITE)
    finally:
        share.close()


def beats(live: Live) -> int:
    return int(live.pipeline.status().sound.beats)


def journal(folder: Path) -> RecordedRun:
    (path,) = (folder / "journals").glob("*.jsonl")
    return read_journal(path)


def test_each_beat_moves_the_zoom_and_the_journal_records_when(made: Callable[..., Live], song: Path, tmp_path: Path) -> None:
    live = made(song)
    watch(live, lambda: beats(live) >= 5)
    assert live.call("api/status")["sound"]["beats"] >= 5
    assert live.pipeline.stop(WAIT_S)
    past_run = journal(tmp_path)
    assert len(past_run.pulses) >= 4  # the first may come before the first picture
    assert past_run.complete
    heard_s = [
        told["pulse"]["heard"] for line in past_run.path.read_text().splitlines() if "pulse" in (told := json.loads(line))
    ]
    assert np.diff(heard_s) == pytest.approx([60 / BPM] * (len(heard_s) - 1), abs=0.03)


def test_silence_moves_nothing(made: Callable[..., Live], tmp_path: Path) -> None:
    quiet = write_sound(tmp_path / "quiet.wav", np.zeros((5 * RATE, 2), np.float32))
    live = made(quiet, step=1.0, pace=1.0, bump_bars=1)
    watch(live, lambda: live.pipeline.status().sound.state == "playing" and (live.pipeline.frame_number or 0) > 40)
    assert beats(live) == 0
    assert (live.renderer.motions, live.renderer.bumps) == ([], 0)
    assert live.pipeline.stop(WAIT_S)
    assert journal(tmp_path).pulses == ()


@pytest.mark.logs("no sound until this is fixed")
def test_a_missing_sound_moves_nothing(made: Callable[..., Live], tmp_path: Path) -> None:
    live = made(tmp_path / "none.wav", step=1.0)
    watch(live, lambda: (live.pipeline.frame_number or 0) > 40)
    assert (beats(live), live.renderer.motions) == (0, [])


def test_bars_and_loudness_reach_the_dream(made: Callable[..., Live], song: Path) -> None:
    live = made(song, zoom=0.0, step=1.0, pace=0.5, bump_bars=1, subject_bars=2, beats_per_bar=1)
    watch(live, lambda: live.renderer.bumps > 1 and len(live.renderer.scenes) > 1 and len(live.renderer.motions) > 0)
    motion = live.renderer.motions[-1]
    assert motion.drive > 1
    assert motion == Motion(round(1.05 ** (1 + (motion.drive - 1) / 2), 4), 0.25, motion.drive)
    assert live.pipeline.status().motion == Motion(1.05, 0.25), "what was asked for stays"
    assert live.call("api/motion", {"speed": 1.2})["speed"] == 1.2
    assert live.renderer.motions[-1].drive > 1


def test_nothing_is_played_while_nobody_watches(made: Callable[..., Live], song: Path) -> None:
    live = made(song)
    threading.Event().wait(0.3)
    assert live.pipeline.status().sound.state == "idle"
    assert beats(live) == 0


def test_it_is_switched_while_the_stream_runs(song: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "Renderer", HandRenderer)
    sound = f"video: {{captions: false}}\naudio:\n  source: music\n  path: {song}\n"
    live = Reloading(tmp_path, sound)
    dream(live)
    watch(live, lambda: (live.pipeline.frame_number or 0) > 20)
    assert beats(live) == 0
    told = live.write(f"{sound}  react: {{enabled: true, zoom: 0.1, step: 1}}\n")
    assert told == {"changed": ["audio.react.enabled", "audio.react.zoom", "audio.react.step"], "at_next_start": []}
    watch(live, lambda: beats(live) > 1 and bool(live.renderer.motions))
    live.write(sound)
    before = beats(live)
    watch(live, lambda: live.renderer.motions[-1] == Motion(1.05, 0.25))
    assert beats(live) <= before + 1
    assert live.pipeline.stop(WAIT_S)


@pytest.mark.logs("audio.react is on, but there is nothing to react to: audio.source is silence")
def test_a_sound_configured_as_silence_has_no_beats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "Renderer", HandRenderer)
    live = Reloading(tmp_path, "audio: {react: {enabled: true}}\nvideo: {captions: false}\n")
    dream(live)
    watch(live, lambda: (live.pipeline.frame_number or 0) > 10)
    assert beats(live) == 0
    assert live.pipeline.stop(WAIT_S)
