"""How the picture reacts to beats and loudness, frame by frame."""

from __future__ import annotations

import itertools
import math

import pytest

from streamer.config_react import ReactConfig
from streamer.pulse import RISE_S, Pulse
from streamer.video.sound.reaction import BREAK_S, LEVEL_S, NO_ADJUSTMENT, DreamAdjustment, Reaction
from streamer.video.sound.sound_analysis import Beat

FPS = 25
NOW_S = 5000.0
"""Time on the clock when the stream begins."""


class HandSound:
    """A sound whose beats and loudness are set by a test."""

    def __init__(self, *beats: tuple[float, float]) -> None:
        self.given = [Beat(at, strength) for at, strength in beats]
        self.loud = 0.0
        self.apart_s = 0.0

    def beats(self, from_s: float, until_s: float, apart_s: float) -> list[Beat]:
        self.apart_s = apart_s
        return [beat for beat in self.given if from_s <= beat.at < until_s]

    def loudness(self, at_s: float) -> float:
        return self.loud


def reacting(sound: HandSound, **settings: float) -> Reaction:
    return Reaction(ReactConfig(enabled=True, **settings), sound)


def run(reaction: Reaction, seconds: float, start_s: float = 0.0) -> tuple[list[float], list[Pulse]]:
    """Return the extra zoom of each frame in octaves, and all pulses."""
    course, pulses = [], []
    for number in range(round(start_s * FPS), round((start_s + seconds) * FPS)):
        at_s = (number + 0.5) / FPS
        extra_octaves, fresh = reaction.frame(at_s, NOW_S + at_s)
        course.append(extra_octaves)
        pulses += fresh
    return course, pulses


def test_a_beat_is_seen_in_the_frame_in_which_it_is_heard():
    beats = [0.5, 1.013, 1.52, 2.2]
    course, pulses = run(reacting(HandSound(*((at, 1.0) for at in beats)), zoom=0.1), 3.0)
    assert [pulse.at_s - NOW_S for pulse in pulses] == pytest.approx(beats)
    assert {pulse.octaves for pulse in pulses} == {math.log2(1.1)}
    for at_s in beats:
        frame = int(at_s * FPS)
        assert max(course[frame - 3 : frame + 4]) == max(course[frame], course[frame + 1])
        assert course[frame] > 0.75 * math.log2(1.1)


def test_weaker_beats_move_less_and_none_do_nothing():
    course, pulses = run(reacting(HandSound((1.0, 0.5), (2.0, 0.0)), zoom=0.1), 3.0)
    assert [pulse.octaves for pulse in pulses] == [0.5 * math.log2(1.1)]
    assert course[round(2.0 * FPS)] < 0.01
    course, pulses = run(reacting(HandSound()), 3.0)
    assert (pulses, set(course)) == ([], {0.0})


def test_each_beat_counts_once_though_frames_are_missing_and_old_ones_are_passed_over():
    sound = HandSound(*((0.1 * number, 1.0) for number in range(1, 60)))
    reaction = reacting(sound)
    for at_s in (0.02, 0.06, 0.34, 0.38, 0.42):
        reaction.frame(at_s, NOW_S + at_s)
    assert reaction.beats == 4
    reaction.frame(4.02, NOW_S + 4.02)  # no frames were drawn meanwhile
    assert reaction.beats == 4
    reaction.frame(4.06, NOW_S + 4.06)
    assert reaction.beats == 5


def test_an_offset_moves_all_of_it():
    for offset_s in (-0.5, 0.8):
        _, pulses = run(reacting(HandSound((1.0, 1.0)), offset_s=offset_s), 3.0)
        assert [pulse.at_s - NOW_S for pulse in pulses] == pytest.approx([1.0 + offset_s])


def test_off_it_does_nothing_and_can_be_switched():
    sound = HandSound(*((float(number), 1.0) for number in range(1, 9)))
    sound.loud = 1.0
    reaction = Reaction(ReactConfig(pace=1.0, step=1.0, bump_bars=1, beats_per_bar=1), sound)
    course, pulses = run(reaction, 2.5)
    assert (set(course), pulses) == ({0.0}, [])
    assert reaction.adjustment(0.0) == NO_ADJUSTMENT
    reaction.tune(ReactConfig(enabled=True, step=1.0))
    _, pulses = run(reaction, 2.0, 2.5)
    assert len(pulses) == 2
    assert reaction.adjustment(1.0) == DreamAdjustment(drive=2.0)
    reaction.tune(ReactConfig())
    assert run(reaction, 2.0, 4.5)[1] == []
    assert reaction.adjustment(2.0) == NO_ADJUSTMENT


def test_bars_bring_bumps_and_subjects_from_the_second_on():
    sound = HandSound(*((0.5 * number + 0.5, 1.0) for number in range(60)))
    reaction = reacting(sound, bump_bars=1, subject_bars=2, beats_per_bar=3, zoom=0.0)
    told = []
    for number in range(14 * FPS):
        at_s = (number + 0.5) / FPS
        assert reaction.frame(at_s, NOW_S + at_s) == (0.0, [])
        adjustment = reaction.adjustment(NOW_S + at_s)
        if adjustment.bumps or adjustment.subject:
            told.append((at_s, adjustment.bumps, adjustment.subject))
    assert [at_s for at_s, _, _ in told] == pytest.approx([2.0 + 1.5 * bar for bar in range(9)], abs=0.1)
    assert [(bumps, subject) for _, bumps, subject in told] == [(1, bar % 2 == 1) for bar in range(9)]


def test_bars_are_counted_from_the_first_beat_after_a_break():
    first = [0.5, 1.0, 1.5]
    again = [at + BREAK_S + 2 for at in first]
    reaction = reacting(HandSound(*((at, 1.0) for at in first + again)), bump_bars=1, beats_per_bar=3)
    run(reaction, 8.0)
    assert reaction.adjustment(0.0).bumps == 0  # without the break, the fourth beat would begin a bar


def test_loudness_comes_in_a_few_levels_and_not_often():
    sound = HandSound()
    reaction = reacting(sound, step=1.0, pace=0.5)
    told = []
    for number in range(4 * FPS):
        sound.loud = number / (4 * FPS)
        reaction.frame(number / FPS, NOW_S + number / FPS)
        adjustment = reaction.adjustment(NOW_S + number / FPS)
        if not told or told[-1][1] != adjustment:
            told.append((number / FPS, adjustment))
    assert [adjustment for _, adjustment in told] == [
        DreamAdjustment(1 + 0.5 * share, 1 + share) for share in (0, 0.25, 0.5, 0.75, 1)
    ]
    assert all(b[0] - a[0] >= LEVEL_S for a, b in itertools.pairwise(told[1:]))


def test_beats_are_asked_for_a_little_ahead_and_as_far_apart_as_set():
    sound = HandSound((1.0, 1.0))
    reaction = reacting(sound, apart_s=0.4)
    reaction.frame(1.0 - RISE_S - 0.02, NOW_S)
    assert reaction.frame(1.0 - RISE_S + 0.02, NOW_S + 0.04)[1] == [
        Pulse(pytest.approx(NOW_S + RISE_S + 0.02), math.log2(1.04))
    ]
    assert sound.apart_s == 0.4
