from __future__ import annotations

import av
import numpy as np
import pytest

from streamer.config import VideoConfig
from streamer.video.encoding import encoder_selection
from streamer.video.encoding.encoder_selection import EncoderChoice, choose_encoder, measure, noisy_pictures, reason
from streamer.video.encoding.shared_encoder import EncoderError
from streamer.video.encoding.spec import EncodeSpec
from tests.fakes import HandClock

CPU = VideoConfig(width=160, height=96, fps=10, encoder="libx264")


def machine(monkeypatch: pytest.MonkeyPatch, **frame_s: float) -> list[str]:
    """Fake a machine with these encode times per preset. The returned list records which presets are measured."""
    measured = []

    def take(spec: EncodeSpec, *_: object) -> float:
        measured.append(spec.preset)
        return frame_s[spec.preset]

    monkeypatch.setattr(encoder_selection, "measure", take)
    return measured


@pytest.mark.parametrize(
    ("veryfast", "superfast", "preset", "told"),
    [
        (0.05, 0.03, "veryfast", "veryfast takes 25% of the 2 CPUs"),
        (0.052, 0.05, "superfast", "veryfast takes 26%, superfast takes 25% of the 2 CPUs"),
        (0.5, 0.4, "ultrafast", "veryfast takes 250%, superfast takes 200% of the 2 CPUs"),
    ],
)
def test_the_slowest_preset_that_leaves_the_dream_its_share(
    monkeypatch: pytest.MonkeyPatch, veryfast: float, superfast: float, preset: str, told: str
) -> None:
    machine(monkeypatch, veryfast=veryfast, superfast=superfast)
    chosen = choose_encoder(CPU, cpus=2)
    assert (chosen.encoder, chosen.preset) == ("libx264", preset)
    assert chosen.reason == f"{told} for 160x96 at 10 a second; the limit is 25%"


def test_nothing_is_measured_once_one_fits_or_where_the_settings_say(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = machine(monkeypatch, veryfast=0.01)
    choose_encoder(CPU, cpus=2)
    assert measured == ["veryfast"]
    chosen = choose_encoder(CPU.model_copy(update={"preset": "medium"}))
    assert chosen == EncoderChoice("libx264", "medium", "set by 'video.preset'")
    assert measured == ["veryfast"]


def test_the_gpu_is_taken_where_it_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder_selection, "try_gpu", lambda video: None)
    assert choose_encoder(VideoConfig()).encoder == "h264_nvenc"


def test_a_gpu_that_does_not_encode_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(video: VideoConfig) -> None:
        raise EncoderError("OpenEncodeSessionEx failed: out of memory")

    monkeypatch.setattr(encoder_selection, "try_gpu", busy)
    machine(monkeypatch, veryfast=0.001)
    chosen = choose_encoder(VideoConfig(), cpus=4)
    assert chosen.reason.endswith("; no h264_nvenc: OpenEncodeSessionEx failed: out of memory")
    assert chosen.no_gpu == ""


def test_that_there_is_no_driver_is_no_part_of_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(video: VideoConfig) -> None:
        raise av.error.PermissionError(
            1, "Operation not permitted", "avcodec_open2", (16, "h264_nvenc", "Cannot load libcuda\n")
        )

    monkeypatch.setattr(encoder_selection, "try_gpu", none)
    machine(monkeypatch, veryfast=0.001)
    chosen = choose_encoder(VideoConfig(), cpus=4)
    assert chosen.encoder == "libx264"
    assert chosen.reason.endswith("the limit is 25%")
    assert chosen.no_gpu == "Cannot load libcuda"
    with pytest.raises(EncoderError, match=r"h264_nvenc does not work here: Cannot load libcuda; 'video\.encoder: auto' uses"):
        choose_encoder(VideoConfig(encoder="h264_nvenc"))


def test_trying_the_gpu_encodes_or_says_why_not() -> None:
    level = av.logging.get_level()
    said = "it works"
    try:
        encoder_selection.try_gpu(VideoConfig(width=320, height=180))
    except (av.FFmpegError, EncoderError) as error:
        said = reason(error)
    assert said
    assert "\n" not in said
    assert av.logging.get_level() == level


def test_measuring_ends_in_time_and_takes_the_median() -> None:
    cpu = HandClock(0.0)
    times = iter([9.0, 0.02, 0.02, 0.7, 0.02])

    def clock() -> float:
        clock.calls += 1
        if clock.calls % 2 == 0:
            cpu.advance(next(times))
        return cpu()

    clock.calls = 0
    spec = EncodeSpec(160, 96, 10, 400, 1.0)
    assert measure(spec, clock, HandClock(), frames=(3, 5)) == pytest.approx(0.02)
    wall = HandClock()

    def slow() -> float:
        wall.advance(1.0)
        return wall()

    assert measure(spec, slow, wall, seconds=0.5, frames=(3, 100)) == pytest.approx(1.0)
    assert wall() == 1000 + 2 * 3


def test_the_pictures_move_and_are_full_of_detail() -> None:
    pictures = noisy_pictures(160, 96)
    first, second = next(pictures), next(pictures)
    assert first.shape == (96, 160, 3)
    assert first.dtype == np.uint8
    assert 30 < first.std() < 80
    assert (first[2:, 3:] == second[:-2, :-3]).all()
    again = noisy_pictures(160, 96)
    assert (next(again) == first).all()
