"""The coding that is chosen for each kind of link, as measured on a simulated link."""

import pytest

from streamer.dream.worker.remote.link_coding import (
    BETTER_S,
    MOST_WINDOW,
    QUALITIES,
    SHARE,
    CodingChooser,
    KeyframeDemand,
    Throughput,
    measured,
    pictures_in_flight,
)
from streamer.dream.worker.remote.picture_coding import Coding
from tests.fakes import HandClock

GIGABIT, HUNDRED, TWENTY = 125e6, 12.5e6, 2.5e6
"""Links, in bytes per second."""
SMALL, HD = KeyframeDemand(512 * 288, 25.0), KeyframeDemand(1280 * 720, 25.0)


def chosen(wanted, bytes_per_s, trip_s=0.002, asked="auto"):
    return CodingChooser(asked, HandClock(0.0))(wanted, bytes_per_s, trip_s)


def test_a_link_with_room_loses_nothing():
    assert chosen(SMALL, GIGABIT) == Coding("none")
    assert chosen(SMALL, GIGABIT, trip_s=0.08).kind == "jpeg", "far away, lag counts for more"


@pytest.mark.parametrize("wanted", [SMALL, HD, KeyframeDemand(2 * 960 * 540, 25.0), KeyframeDemand(3840 * 2160, 8.0)])
@pytest.mark.parametrize("bytes_per_s", [GIGABIT, HUNDRED, TWENTY])
@pytest.mark.parametrize("trip_s", [0.002, 0.02, 0.08])
def test_what_is_chosen_fits_the_link(wanted, bytes_per_s, trip_s):
    coding = chosen(wanted, bytes_per_s, trip_s)
    sizes = {"none": 3.0 * wanted.pixels, "jpeg": QUALITIES.get(coding.quality, 0) * wanted.pixels}
    sizes["h264"] = coding.bits_per_s / 8 / wanted.per_s
    assert sizes[coding.kind] * wanted.per_s <= SHARE * bytes_per_s * 1.001


def test_a_narrow_link_has_only_what_changed():
    assert chosen(HD, TWENTY).kind == "h264"
    assert chosen(HD, TWENTY).bits_per_s == pytest.approx(SHARE * 20e6)


def test_what_the_settings_say_is_done():
    assert chosen(HD, TWENTY, asked="none") == Coding("none")
    assert chosen(HD, TWENTY, asked="jpeg") == Coding("jpeg", min(QUALITIES))
    assert chosen(SMALL, GIGABIT, asked="h264").kind == "h264"


def test_dreams_that_take_more_room_than_usual_are_coded_more():
    choice = CodingChooser("jpeg", HandClock(0.0))
    link = 1.1 * QUALITIES[95] * SMALL.pixels * SMALL.per_s / SHARE
    assert choice(SMALL, link, 0.002).quality == 95
    for _ in range(60):
        choice.sent(Coding("jpeg", 95), round(1.5 * QUALITIES[95] * SMALL.pixels), SMALL.pixels)
    assert choice(SMALL, link, 0.002).quality == 90
    assert choice.keyframe_bytes == round(1.5 * QUALITIES[95] * SMALL.pixels)


def test_worse_is_taken_at_once_and_better_after_a_while():
    clock = HandClock(0.0)
    choice = CodingChooser("auto", clock)
    assert choice(SMALL, GIGABIT, 0.002).kind == "none"
    assert choice(SMALL, TWENTY, 0.002).kind == "jpeg"
    assert choice(SMALL, GIGABIT, 0.002).kind == "jpeg"
    clock.advance(BETTER_S - 0.1)
    assert choice(SMALL, GIGABIT, 0.002).kind == "jpeg"
    choice(SMALL, TWENTY, 0.002)  # a moment without room restarts the wait
    clock.advance(0.2)
    assert choice(SMALL, GIGABIT, 0.002).kind == "jpeg"
    clock.advance(BETTER_S)
    assert choice(SMALL, GIGABIT, 0.002).kind == "none"


def test_a_video_keeps_its_rate_while_about_right_and_restarts_after_a_loss():
    choice = CodingChooser("h264", HandClock(0.0))
    first = choice(HD, TWENTY, 0.02)
    assert choice(HD, 1.1 * TWENTY, 0.02) == first
    assert choice(HD, 2 * TWENTY, 0.02).bits_per_s == 2 * first.bits_per_s
    before = choice(HD, 2 * TWENTY, 0.02)
    choice.renew()
    assert choice(HD, 2 * TWENTY, 0.02) != before


class Wire:
    """Sends pieces one after another over a link of a given throughput and round trip."""

    def __init__(self, bytes_per_s, trip_s):
        self.bytes_per_s, self.trip_s, self.free_s = bytes_per_s, trip_s, 0.0

    def send(self, count, at_s):
        self.free_s = max(at_s, self.free_s) + count / self.bytes_per_s
        return self.free_s + self.trip_s / 2 + 0.002


@pytest.mark.parametrize("bytes_per_s", [HUNDRED, TWENTY, 0.3 * TWENTY])
@pytest.mark.parametrize("trip_s", [0.002, 0.08])
def test_what_a_link_carries_is_found(bytes_per_s, trip_s):
    line, wire = Throughput(1e6, lambda: trip_s), Wire(bytes_per_s, trip_s)
    for number in range(100):
        line.carried(40_000, number * 0.04, wire.send(40_000, number * 0.04))
    assert line.bytes_per_s == pytest.approx(bytes_per_s, rel=0.05)


def test_small_pieces_tell_nothing_of_a_wide_link():
    line, wire = Throughput(GIGABIT, lambda: 0.002), Wire(GIGABIT, 0.002)
    for number in range(100):
        line.carried(2000, number * 0.04, wire.send(2000, number * 0.04))
    assert line.bytes_per_s == GIGABIT


def test_a_link_that_gets_wider_is_noticed():
    line, choice, clock = Throughput(0.2e6, lambda: 0.02), CodingChooser("auto", HandClock(0.0)), 0.0
    wire, per_s = Wire(HUNDRED, 0.02), SMALL.per_s
    for _ in range(1000):
        coding = choice(SMALL, line.bytes_per_s, 0.02)
        size = coding.bits_per_s / 8 / per_s if coding.kind == "h264" else QUALITIES[coding.quality] * SMALL.pixels
        clock += 1 / per_s
        line.carried(round(size), clock, wire.send(size, clock))
        choice._clock.advance(1 / per_s)
    assert coding.kind == "jpeg"
    assert coding.quality >= 90


def test_a_probe_counts_without_its_way():
    assert measured(500_000, 0.28, 0.08) == pytest.approx(2.5e6)
    assert measured(500_000, 0.02, 0.08) > GIGABIT, "nothing takes no time"


@pytest.mark.parametrize("trip_s", [0.002, 0.02, 0.08])
@pytest.mark.parametrize(("size", "bytes_per_s"), [(442_368, GIGABIT), (60_000, HUNDRED), (70_000, TWENTY)])
def test_the_window_fills_the_link(size, bytes_per_s, trip_s):
    """As many keyframes per second arrive as the link carries; none waits for the answer to the previous one."""
    under_way = pictures_in_flight(size, 25.0, bytes_per_s, trip_s)
    round_s = trip_s + size / bytes_per_s
    assert under_way / round_s >= min(25.0, SHARE * bytes_per_s / size)
    assert 2 <= under_way <= MOST_WINDOW


def test_pictures_that_come_at_once_have_shared_their_time():
    """If calls wait for another one, three of each four pictures seem to take no time."""
    line = Throughput(GIGABIT, lambda: 0.02)
    for number in range(200):
        came_s = number * 0.16 + 0.012 + 4 * 40_000 / TWENTY
        for _ in range(4):
            line.carried(40_000, number * 0.16, came_s)
    assert line.bytes_per_s == pytest.approx(TWENTY, rel=0.1)


def test_a_busy_processor_is_no_narrow_link():
    """Every third keyframe waits 40 ms for the CPU."""
    line, wire = Throughput(1e6, lambda: 0.02), Wire(HUNDRED, 0.02)
    for number in range(200):
        came_s = wire.send(60_000, number * 0.06)
        line.carried(60_000, number * 0.06, came_s + (0.04 if number % 3 == 0 else 0.0))
    assert line.bytes_per_s == pytest.approx(HUNDRED, rel=0.1)
