"""Passes packets between two TUN devices, one here and one in a network namespace of its own, as a slow link would.

A process of its own, started by ``tests.acceptance.link``. It makes both devices and the namespace. No file on a disk keeps
either: the devices are gone with this process, however it ends, and the namespace with the last process in it.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import gc
import os
import random
import select
import struct
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

NEAR, FAR = "198.19.{}.1", "198.19.{}.2"
"""The addresses of both ends; the range is kept for measurements of networks (RFC 2544), the number is the device's."""
NAME = "zdlink%d"
"""What the devices are called; the kernel puts in the first number that is free."""
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
CLONE_NEWNET = 0x40000000
BATCH = 64
"""Packets read from a device before those that are due are written."""
NICE = -15
"""A cable takes nobody's CPU: where the machine is busy, packets go before what is busy."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What a link does to packets, the same each way."""

    rate_mbit: float | None = None
    """Million bits a second; None: as many as can be passed on."""
    delay_s: float = 0.0
    """How long each packet travels: half of what is added to a round trip."""
    loss: float = 0.0
    """Share of the packets that get lost, 0 to 1."""
    queue_s: float = 0.1
    """Length of the queue before the line, in seconds that the line takes to send it; what comes when it is full is dropped."""
    cut: bool = False
    """Nothing gets through, and what is under way is lost."""


@dataclass(slots=True)
class Counts:
    """Packets of one direction since the link is there."""

    passed: int = 0
    passed_bytes: int = 0
    lost: int = 0
    """By chance, as set."""
    dropped: int = 0
    """The queue was full."""
    cut: int = 0


@dataclass(frozen=True, slots=True)
class Told:
    """The forwarder's answer to a condition or to a question."""

    there: Counts
    """From here to the far side."""
    back: Counts
    cpu_s: float
    """Processor time of the forwarder."""


@dataclass(frozen=True, slots=True)
class Made:
    """The forwarder's first word: both ends are up."""

    device: str
    near: str
    """IPv4 address of this side."""
    far: str


@dataclass(slots=True)
class Line:
    """One direction of a link: takes packets and gives each out when it is due, in the order in which they came."""

    chance: random.Random
    condition: Condition = field(default_factory=Condition)
    counts: Counts = field(default_factory=Counts)
    _under_way: deque[tuple[float, bytes]] = field(default_factory=deque)
    _free_s: float = 0.0
    """When the line has sent all that it took."""

    def set(self, condition: Condition) -> None:
        """From now on; what is under way stays as it is, unless the link is cut."""
        self.condition = condition
        if condition.cut:
            self.counts.cut += len(self._under_way)
            self._under_way.clear()
            self._free_s = 0.0

    def take(self, packet: bytes, now_s: float) -> None:
        """Take a packet that is sent now, or drop it."""
        condition = self.condition
        if condition.cut:
            self.counts.cut += 1
            return
        begins_s = max(now_s, self._free_s)
        if condition.rate_mbit is not None:
            if begins_s - now_s > condition.queue_s:
                self.counts.dropped += 1
                return
            begins_s += 8e-6 * len(packet) / condition.rate_mbit
        self._free_s = begins_s
        if condition.loss and self.chance.random() < condition.loss:
            self.counts.lost += 1  # it took its time on the line all the same
            return
        due_s = begins_s + condition.delay_s
        if self._under_way:
            due_s = max(due_s, self._under_way[-1][0])  # a shorter delay overtakes nothing
        self._under_way.append((due_s, packet))

    def due(self, now_s: float) -> Iterator[bytes]:
        """Packets that have arrived by now."""
        while self._under_way and self._under_way[0][0] <= now_s:
            packet = self._under_way.popleft()[1]
            self.counts.passed += 1
            self.counts.passed_bytes += len(packet)
            yield packet

    @property
    def next_s(self) -> float:
        """When the next packet arrives; infinity if none is under way."""
        return self._under_way[0][0] if self._under_way else float("inf")


def open_device(name: str) -> tuple[int, str]:
    """A new TUN device in this process' namespace, for whole packets; its file and its name."""
    file = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    answer = fcntl.ioctl(file, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return file, answer[:16].rstrip(b"\0").decode()


def leave_network() -> None:
    """Move this process into a network namespace of its own."""
    library = ctypes.CDLL(None, use_errno=True)
    if library.unshare(CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), "unshare")


def _bring_up(device: str, address: str, other: str, mtu: int, congestion: str) -> None:
    _ip("link", "set", "dev", device, "mtu", str(mtu), "txqueuelen", "2000", "addrgenmode", "none", "up")
    _ip("address", "add", address, "peer", other, "dev", device, "noprefixroute")
    _ip("route", "add", other, "dev", device, "src", address, *(["congctl", congestion] if congestion else []))


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True, timeout=10)


def make(mtu: int, congestion: str) -> tuple[int, int, Made]:
    """Both devices, the far one in the namespace in which this process is from now on."""
    near_file, device = open_device(NAME)
    number = device.removeprefix(NAME.removesuffix("%d"))
    made = Made(device, NEAR.format(number), FAR.format(number))
    _bring_up(device, made.near, made.far, mtu, congestion)
    leave_network()
    far_file, _ = open_device(device)
    _ip("link", "set", "dev", "lo", "up")
    _bring_up(device, made.far, made.near, mtu, congestion)
    return near_file, far_file, made


def forward(near: int, far: int, control: Connection) -> None:
    """Pass packets on until nobody listens at the other end of ``control``."""
    there, back = Line(random.Random(1)), Line(random.Random(2))
    ways = ((there, near, far), (back, far, near))
    files = (near, far, control.fileno())
    while True:
        now_s = time.monotonic()
        for line, _, sink in ways:
            for packet in line.due(now_s):
                with contextlib.suppress(OSError):  # the device refuses what is no packet
                    os.write(sink, packet)
        until_s = min(there.next_s, back.next_s)
        wait_s = None if until_s == float("inf") else max(0.0, until_s - time.monotonic())
        ready, _, _ = select.select(files, (), (), wait_s)
        for line, source, _ in ways:
            if source in ready:
                _take(line, source)
        if files[-1] in ready:
            condition = control.recv()
            for line in (there, back):
                if condition is not None:
                    line.set(condition)
            control.send(Told(there.counts, back.counts, time.process_time()))


def _take(line: Line, source: int) -> None:
    with contextlib.suppress(BlockingIOError):
        for _ in range(BATCH):
            line.take(os.read(source, 65536), time.monotonic())


def main(file: int, mtu: int, congestion: str) -> None:
    """Make a link and be it; ``file`` is one end of a connection."""
    control = Connection(file)
    try:
        near, far, made = make(mtu, congestion)
    except subprocess.CalledProcessError as error:
        control.send(f"{' '.join(error.cmd)}: {error.stderr.strip()}")
        return
    except (OSError, subprocess.TimeoutExpired) as error:
        control.send(str(error))
        return
    with contextlib.suppress(OSError):
        os.nice(NICE)
    gc.collect()
    gc.freeze()
    control.send(made)
    with contextlib.suppress(EOFError, ConnectionError):
        forward(near, far, control)


if __name__ == "__main__":
    from tests.acceptance import forwarder  # types are to be those of the module, for whoever reads them at the other end

    forwarder.main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
