from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import av
import numpy as np
import pytest

from streamer.config import AudioConfig
from streamer.video.sound import feeder
from streamer.video.sound.aac import BLOCK, AacPacket
from streamer.video.sound.audio import AudioReader, AudioTrack, try_source
from streamer.video.sound.decoding import SoundError
from streamer.video.sound.feeder import Feeder
from streamer.video.sound.loudness import CEILING
from streamer.video.sound.sound_buffer import SoundBuffer
from tests.patience import PATIENCE_S
from tests.sounds import RATE, click, pitch, radio_server, sends, sine, sound_bytes, stays_silent, strokes, write_sound

FPS = 25


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@contextmanager
def track_of(**settings) -> Iterator[AudioTrack]:
    track = AudioTrack(AudioConfig(**settings))
    try:
        yield track
    finally:
        track.close()


def wait_for(happened: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    pause = threading.Event()
    while not happened():
        assert time.monotonic() < deadline_s, "it did not happen"
        pause.wait(0.005)


def read(reader: AudioReader, first: int, frames: int, before: Callable[[], object] = lambda: None) -> list[AacPacket]:
    """Return the packets that a reader gets, frame by frame."""
    packets = []
    for number in range(first, first + frames):
        before()
        packets += reader.until((number + 1) / FPS)
    return packets


def decode(track: AudioTrack, packets: list[AacPacket]) -> np.ndarray:
    decoder = av.CodecContext.create("aac", "r")
    decoder.extradata = track.info.extradata
    frames = [frame for packet in packets for frame in decoder.decode(av.Packet(packet.data))]
    return np.concatenate([frame.to_ndarray().T for frame in frames])


def full(track: AudioTrack) -> Callable[[], None]:
    """Return a function that waits until enough is decoded for the next frame, because the thread's timing varies."""

    def wait() -> None:
        wait_for(lambda: track._feeder is not None and track._feeder.sound_buffer.count > RATE)

    return wait


@pytest.mark.parametrize("rate", [48000, 44100])
def test_a_minute_of_pictures_has_a_minute_of_sound_to_the_sample(rate):
    with track_of(rate=rate) as track:
        assert track.info.rate == rate
        assert track.status().state == "silence"
        packets = read(track.reader(0), 0, 60 * FPS)
    assert [packet.pts for packet in packets] == list(range(0, 60 * rate, BLOCK))
    assert packets[-1].pts + BLOCK >= 60 * rate
    assert not decode(track, packets[:50]).any()


def test_music_too_is_as_long_as_the_pictures_whatever_the_disk_does(tmp_path):
    file = write_sound(tmp_path / "song.wav", sine(1.0))
    with track_of(source="music", path=file, crossfade_s=0.0) as track:
        packets = read(track.reader(3.0), 3 * FPS, 60 * FPS)  # as fast as possible: decoding may be late
    start = -(-3 * RATE // BLOCK) * BLOCK
    assert [packet.pts for packet in packets] == list(range(start, 63 * RATE, BLOCK))


def test_music_that_goes_round_is_one_even_tone_with_no_click(tmp_path):
    file = write_sound(tmp_path / "song.flac", sine(0.7123))
    with track_of(source="music", path=file, crossfade_s=0.1, bitrate_kbps=192) as track:
        samples = decode(track, read(track.reader(0), 0, 4 * FPS, before=full(track)))
        status = track.status()
    assert (status.state, status.playing, status.dropouts, status.error) == ("playing", "song.flac", 0, "")
    assert abs(pitch(samples) - 440) < 3
    assert np.abs(np.diff(samples, axis=0)).max() < 0.06  # the tone's own steps are 0.029, a click's up to 1
    heard = samples[2 * BLOCK :]
    assert all(np.abs(heard[at : at + 4800]).max() > 0.2 for at in range(0, len(heard) - 4800, 4800))


def test_all_readers_hear_the_same_at_the_same_time(tmp_path):
    with track_of(source="music", path=write_sound(tmp_path / "song.wav", sine(1.0))) as track:
        first = track.reader(10.0)
        one = read(first, 10 * FPS, 2 * FPS, before=full(track))
        late = read(track.reader(11.0), 11 * FPS, FPS)
        behind = read(track.reader(10.0), 10 * FPS, 2 * FPS)
    assert behind == one
    assert late == [packet for packet in one if packet.pts >= 11 * RATE]


def test_a_new_reader_begins_where_its_pictures_do():
    with track_of() as track:
        read(track.reader(0), 0, 10)
        packets = read(track.reader(3600.0), 3600 * FPS, 5)
        assert 3600 * RATE <= packets[0].pts < 3600 * RATE + BLOCK
        again = read(track.reader(0.5), FPS // 2 + 1, 5)  # the stream's time restarted
        assert RATE // 2 <= again[0].pts < RATE // 2 + BLOCK


def test_a_short_stall_is_made_up_for_and_a_long_one_left_out():
    with track_of() as track:
        reader = track.reader(0)
        first = reader.until(1.0)
        short = reader.until(2.5)
        assert short[0].pts == first[-1].pts + BLOCK
        assert short[-1].pts >= 2.5 * RATE - BLOCK
        assert len(reader.until(100.0)) <= 1
        after = read(reader, 100 * FPS, FPS)
    assert 100 * RATE - BLOCK < after[0].pts <= 100 * RATE + BLOCK
    assert [packet.pts - after[0].pts for packet in after] == [number * BLOCK for number in range(len(after))]


def test_the_packets_kept_are_few():
    with track_of() as track:
        read(track.reader(0), 0, 60 * FPS)
        kept = track.between(0, 60 * RATE)
    assert 9.9 * RATE < len(kept) * BLOCK < 10.1 * RATE


@pytest.mark.parametrize(("volume_db", "peak"), [(0.0, 0.5), (-20.0, 0.05), (4.0, 0.5 * 10**0.2), (20.0, CEILING)])
def test_volume_is_in_decibels_and_never_too_loud(tmp_path, volume_db, peak):
    file = write_sound(tmp_path / "song.wav", sine(1.0))
    with track_of(source="music", path=file, volume_db=volume_db, crossfade_s=0.0, bitrate_kbps=192) as track:
        samples = decode(track, read(track.reader(0), 0, 2 * FPS, before=full(track)))[RATE:]
    assert np.abs(samples).max() == pytest.approx(peak, rel=0.08)
    assert np.abs(samples).max() < 1


@pytest.mark.logs("no sound until this is fixed", "is skipped")
def test_a_folder_with_nothing_in_it_is_silence_and_says_so_until_there_is_music(tmp_path, tmp_path_factory, monkeypatch):
    aside = tmp_path_factory.mktemp("aside")
    monkeypatch.setattr(feeder.BackOff, "pause_s", lambda *_: 0.01)
    with track_of(source="music", path=tmp_path) as track:
        assert track.status().state == "idle"
        reader = track.reader(0)
        wait_for(lambda: track.status().error != "")
        assert "there is no music in" in track.status().error
        assert track.status().state == "waiting"
        assert not decode(track, read(reader, 0, 10)).any()
        write_sound(aside / "song.wav", sine(1.0)).rename(tmp_path / "song.wav")  # complete as soon as it is listed
        full(track)()
        assert decode(track, read(reader, 10, 10)).any()
        status = track.status()
        assert (status.state, status.playing, status.error) == ("playing", "song.wav", "")


@pytest.mark.logs("no sound until this is fixed")
def test_nothing_to_play_is_no_busy_loop(tmp_path, monkeypatch):
    pauses = [0.0, 0.0, 0.0, 3600.0]
    looked: list[object] = []
    monkeypatch.setattr(feeder.BackOff, "pause_s", lambda *_: pauses.pop(0))
    monkeypatch.setattr("streamer.video.sound.music.sound_files", lambda path: looked.append(path) or [])
    with track_of(source="music", path=tmp_path) as track:
        track.reader(0)
        wait_for(lambda: not pauses)
    assert looked == [tmp_path] * 4


@pytest.fixture(scope="module")
def mp3() -> bytes:
    return sound_bytes(".mp3", sine(20.0))


@pytest.mark.logs("no sound until this is fixed")
def test_a_station_that_drops_is_silence_and_comes_back_and_nothing_clicks(monkeypatch, mp3):
    pauses = threading.Semaphore(0)

    def pause_s(*_: float) -> float:
        pauses.acquire(timeout=PATIENCE_S)
        return 0.0

    monkeypatch.setattr(feeder.BackOff, "pause_s", pause_s)
    song = sends(mp3[: len(mp3) // 4], "Content-Type: audio/mpeg")
    with radio_server(song, sends(b"", status="HTTP/1.0 503 Busy"), sends(mp3, then=stays_silent)) as server:
        url = server.url().replace("//", "//me:canary@")
        with track_of(source="radio", url=url, bitrate_kbps=192) as track:
            reader = track.reader(0)
            wait_for(lambda: "it ended the stream" in track.status().error)
            before = read(reader, 0, 6 * FPS)  # 5 s of sound, then none
            assert track.status().state == "waiting"
            assert track.status().dropouts == 1
            pauses.release()
            wait_for(lambda: "it answers 503" in track.status().error)
            pauses.release()
            wait_for(lambda: track._feeder.sound_buffer.count > 5 * RATE)
            after = read(reader, 6 * FPS, 2 * FPS)
            status = track.status()
            pauses.release()
    assert (status.state, status.playing, status.error) == ("playing", server.url(), "")
    assert "canary" not in repr(status)
    samples = decode(track, before + after)
    assert np.abs(np.diff(samples, axis=0)).max() < 0.08
    assert np.abs(samples[RATE : 4 * RATE]).max() > 0.4
    assert not samples[round(5.5 * RATE) : round(5.9 * RATE)].any()
    assert np.abs(samples[7 * RATE :]).max() > 0.4
    assert (after[0].pts, len(after)) == (before[-1].pts + BLOCK, pytest.approx(2 * RATE / BLOCK, abs=1))


def test_a_silent_station_blocks_nobody():
    with radio_server(stays_silent) as server, track_of(source="radio", url=server.url()) as track:
        packets = read(track.reader(0), 0, 10 * FPS)
        assert [packet.pts for packet in packets] == list(range(0, 10 * RATE, BLOCK))
        assert not decode(track, packets).any()
        wait_for(lambda: len(server.requests) == 1)
        thread = track._feeder._thread
    assert not thread.is_alive()  # it does not delay the end either


class Endless:
    """An endless source that counts how often it is opened, and notes when it is closed."""

    playing = "tone"

    def __init__(self) -> None:
        self.opened = 0
        self.closed = threading.Event()
        self._open = False

    def read(self) -> np.ndarray:
        self.opened += not self._open
        self._open = True
        return sine(0.1)

    def close(self) -> None:
        self._open = False
        self.closed.set()

    def hang_up(self) -> None:
        pass


def test_a_station_without_listeners_is_disconnected_until_somebody_listens():
    source, sound_buffer = Endless(), SoundBuffer(RATE, 1.0, 0.1)
    feeder = Feeder(source, sound_buffer, time.monotonic, idle_s=0.05)
    try:
        assert source.closed.wait(PATIENCE_S)
        wait_for(lambda: sound_buffer.count == 0)
        assert source.opened == 1

        def heard() -> bool:
            return bool(sound_buffer.take(BLOCK).any())

        wait_for(heard)
        assert source.opened >= 2
        assert feeder.error == ""
    finally:
        feeder.close(PATIENCE_S)


class Broken(Endless):
    def read(self) -> np.ndarray:
        raise ZeroDivisionError("a mistake of ours")


def test_a_mistake_of_ours_is_logged_and_costs_the_sound_only(caplog):
    feeder = Feeder(Broken(), SoundBuffer(RATE, 1.0, 0.1), time.monotonic)
    try:
        wait_for(lambda: feeder.error != "")
    finally:
        feeder.close(PATIENCE_S)
    assert feeder.error == "ZeroDivisionError: see the log"
    assert [record.levelno for record in caplog.records][:1] == [logging.ERROR]


def test_what_is_configured_can_be_tried_beforehand(tmp_path, mp3):
    assert try_source(AudioConfig()) == "silence"
    write_sound(tmp_path / "a b.wav", sine(1.0))
    write_sound(tmp_path / "c.wav", sine(1.0))
    assert try_source(AudioConfig(source="music", path=tmp_path)) == f"music: '{tmp_path}', 2 files, beginning with 'a b.wav'"
    with pytest.raises(SoundError, match="there is no file or folder"):
        try_source(AudioConfig(source="music", path=tmp_path / "none"))
    with radio_server(sends(mp3, "icy-name: Radio X")) as server:
        assert try_source(AudioConfig(source="radio", url=server.url())) == "radio: Radio X"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/x"
    with pytest.raises(SoundError, match="it refuses the connection"):
        try_source(AudioConfig(source="radio", url=url))


def test_a_password_of_a_station_is_not_in_what_a_config_shows_of_itself():
    assert "canary" not in repr(AudioConfig(source="radio", url="http://me:canary@radio.example/x?token=canary"))


def test_what_is_closed_is_silent_and_starts_no_thread(tmp_path):
    file = write_sound(tmp_path / "song.wav", sine(1.0))
    track = AudioTrack(AudioConfig(source="music", path=file))
    track.close()
    packets = read(track.reader(0), 0, 5)
    assert not decode(track, packets).any()
    assert track._feeder is None
    track.close()


def test_the_volume_changes_while_it_plays_without_a_click(tmp_path):
    file = write_sound(tmp_path / "song.wav", sine(20.0))
    with track_of(source="music", path=file, crossfade_s=0.0) as track:
        reader, wait = track.reader(0), full(track)
        packets = read(reader, 0, 3 * FPS, wait)
        track.set_volume(-20.0)
        packets += read(reader, 3 * FPS, 3 * FPS, wait)
        sound = decode(track, packets)[:, 0]
    before, after = sound[RATE : 2 * RATE], sound[4 * RATE : 5 * RATE]
    ratio = float(np.sqrt((after**2).mean() / (before**2).mean()))
    assert ratio == pytest.approx(0.1, rel=0.05)
    assert np.abs(np.diff(sound[RATE : 5 * RATE])).max() <= 1.2 * np.abs(np.diff(before)).max()


def test_beats_are_known_before_they_are_heard_and_to_which_frame_they_belong(tmp_path):
    struck = [0.7, 1.213, 1.7, 2.2, 2.749]
    file = write_sound(tmp_path / "song.wav", strokes(3.0, struck, click()))
    with track_of(source="music", path=file, crossfade_s=0.0) as track:
        track.listen(True)
        reader, ready = track.reader(10.0), full(track)
        packets, found = [], []
        for number in range(10 * FPS, 13 * FPS):
            ready()
            found += track.beats(number / FPS, (number + 1) / FPS, 0.3)
            packets += reader.until((number + 1) / FPS)
        samples = np.abs(decode(track, packets)[:, 0])
        assert track.loudness(12.2) > 0.5
        assert track.beats(13.0, 20.0, 0.3) == []  # too far ahead to be known
        assert track.loudness(20.0) == 0.0
    loud = np.flatnonzero(samples > 0.3)
    heard = packets[0].pts / RATE + loud[np.flatnonzero(np.diff(loud, prepend=-RATE) > RATE / 5)] / RATE
    assert len(heard) == len(struck)
    assert [beat.at for beat in found] == pytest.approx(heard, abs=0.02)


def test_silence_and_sound_that_is_not_analysed_have_no_beats(tmp_path):
    with track_of() as track:
        track.listen(True)
        read(track.reader(0), 0, FPS)
        assert (track.beats(0, 2, 0.3), track.loudness(0.5)) == ([], 0.0)
    with track_of(source="music", path=write_sound(tmp_path / "song.wav", strokes(2.0, [0.5], click()))) as track:
        read(track.reader(0), 0, FPS, before=full(track))
        assert (track.beats(0, 2, 0.3), track.loudness(0.5)) == ([], 0.0)


def test_where_sound_breaks_off_its_beats_do_too():
    with track_of(source="music", path=Path("/nonexistent")) as track:
        track.listen(True)
        sound_buffer, analyser = SoundBuffer(RATE, 4.0, 0.1), track._analyser
        track._feeder = cast(
            Feeder, SimpleNamespace(sound_buffer=sound_buffer, playing="", error="", close=lambda deadline_s: None)
        )
        samples = strokes(1.0, [0.25, 0.6], click())
        analyser.analyse(sound_buffer.written, samples)
        sound_buffer.put(samples)
        reader = track.reader(0.0)
        reader.until(0.5)
        assert [round(beat.at, 1) for beat in track.beats(0.4, 1.0, 0.3)] == [0.6]
        reader.until(1.5)
        assert track.status().dropouts == 1
        assert (track.beats(0.4, 2.0, 0.3), track.loudness(1.5)) == ([], 0.0)
