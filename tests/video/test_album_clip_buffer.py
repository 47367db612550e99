"""Cutting clips from encoded pictures."""

from __future__ import annotations

import gc
from dataclasses import replace

import pytest

from streamer.video.album import clip_buffer as module
from streamer.video.album.clip_buffer import ClipBuffer, ClipBuffers
from tests.video.studio import FPS, SPEC, encode


def numbers(cut: module.Cut | None) -> tuple[int, int]:
    assert cut is not None
    assert cut.pictures[0].key
    found = [round(media.pts * FPS / 90_000) for media in cut.pictures]
    assert found == list(range(found[0], found[-1] + 1))
    return found[0], found[-1]


def test_a_clip_begins_with_the_last_keyframe_that_makes_it_long_enough() -> None:
    clip_buffer = ClipBuffer(SPEC, 2.0)
    encode(clip_buffer, range(7, 60))
    cut = clip_buffer.cut(0, 55, 2.0)
    assert numbers(cut) == (27, 55)
    assert cut is not None
    assert cut.seconds == pytest.approx(2.9)
    assert (cut.info.width, cut.info.height, cut.info.fps) == (SPEC.width, SPEC.height, FPS)


def test_it_shows_nothing_from_before_and_nothing_from_after() -> None:
    clip_buffer = ClipBuffer(SPEC, 8.0)
    encode(clip_buffer, range(100))
    assert numbers(clip_buffer.cut(65, 95, 8.0)) == (70, 95)
    assert numbers(clip_buffer.cut(0, 95, 8.0)) == (10, 95)


def test_it_may_have_to_reach_a_frame() -> None:
    clip_buffer = ClipBuffer(SPEC, 8.0)
    encode(clip_buffer, range(50))
    assert numbers(clip_buffer.cut(0, 200, 8.0)) == (0, 49)
    assert numbers(clip_buffer.cut(0, 200, 8.0, 49)) == (0, 49)
    assert clip_buffer.cut(0, 200, 8.0, 50) is None


def test_what_is_too_short_is_no_clip() -> None:
    clip_buffer = ClipBuffer(SPEC, 8.0)
    assert clip_buffer.cut(0, 100, 8.0) is None
    encode(clip_buffer, range(30))
    assert clip_buffer.cut(21, 29, 8.0) is None
    assert clip_buffer.cut(100, 200, 8.0) is None
    assert numbers(clip_buffer.cut(15, 29, 8.0)) == (20, 29)


def test_a_gap_ends_it_and_so_does_another_encoder() -> None:
    clip_buffer = ClipBuffer(SPEC, 8.0)
    encode(clip_buffer, range(30))
    encode(clip_buffer, range(45, 75))
    assert numbers(clip_buffer.cut(0, 74, 8.0)) == (45, 74)
    encode(clip_buffer, range(75, 95), replace(SPEC, width=96))
    cut = clip_buffer.cut(0, 94, 8.0)
    assert numbers(cut) == (75, 94)
    assert cut is not None
    assert cut.info.width == 96


def test_the_oldest_pictures_go(monkeypatch: pytest.MonkeyPatch) -> None:
    clip_buffer = ClipBuffer(SPEC, 2.0)
    encode(clip_buffer, range(200))
    held = round((2.0 + SPEC.gop_s + module.SLACK_S) * FPS)
    assert numbers(clip_buffer.cut(0, 199, 100.0)) == (200 - held, 199)
    monkeypatch.setattr(module, "MOST_BYTES", 2000)
    encode(clip_buffer, range(200, 300))
    few = clip_buffer.cut(0, 299, 100.0)
    assert few is None or sum(len(media.data) for media in few.pictures) <= 2000


def test_the_encode_that_has_most_is_cut_the_pages_first() -> None:
    clip_buffers = ClipBuffers(4.0)
    page, output = clip_buffers.make(SPEC), clip_buffers.make(replace(SPEC, width=96))
    encode(output, range(50), replace(SPEC, width=96))
    encode(page, range(30, 50))
    first = clip_buffers.cut(0, 49)
    assert first is not None
    assert first.info.width == 96
    encode(page, range(50, 100))
    encode(output, range(50, 100), replace(SPEC, width=96))
    both = clip_buffers.cut(0, 99)
    assert both is not None
    assert both.info.width == SPEC.width
    del page, output
    gc.collect()
    assert clip_buffers.cut(0, 99) is None
