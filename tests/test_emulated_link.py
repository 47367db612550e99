"""The emulated network of the acceptance scripts: what its line does with packets, and a real link where one can be set up."""

from __future__ import annotations

import random
import socket
import subprocess
import sys

import pytest

from tests.acceptance.forwarder import Condition, Line
from tests.acceptance.link import PORT, ROOT, Link, LinkError, far_side, missing, round_trips_ms
from tests.acceptance.stream import eventually

MBIT = 8.0
"""A rate at which a packet of 1000 bytes takes a millisecond, in Mbit/s."""
PACKET = bytes(1000)
LACKING = missing()


def line(**condition: float) -> Line:
    made = Line(random.Random(7))
    made.set(Condition(**condition))  # type: ignore[arg-type]
    return made


def sent(on: Line, packets: int, now_s: float = 0.0) -> None:
    for _ in range(packets):
        on.take(PACKET, now_s)


def arrived(on: Line, now_s: float) -> int:
    return len(list(on.due(now_s)))


def test_a_packet_takes_its_delay() -> None:
    one = line(delay_s=0.02)
    sent(one, 1)
    assert one.next_s == pytest.approx(0.02)
    assert [arrived(one, now_s) for now_s in (0.0199, 0.0201, 1.0)] == [0, 1, 0]
    assert one.next_s == float("inf")


def test_packets_leave_one_after_the_other_at_the_rate() -> None:
    one = line(rate_mbit=MBIT, delay_s=0.1)
    sent(one, 10)
    assert [arrived(one, 0.1 + 0.001 * ms + 0.0001) for ms in range(1, 11)] == [1] * 10
    sent(one, 1, 5.0)  # an idle line saves up no capacity
    assert one.next_s == pytest.approx(5.101)


def test_what_comes_to_a_full_queue_is_dropped() -> None:
    one = line(rate_mbit=MBIT, queue_s=0.0505)
    sent(one, 200)
    assert arrived(one, 10.0) == 51, "what fills the queue, and the one that is being sent"
    assert one.counts.dropped == 149


def test_lost_packets_take_their_time_too() -> None:
    one = line(rate_mbit=MBIT, loss=0.5, queue_s=10.0)
    sent(one, 1000)
    passed = arrived(one, 2.0)
    assert passed + one.counts.lost == 1000
    assert 440 < passed < 560
    sent(one, 1)
    assert one.counts.lost > 440
    assert one.next_s == float("inf") or one.next_s == pytest.approx(1.001)


def test_a_shorter_delay_overtakes_nothing() -> None:
    one = line(delay_s=1.0)
    one.take(b"first", 0.0)
    one.set(Condition(delay_s=0.1))
    one.take(b"second", 0.0)
    assert list(one.due(0.5)) == []
    assert list(one.due(1.0)) == [b"first", b"second"]


def test_a_cut_loses_what_is_under_way_and_what_comes() -> None:
    one = line(rate_mbit=MBIT, delay_s=1.0)
    sent(one, 5)
    one.set(Condition(rate_mbit=MBIT, delay_s=1.0, cut=True))
    sent(one, 5, 0.5)
    assert (arrived(one, 10.0), one.counts.cut) == (0, 10)
    one.set(Condition(rate_mbit=MBIT, delay_s=1.0))
    sent(one, 1, 10.0)
    assert arrived(one, 11.1) == 1


def devices() -> set[str]:
    return {device for _, device in socket.if_nameindex()}


@pytest.mark.skipif(bool(LACKING), reason=LACKING)
def test_a_real_link_carries_and_is_cut_and_mended() -> None:
    before = devices()
    with Link(Condition(delay_s=0.005)) as link:
        assert link.device not in before
        assert link.device in devices()
        with far_side(link):
            trips = round_trips_ms(link.far, 5)
            assert len(trips) == 5
            assert min(trips) > 10.0
            link.cut()
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
                datagrams.sendto(b"lost", (link.far, PORT))
                assert eventually(lambda: link.told().there.cut, 20.0)
            link.mend()
            assert round_trips_ms(link.far, 5)
    assert link.device not in devices()
    with pytest.raises(LinkError, match="has ended"):
        link.cut()


@pytest.mark.skipif(bool(LACKING), reason=LACKING)
def test_a_link_ends_with_the_process_that_made_it() -> None:
    code = (
        "import os, signal; from tests.acceptance.link import Link; link = Link(); print(link.device, flush=True); "
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.startswith("zdlink"), done.stderr
    assert eventually(lambda: done.stdout.strip() not in devices(), 20.0)


@pytest.mark.skipif(bool(LACKING), reason=LACKING)
def test_a_link_with_a_bad_mtu_is_refused() -> None:
    with pytest.raises(LinkError, match=r"no link could be made: ip link set .* mtu"):
        Link(mtu=1)
