"""The figures that measured transfers give."""

from __future__ import annotations

import pytest

from streamer.link_probe import LEAST_BYTES, LONG_S, LONG_TRIPS, MOST_BYTES, rate_mbit


class Line:
    """A link with a fixed rate and a fixed round-trip time."""

    def __init__(self, bytes_per_s: float, round_trip_s: float) -> None:
        self.bytes_per_s, self.round_trip_s = bytes_per_s, round_trip_s
        self.sizes: list[int] = []

    def transfer(self, size: int) -> float:
        self.sizes.append(size)
        return self.round_trip_s + size / self.bytes_per_s


@pytest.mark.parametrize("mbit", [1.0, 20.0, 100.0])
@pytest.mark.parametrize("round_trip_s", [0.0, 0.02, 0.08])
def test_the_rate_of_a_slow_link(mbit: float, round_trip_s: float) -> None:
    line = Line(mbit * 1e6 / 8, round_trip_s)
    assert rate_mbit(line.transfer, round_trip_s) == pytest.approx(mbit)
    long_s = max(LONG_S, LONG_TRIPS * round_trip_s)
    assert sum(line.sizes) / line.bytes_per_s < 4 * long_s + 4 * LEAST_BYTES / line.bytes_per_s, "it is not kept busy for long"


def test_a_fast_link_is_measured_by_the_largest_transfer() -> None:
    line = Line(1e9, 0.0005)
    assert rate_mbit(line.transfer, 0.0005) == pytest.approx(8000)
    assert (line.sizes[:3], line.sizes[-1]) == ([LEAST_BYTES, 2 * LEAST_BYTES, 4 * LEAST_BYTES], MOST_BYTES)


def test_what_every_transfer_takes_besides_is_none_of_the_rate() -> None:
    line = Line(20e6 / 8, 0.3)
    assert rate_mbit(line.transfer, 0.08) == pytest.approx(20)


def test_transfers_that_take_all_the_same_tell_no_wonders() -> None:
    assert rate_mbit(lambda size: 0.05, 0.08) == pytest.approx(8e-6 * (MOST_BYTES - LEAST_BYTES) / 0.015)
