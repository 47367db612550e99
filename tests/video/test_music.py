from __future__ import annotations

import itertools
import random
import struct
from pathlib import Path

import numpy as np
import pytest

from streamer.video.sound.decoding import SoundError, decode
from streamer.video.sound.music import Music, equal_power, sound_files
from tests.sounds import CODECS, RATE, pitch, sine, write_sound
from tests.soundtracks import film_of_tones, renamed

SLOPE = 2 * np.pi * 440 / RATE * 0.5
"""Largest change of a 440 Hz sine of peak 0.5 from one sample to the next."""


def play(music: Music, seconds: float) -> np.ndarray:
    parts, count = [], 0
    while count < seconds * RATE:
        parts.append(music.read())
        assert len(parts[-1])
        count += len(parts[-1])
    music.close()
    return np.concatenate(parts)[: round(seconds * RATE)]


def steepest(samples: np.ndarray) -> float:
    return float(np.abs(np.diff(samples, axis=0)).max())


def pitches(samples: np.ndarray, at_s: list[float]) -> list[int]:
    return [round(pitch(samples[round(s * RATE) : round((s + 0.2) * RATE)]), -1) for s in at_s]


@pytest.mark.parametrize("ending", [".wav", *CODECS])
def test_every_format_is_read_and_resampled(tmp_path, ending):
    rate = 48000 if ending == ".opus" else 44100
    file = write_sound(tmp_path / f"song{ending}", sine(1.0, rate=rate), rate)
    samples = np.concatenate(list(decode(file, RATE)))
    assert samples.dtype == np.float32
    assert samples.shape[1] == 2
    assert RATE <= len(samples) <= RATE * 1.05  # some formats pad their first and last blocks
    middle = samples[RATE // 4 : RATE * 3 // 4]
    assert abs(pitch(middle) - 440) < 3
    assert np.abs(middle).max() == pytest.approx(0.5, abs=0.03)


def test_mono_is_as_loud_on_both_sides(tmp_path):
    samples = np.concatenate(list(decode(write_sound(tmp_path / "mono.wav", sine(1.0)[:, :1]), RATE)))
    np.testing.assert_allclose(samples, sine(1.0), atol=1e-4)


def test_samples_that_are_no_numbers_become_silence(tmp_path):
    data = np.full(48000, np.nan, "<f4")
    data[::2] = 1e30
    header = (
        b"RIFF" + struct.pack("<I", 36 + data.nbytes) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 3, 1, RATE, RATE * 4, 4, 32)
    )
    file = tmp_path / "nan.wav"
    file.write_bytes(header + b"data" + struct.pack("<I", data.nbytes) + data.tobytes())
    samples = np.concatenate(list(decode(file, RATE)))
    assert np.isfinite(samples).all()
    assert np.abs(samples).max() <= 8


def test_a_file_goes_round_without_a_click(tmp_path):
    file = write_sound(tmp_path / "song.wav", sine(1.0123))  # its end does not match its beginning
    samples = play(Music(file, RATE, crossfade_s=0.2), 5)
    assert steepest(samples) <= 1.5 * SLOPE
    assert np.abs(samples).max() <= 0.5 * 2**0.5 + 1e-3
    for at in range(0, len(samples) - 4800, 4800):  # no gap either
        assert np.abs(samples[at : at + 4800]).max() > 0.15


def test_without_cross_fade_a_file_that_meets_itself_goes_round_sample_by_sample(tmp_path):
    file = write_sound(tmp_path / "song.wav", sine(1.0))  # 440 whole waves
    np.testing.assert_allclose(play(Music(file, RATE, crossfade_s=0), 3.5), sine(3.5), atol=1e-4)


def test_a_joint_lasts_as_long_as_its_cross_fade_and_is_made_at_equal_power(tmp_path):
    noise = np.random.default_rng(0)
    for name in ("1.wav", "2.wav"):
        write_sound(tmp_path / name, noise.normal(0, 0.1, (2 * RATE, 2)).clip(-0.9, 0.9).astype(np.float32))
    samples = play(Music(tmp_path, RATE, crossfade_s=0.5), 8)
    first, second = (np.concatenate(list(decode(tmp_path / name, RATE))) for name in ("1.wav", "2.wav"))
    np.testing.assert_array_equal(samples[: round(1.5 * RATE)], first[: round(1.5 * RATE)])
    np.testing.assert_array_equal(samples[2 * RATE : 3 * RATE], second[RATE // 2 : RATE * 3 // 2])
    np.testing.assert_array_equal(samples[round(3.5 * RATE) : round(4.5 * RATE)], first[RATE // 2 : RATE * 3 // 2])
    for at in range(0, len(samples) - 9600, 9600):
        assert samples[at : at + 9600].std() == pytest.approx(0.1, rel=0.05)


@pytest.mark.parametrize("length_s", [0.12, 0.5, 1.9, 2.0, 3.9, 4.0, 4.1])
def test_a_file_shorter_than_two_cross_fades_overlaps_by_half_of_it_at_most(tmp_path, length_s):
    file = write_sound(tmp_path / "jingle.wav", sine(length_s))
    samples = play(Music(file, RATE, crossfade_s=2.0), 6)
    assert steepest(samples) <= 2 * SLOPE
    for at in range(0, len(samples) - 4800, 4800):
        assert np.abs(samples[at : at + 4800]).max() > 0.1


def test_equal_power_ends_where_it_should():
    mixed = equal_power(np.ones((100, 2), np.float32), np.zeros((100, 2), np.float32))
    assert mixed[0, 0] == pytest.approx(1, abs=1e-3)
    assert mixed[-1, 0] == pytest.approx(0, abs=0.01)


def test_a_folder_is_played_in_the_order_of_its_names_and_again(tmp_path):
    for name, hz in (("10 last.wav", 900), ("2 Second.flac", 600), ("1 first.ogg", 300), ("2b/third.mp3", 750)):
        write_sound(tmp_path / name, sine(1.0, hz))
    (tmp_path / "cover.jpg").write_bytes(b"no sound")
    (tmp_path / ".hidden.wav").write_bytes(b"no sound")
    (tmp_path / "notes.txt").write_text("no sound")
    assert [file.name for file in sound_files(tmp_path)] == ["1 first.ogg", "2 Second.flac", "10 last.wav", "third.mp3"]
    samples = play(Music(tmp_path, RATE, crossfade_s=0.2), 4.5)
    assert pitches(samples, [0.4, 1.2, 2.0, 2.8, 3.6]) == [300, 600, 900, 750, 300]


def test_shuffled_every_file_has_its_turn_in_each_round_and_none_comes_twice_in_a_row(tmp_path):
    tones = (200, 400, 600, 800)
    for hz in tones:
        write_sound(tmp_path / f"{hz}.wav", sine(0.5, hz))
    samples = play(Music(tmp_path, RATE, crossfade_s=0, shuffle=True, order=random.Random(3)), 20)
    heard = pitches(samples, [0.15 + 0.5 * number for number in range(40)])
    rounds = [heard[at : at + 4] for at in range(0, 40, 4)]
    assert all(sorted(each) == list(tones) for each in rounds)
    assert len({tuple(each) for each in rounds}) > 3
    assert all(one != other for one, other in itertools.pairwise(heard))


def test_a_file_that_cannot_be_read_is_skipped_with_one_warning_and_tried_again(tmp_path, caplog):
    write_sound(tmp_path / "1.wav", sine(0.5, 300))
    (tmp_path / "2.wav").write_bytes(b"not a sound at all" * 100)
    music = Music(tmp_path, RATE, crossfade_s=0)
    for _ in range(20):
        music.read()
    (warning,) = [record.getMessage() for record in caplog.records]
    assert warning == f"'{tmp_path / '2.wav'}' is skipped: it is no sound file of a known format, or damaged"
    write_sound(tmp_path / "2.wav", sine(0.5, 800))
    assert 800 in pitches(play(music, 3), [0.1 * number for number in range(27)])


@pytest.mark.parametrize("letters", ["apac", "ac-4", "mha1"])
def test_music_that_nothing_here_can_decode_is_skipped_with_one_warning(letters, tmp_path, caplog):
    write_sound(tmp_path / "1.wav", sine(0.5, 300))
    renamed(film_of_tones(tmp_path / "2.mp4", [800]), letters)
    music = Music(tmp_path, RATE, crossfade_s=0)
    assert set(pitches(play(music, 3), [0.1 * number for number in range(27)])) == {300}
    (warning,) = [record.getMessage() for record in caplog.records]
    assert warning == f"'{tmp_path / '2.mp4'}' is skipped: there is no decoder for its sound, {letters}"


@pytest.mark.parametrize("undecodable", [0, 1])
def test_a_track_that_can_be_decoded_is_played_where_another_cannot(undecodable, tmp_path):
    renamed(film_of_tones(tmp_path / "a.mp4", [300, 800]), "apac", undecodable)
    samples = np.concatenate(list(decode(tmp_path / "a.mp4", RATE)))
    assert pitch(samples[RATE // 4 : RATE * 3 // 4]) == pytest.approx((800, 300)[undecodable], abs=4)


def test_tags_in_another_encoding_do_no_harm(tmp_path):
    file = write_sound(tmp_path / "song.wav", sine(0.5))
    title = "Für Elise".encode("latin-1") + b"\0"
    info = b"INFOINAM" + struct.pack("<I", len(title)) + title
    data = file.read_bytes() + b"LIST" + struct.pack("<I", len(info)) + info
    file.write_bytes(data[:4] + struct.pack("<I", len(data) - 8) + data[8:])
    assert sum(map(len, decode(file, RATE))) == RATE // 2


@pytest.mark.logs("is cut short")
def test_a_file_that_breaks_off_is_played_as_far_as_it_goes(tmp_path):
    whole = write_sound(tmp_path / "song.flac", sine(2.0)).read_bytes()
    (tmp_path / "song.flac").write_bytes(whole[: len(whole) // 2] + bytes(range(256)) * 40)
    samples = play(Music(tmp_path / "song.flac", RATE, crossfade_s=0.1), 5)
    assert abs(pitch(samples) - 440) < 3


def test_files_may_come_and_go(tmp_path):
    write_sound(tmp_path / "1.wav", sine(0.5, 300))
    music = Music(tmp_path, RATE, crossfade_s=0)
    music.read()
    write_sound(tmp_path / "2.wav", sine(0.5, 800))
    (tmp_path / "1.wav").unlink()
    assert 800 in pitches(play(music, 2), [0.1 * number for number in range(17)])


@pytest.mark.logs("is skipped")
def test_nothing_to_play_is_said_each_time_and_mended_when_there_is(tmp_path):
    music = Music(tmp_path / "music", RATE)
    with pytest.raises(SoundError, match=r"there is no file or folder '.*music'; 'audio.path' names it"):
        music.read()
    (tmp_path / "music").mkdir()
    with pytest.raises(SoundError, match=r"there is no music in '.*music'; put files there"):
        music.read()
    (tmp_path / "music" / "a.mp3").write_bytes(b"")
    with pytest.raises(SoundError, match=r"the only file in '.*music' cannot be played: 'a.mp3': it "):
        music.read()
    assert music.playing == ""
    write_sound(tmp_path / "music" / "b.mp3", sine(1.0))
    assert music.read().any()
    assert music.playing == "b.mp3"
    music.close()


@pytest.mark.logs("is skipped")
@pytest.mark.parametrize(("name", "samples"), [("short.wav", sine(0.02)), ("empty.wav", sine(0.0))])
def test_a_file_with_next_to_no_sound_is_no_busy_loop(tmp_path, name, samples):
    with pytest.raises(SoundError, match=r"cannot be played: (there is less than 0.1 s of sound|it )"):
        Music(write_sound(tmp_path / name, samples), RATE).read()


@pytest.mark.logs("is skipped")
def test_when_the_last_file_goes_its_end_is_still_played(tmp_path):
    file = write_sound(tmp_path / "song.wav", sine(1.0))
    music = Music(file, RATE, crossfade_s=0.3)
    parts = [music.read()]
    file.unlink()
    while sum(map(len, parts)) < RATE:
        parts.append(music.read())
    with pytest.raises(SoundError, match="there is no file"):
        music.read()
    np.testing.assert_allclose(np.concatenate(parts), sine(1.0), atol=1e-4)


def sparse_wav(path: Path, hours: float) -> Path:
    """Write silence of this length in a file that takes no space on the disk."""
    size = round(hours * 3600 * 44100) * 2
    path.write_bytes(
        b"RIFF" + struct.pack("<I", 36 + size) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 44100, 88200, 2, 16) + b"data"
        + struct.pack("<I", size)
    )  # fmt: skip
    with path.open("r+b") as file:
        file.truncate(44 + size)
    return path


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux")
def test_ten_hours_of_music_are_not_read_in_one_go(tmp_path):
    music = Music(sparse_wav(tmp_path / "long.wav", 10), RATE, crossfade_s=2)
    before = resident()
    seconds = sum(len(music.read()) for _ in range(400)) / RATE
    music.close()
    assert 60 < seconds < 200
    assert resident() - before < 40e6  # ten hours would take 14 GB
