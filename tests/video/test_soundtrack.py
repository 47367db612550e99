from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from streamer.video.files.file_format import FilmSound
from streamer.video.files.movie import MovieWriter
from streamer.video.files.soundtrack import _gapless

RATE = 48_000
SIZE = (36, 64)


def film(
    path: Path, codec: str | None, seconds: float = 2.0, rate: int = RATE, late_s: float = 0.0, layout: str = "stereo"
) -> Path:
    """Write a film whose picture begins ``late_s`` late, and whose sound clicks every half second."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=10)
        video.width, video.height, video.pix_fmt = SIZE[1], SIZE[0], "yuv420p"
        video.codec_context.options = {"bf": "0"}
        sound = None
        if codec is not None:
            sound = container.add_stream(codec, rate=rate)
            sound.layout = layout
        for number in range(round(seconds * 10)):
            frame = av.VideoFrame.from_ndarray(np.full((*SIZE, 3), 10 * number, np.uint8), format="rgb24")
            frame.pts, frame.time_base = number + round(late_s * 10), Fraction(1, 10)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if sound is not None:
            channels = len(sound.codec_context.layout.channels)
            samples = np.zeros((channels, round((seconds + late_s) * rate)), np.float32)
            for click in range(int(2 * (seconds + late_s))):
                samples[:, click * rate // 2 : click * rate // 2 + 200] = 0.8
            size = sound.codec_context.frame_size or 1024
            resampler = av.AudioResampler(format=sound.codec_context.format, layout=layout, rate=rate, frame_size=size)
            frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout=layout)
            frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
            for block in (*resampler.resample(frame), *resampler.resample(None)):
                container.mux(sound.encode(block))
            container.mux(sound.encode(None))
    return path


def put_under(source: Path, path: Path, times: list[float], until_s: float | None = None) -> Path:
    """Write a new film with the sound of another."""
    with MovieWriter(path, SIZE, 10, FilmSound(source, until_s)) as movie:
        for time_s in times:
            movie.write(np.full((*SIZE, 3), 90, np.uint8), time_s)
    return path


def heard(path: Path) -> tuple[str, np.ndarray]:
    """Return the codec, and the loudness of every millisecond from 0 s on."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        resampler = av.AudioResampler(format="fltp", layout="mono", rate=RATE)
        level = np.zeros(20 * RATE)
        for frame in container.decode(stream):
            for plain in resampler.resample(frame):
                at, samples = round(float(plain.pts * plain.time_base) * RATE), plain.to_ndarray()[0]
                begin = max(0, -at)
                level[max(0, at) : at + len(samples)] = samples[begin:]
        return stream.codec_context.name, np.abs(level).reshape(-1, RATE // 1000).max(1)


def clicks(level: np.ndarray) -> list[float]:
    """Return the times in seconds at which it becomes loud."""
    loud = level > 0.3
    return [
        round(number / 1000, 2)
        for number in range(1, len(loud))
        if loud[number] and not loud[max(0, number - 100) : number].any()
    ]


TIMES = [number / 10 for number in range(20)]


@pytest.mark.parametrize(
    ("name", "codec", "becomes"),
    [
        ("a.mp4", "aac", "aac"),
        ("a.mkv", "libmp3lame", "mp3float"),
        ("a.mkv", "libopus", "aac"),
        ("a.mkv", "pcm_s16le", "aac"),
        ("a.mkv", "flac", "aac"),
    ],
)  # fmt: skip
def test_the_sound_of_a_film_is_kept_and_stays_in_step(name: str, codec: str, becomes: str, tmp_path: Path) -> None:
    source = film(tmp_path / name, codec)
    made = put_under(source, tmp_path / "out.mp4", TIMES)
    found, level = heard(made)
    assert found == becomes
    before, after = clicks(heard(source)[1]), clicks(level)
    assert len(before) >= 3
    assert after == pytest.approx(before, abs=0.03)


def test_what_is_kept_is_kept_to_the_byte(tmp_path: Path) -> None:
    source = film(tmp_path / "a.mp4", "aac")
    made = put_under(source, tmp_path / "out.mp4", TIMES)
    contents = []
    for path in (source, made):
        with av.open(str(path)) as container:
            contents.append([bytes(packet) for packet in container.demux(container.streams.audio[0]) if packet.size])
    assert contents[1] == [data for data in contents[0] if data in contents[1]]
    assert len(contents[1]) >= len(contents[0]) - 2


@pytest.mark.parametrize("codec", ["aac", "pcm_s16le"])
def test_sound_from_before_the_first_picture_is_left_out(codec: str, tmp_path: Path) -> None:
    source = film(tmp_path / "a.mkv", codec, late_s=0.6)
    _, level = heard(put_under(source, tmp_path / "out.mp4", TIMES))
    assert clicks(level)[:3] == pytest.approx([0.4, 0.9, 1.4], abs=0.05)


def test_odd_rates_and_one_channel_are_encoded(tmp_path: Path) -> None:
    source = film(tmp_path / "a.mkv", "pcm_s16le", rate=37_800, layout="mono")
    _, level = heard(put_under(source, tmp_path / "out.mp4", TIMES))
    assert clicks(level)[:3] == pytest.approx([0.5, 1.0, 1.5], abs=0.03)


def test_it_can_be_cut_off(tmp_path: Path) -> None:
    source = film(tmp_path / "a.mp4", "aac")
    _, level = heard(put_under(source, tmp_path / "out.mp4", TIMES[:8], until_s=0.8))
    assert clicks(level) == pytest.approx([0.5], abs=0.03)


def test_frames_keep_times_that_are_not_even(tmp_path: Path) -> None:
    times = [0.0, 0.04, 0.21, 0.5, 0.51, 1.3]
    made = put_under(film(tmp_path / "a.mp4", None), tmp_path / "out.mp4", times)
    with av.open(str(made)) as container:
        assert not container.streams.audio
        shown = [float(frame.pts * frame.time_base) for frame in container.decode(video=0)]
    assert shown == pytest.approx(times, abs=0.001)


def test_two_frames_at_one_moment_follow_each_other(tmp_path: Path) -> None:
    made = put_under(film(tmp_path / "a.mp4", None), tmp_path / "out.mp4", [0.0, 0.5, 0.5, 0.4, 1.0])
    with av.open(str(made)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 5


def test_sound_without_times_follows_what_came_before() -> None:
    """The last block of Windows Media Audio has no time."""

    def block(pts: int | None) -> av.AudioFrame:
        frame = av.AudioFrame.from_ndarray(np.full((1, 2400), 0.5, np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, pts, Fraction(1, RATE)
        return frame

    begins = Fraction(1, 2)
    found = list(_gapless(iter([block(RATE // 2 + 4800), block(None), block(None)]), "mono", RATE, begins))
    assert [frame.pts for frame in found] == [1024 * number for number in range(len(found))]
    samples = np.concatenate([frame.to_ndarray()[0] for frame in found])
    assert np.flatnonzero(samples)[[0, -1]].tolist() == [4800, 4800 + 3 * 2400 - 1]
