"""The command line on films: the bundled network, small sizes."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from streamer.__main__ import app
from streamer.commands import render_film
from tests.disks import full_disk
from tests.films import write_clip, write_film
from tests.media.patches import BT2020, BT2020_FROM_BT709, HLG, QUAD, hlg, linear, patches, seen, write
from tests.soundtracks import film_of_tones, renamed, tone, unseen
from tests.video.test_soundtrack import clicks, heard
from tests.video.test_soundtrack import film as clicking

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore::DeprecationWarning")]
FAST = ["--set", "network.name=bundled", "--set", "device=cpu", "--set", "dream.views=[0.6]", "--seed", "1"]


def call(*words: str | Path) -> Result:
    return CliRunner().invoke(app, ["render", *FAST, *(str(word) for word in words)])


def dream(film: Path, output: Path, *words: str) -> Path:
    answer = call("--video", film, "--class", "goldfish", "--iterations", "1", "-o", output, *words)
    assert answer.exit_code == 0, answer.output
    return output


def pictures(path: Path) -> tuple[list[np.ndarray], list[float]]:
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    return [frame.to_ndarray(format="rgb24") for frame in frames], [float(frame.time) for frame in frames]


def test_a_film_keeps_its_size_its_length_and_its_sound(tmp_path: Path) -> None:
    source = clicking(tmp_path / "in.mp4", "aac", seconds=1.2)
    made = dream(source, tmp_path / "out.mp4")
    before, after = pictures(source), pictures(made)
    assert after[1] == pytest.approx(before[1], abs=0.001)
    assert {image.shape for image in after[0]} == {(36, 64, 3)}
    assert 1 < np.abs(after[0][-1].astype(float) - before[0][-1]).mean() < 60
    assert heard(made)[0] == "aac"
    assert clicks(heard(made)[1]) == pytest.approx(clicks(heard(source)[1]), abs=0.03)


def test_uneven_times_and_odd_sizes_are_kept(tmp_path: Path) -> None:
    times = [0, 40, 200, 240, 500]
    with av.open(str(tmp_path / "in.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 67, 45, "bgr0"
        stream.codec_context.time_base = Fraction(1, 1000)
        for number, time_ms in enumerate(times):
            image = np.random.default_rng(number).integers(90, 110, (45, 67, 3), dtype=np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = time_ms, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    images, found = pictures(dream(tmp_path / "in.mkv", tmp_path / "out.mp4"))
    assert found == pytest.approx([time_ms / 1000 for time_ms in times], abs=0.001)
    assert images[0].shape == (46, 68, 3), "MP4 needs even sides: the last row and column are repeated"


def test_the_same_seed_gives_the_same_pictures_and_a_part_will_do(tmp_path: Path) -> None:
    source = clicking(tmp_path / "in.mp4", None, seconds=1.0)
    first, again = (dream(source, tmp_path / name, "--seconds", "0.5") for name in ("a", "b"))
    assert len(list(first.iterdir())) == 5
    for one, other in zip(sorted(first.iterdir()), sorted(again.iterdir()), strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_a_smaller_dream_is_laid_over_a_picture_that_stays_sharp(tmp_path: Path) -> None:
    checks = np.kron(np.indices((20, 30)).sum(0) % 2, np.ones((4, 4)))[..., None].repeat(3, 2) * 40 + 100
    with av.open(str(tmp_path / "in.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=5)
        stream.width, stream.height, stream.pix_fmt = 120, 80, "bgr0"
        for number in range(3):
            frame = av.VideoFrame.from_ndarray(checks.astype(np.uint8), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 5)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    answer = dream(tmp_path / "in.mkv", tmp_path / "out.png", "--set", "canvas.width=48", "--set", "dream.step=0.5")
    image = np.asarray(Image.open(answer)).astype(float)
    assert image.shape == (80, 120, 3)
    assert np.corrcoef(image.ravel(), checks.ravel())[0, 1] > 0.9


def test_flashing_pictures_are_reported(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "in.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=20)
        stream.width, stream.height, stream.pix_fmt = 64, 36, "bgr0"
        for number in range(30):
            frame = av.VideoFrame.from_ndarray(np.full((36, 64, 3), 230 * (number // 2 % 2), np.uint8), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 20)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    answer = call("--video", tmp_path / "in.mkv", "--class", "goldfish", "--iterations", "1", "-o", tmp_path / "out.mp4")
    assert answer.exit_code == 0
    assert "of 30 pictures were held back because they flash" in answer.stderr


def test_a_film_that_was_not_copied_to_its_end_is_reported(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole.mp4", tmp_path / "cut.mp4"
    with av.open(str(whole), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 36, "yuv420p"
        stream.gop_size, stream.max_b_frames = 1, 0
        for number in range(20):
            image = np.random.default_rng(number).integers(0, 255, (36, 64, 3), dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    data = whole.read_bytes()
    cut.write_bytes(data[: len(data) // 2])
    answer = call("--video", cut, "--class", "goldfish", "--iterations", "1", "-o", tmp_path / "out.mp4")
    assert answer.exit_code == 0, answer.output
    assert len(pictures(tmp_path / "out.mp4")[0]) < 15
    assert "the film ended after 1." in answer.stderr
    assert "of 4.0 s; was it copied to its end?" in answer.stderr
    answer = call("--video", whole, "--class", "goldfish", "--iterations", "1", "-o", tmp_path / "out.mp4")
    assert "ended after" not in answer.stderr


def test_a_film_of_one_picture_that_stands_is_whole(tmp_path: Path) -> None:
    film = tmp_path / "in.gif"
    Image.new("RGB", (64, 36), (90, 120, 60)).save(film, duration=3000)
    answer = call("--video", film, "--class", "goldfish", "--iterations", "1", "-o", tmp_path / "out.png")
    assert answer.exit_code == 0, answer.output
    assert "ended after" not in answer.stderr


@pytest.mark.parametrize("name", ["put together", "cut at its beginning", "stills", "late"])
def test_a_whole_film_is_not_said_to_be_short(name: str, tmp_path: Path) -> None:
    film, seconds = tmp_path / "in.ts", 2.0
    if name == "stills":
        film, seconds = write_film(tmp_path / "in.mp4", (40, 80, 120), [0, 3, 6], lasts_s=3), 9.0
    elif name == "late":
        film, seconds = write_clip(tmp_path / "in.mkv", 2, fps=5, begins_s=10), 2.0
    else:
        once = write_clip(tmp_path / "once.ts", 1 if name == "put together" else 4, fps=5).read_bytes()
        film.write_bytes(once * 2 if name == "put together" else once[len(once) // 188 // 2 * 188 :])
    answer = call("--video", film, "--class", "goldfish", "--iterations", "1", "-o", tmp_path / "out.mp4")
    assert answer.exit_code == 0, answer.output
    assert "ended after" not in answer.stderr
    if name != "cut at its beginning":
        with av.open(str(tmp_path / "out.mp4")) as made:
            video = made.streams.video[0]
            assert float(video.duration * video.time_base) == pytest.approx(seconds, abs=0.02)


def test_sound_that_cannot_be_decoded_makes_a_silent_film_and_one_line(tmp_path: Path) -> None:
    film = renamed(film_of_tones(tmp_path / "in.mp4", [440], seconds=0.4), "apac")
    answer = call("--video", film, "--class", "goldfish", "--iterations", "1", "-o", tmp_path / "out.mp4")
    assert answer.exit_code == 0, answer.output
    assert answer.stderr.count(f"'{film}': its sound, apac, cannot be decoded here: the film becomes silent\n") == 1
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert [stream.type for stream in container.streams] == ["video"]
        assert len(list(container.decode(video=0))) == 4


def test_good_sound_beside_it_is_kept(tmp_path: Path) -> None:
    film = renamed(film_of_tones(tmp_path / "in.mp4", [440, 880]), "apac")
    assert tone(dream(film, tmp_path / "out.mp4")) == pytest.approx(880, abs=3)


def test_sound_that_mp4_does_not_take_is_encoded(tmp_path: Path) -> None:
    made = dream(clicking(tmp_path / "in.mkv", "libmp3lame", seconds=1.6, rate=11025), tmp_path / "out.mp4")
    assert heard(made)[0] == "aac"
    assert clicks(heard(made)[1]) == pytest.approx([0.5, 1.0], abs=0.02)


def test_pictures_that_cannot_be_decoded_are_one_line(tmp_path: Path) -> None:
    film = unseen(film_of_tones(tmp_path / "in.mp4", [440]))
    answer = call("--video", film, "--class", "goldfish", "-o", tmp_path / "out.mp4")
    assert (answer.exit_code, answer.stdout) == (2, "")
    told = f"zoomdream: the film '{film}' holds pictures in a format that cannot be decoded: xyz1"
    assert answer.stderr.splitlines()[-1] == told


@pytest.mark.parametrize("name", ["out.mp4", "out.gif", "out.png", "out.jpg", "out"])
def test_an_unwritable_output_is_reported_before_anything_is_rendered(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = clicking(tmp_path / "in.mp4", "aac", seconds=0.4)
    monkeypatch.setattr(render_film, "FilmDream", lambda config: pytest.fail("it dreams"))
    with full_disk():
        answer = call("--video", source, "--class", "goldfish", "-o", tmp_path / name)
    assert answer.exit_code == 1, answer.output
    assert answer.stderr.splitlines()[-1] == f"zoomdream: cannot write '{tmp_path / name}': File too large"
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--video", "none.mp4", "--class", "goldfish"], "there is no film 'none.mp4'"),
        (["--video", "empty.mp4", "--class", "goldfish"], "the film 'empty.mp4' is empty"),
        (["--video", "text.mp4", "--class", "goldfish"], "the film 'text.mp4' cannot be read: "),
        (["--video", "in.mp4"], "say what to dream: "),
        (["--video", "in.mp4", "--class", "goldfish", "-o", "in.mp4"], "'in.mp4' would be replaced by its own dream"),
        (["--video", "in.mp4", "--class", "goldfish", "-o", "out.xyz"], "'out.xyz': cannot write '.xyz'; use .mp4"),
        (["--video", "in.mp4", "--class", "goldfish", "--octaves", "2"], "--octaves goes with a picture, not with a film"),
        (
            ["--video", "in.mp4", "--class", "goldfish", "--fps", "9"],
            "--fps goes with a script or a picture or a journal",
        ),
        (["--video", "in.mp4", "--class", "goldfish", "--image", "a.jpg"], "a film takes --class, --layer or --guide, and no"),
        (["--video", "in.mp4", "--class", "goldfish", "--size", "8x0"], "--size is 8x0; there is nothing to dream on in"),
        (
            ["--video", "in.mp4", "--class", "goldfish", "--set", "dream.algorithm=ink"],
            "'dream.algorithm: ink' cannot dream on",
        ),
        (["--video", "in.mp4", "--class", "goldfish", "--size", "9000x9000"], "--size is 9000x9000; films are rendered up to"),
    ],
)
def test_a_wrong_call_ends_with_2_and_one_line(
    words: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    clicking(tmp_path / "in.mp4", None, seconds=0.3)
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("no film, but a text of some length")
    before = sorted(tmp_path.iterdir())
    answer = call("-o", "out.mp4", *words)
    assert (answer.exit_code, answer.stdout) == (2, ""), answer.output
    assert answer.stderr.splitlines()[-1].startswith(f"zoomdream: {says}"), answer.stderr
    assert sorted(tmp_path.iterdir()) == before, "nothing half-made is left"


PLAIN = ("--set", "source.mix=0", "--set", "canvas.width=64", "--set", "video.flash_limiter=false")
"""Settings that leave the film visible as it is."""


def test_colours_leave_as_they_came(tmp_path: Path) -> None:
    source = write(tmp_path / "in.mkv", patches(), "yuv444p", (0.299, 0.114))
    images, _ = pictures(dream(source, tmp_path / "out.mp4", *PLAIN))
    assert seen(images[-1]) == pytest.approx(np.array(QUAD), abs=4)


def test_hdr_is_tone_mapped_to_sdr_and_reported_in_one_line(tmp_path: Path) -> None:
    tags = {"colorspace": 9, "color_range": 1, "color_primaries": 9, "color_trc": HLG}
    values = hlg(linear(patches()) @ BT2020_FROM_BT709.T * 203)
    source = write(tmp_path / "in.mkv", values, "yuv420p10le", BT2020, tags=tags)
    answer = call("--video", source, "--class", "goldfish", "--iterations", "1", "-o", tmp_path / "out.mp4", *PLAIN)
    assert answer.exit_code == 0, answer.output
    assert answer.output.count("HDR") == 1
    assert f"'{source}': it is HDR (HLG), tone-mapped to SDR" in answer.output
    assert seen(pictures(tmp_path / "out.mp4")[0][-1]) == pytest.approx(np.array(QUAD), abs=12)
