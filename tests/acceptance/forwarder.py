"""Pass packets between two TUN devices, one here and one in its own network namespace, as a slow link would.

``tests.acceptance.link`` starts it as a process of its own. It creates both devices and the namespace. Neither is kept by a
file: the devices disappear with this process, however it ends, and the namespace with its last process.
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
"""Addresses of both ends, with the device's number; the range is reserved for network benchmarks (RFC 2544)."""
NAME = "zdlink%d"
"""Name of the devices; the kernel fills in the first free number."""
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
CLONE_NEWNET = 0x40000000
BATCH = 64
"""Packets read from a device before the due ones are written."""
NICE = -15
"""Niceness: a real cable needs no CPU, so packets go before other work on a busy machine."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What a link does to packets, the same each way."""

    rate_mbit: float | None = None
    """Millions of bits a second; None: no limit."""
    delay_s: float = 0.0
    """Travel time of each packet, in seconds: half of the added round trip."""
    loss: float = 0.0
    """Share of lost packets, 0 to 1."""
    queue_s: float = 0.1
    """Length of the queue before the line, in seconds of sending time; a full queue drops new packets."""
    cut: bool = False
    """Whether nothing gets through; packets under way are lost."""


@dataclass(slots=True)
class Counts:
    """Packets of one direction since the link was made."""

    passed: int = 0
    passed_bytes: int = 0
    lost: int = 0
    """Packets lost by chance, at the rate set."""
    dropped: int = 0
    """Packets dropped because the queue was full."""
    cut: int = 0


@dataclass(frozen=True, slots=True)
class Told:
    """Answer of the forwarder to a condition or a query."""

    there: Counts
    """Packets from here to the far side."""
    back: Counts
    cpu_s: float
    """CPU seconds of the forwarder."""


@dataclass(frozen=True, slots=True)
class Made:
    """First message of the forwarder: both ends are up."""

    device: str
    near: str
    """IPv4 address of this side."""
    far: str


@dataclass(slots=True)
class Line:
    """One direction of a link: takes packets and returns each when it is due, in order of arrival."""

    chance: random.Random
    condition: Condition = field(default_factory=Condition)
    counts: Counts = field(default_factory=Counts)
    _under_way: deque[tuple[float, bytes]] = field(default_factory=deque)
    _free_s: float = 0.0
    """Time at which the line has sent all packets it took."""

    def set(self, condition: Condition) -> None:
        """Set the condition from now on; packets under way keep theirs, unless the link is cut."""
        self.condition = condition
        if condition.cut:
            self.counts.cut += len(self._under_way)
            self._under_way.clear()
            self._free_s = 0.0

    def take(self, packet: bytes, now_s: float) -> None:
        """Queue a packet sent now, or drop it."""
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
            self.counts.lost += 1  # a lost packet still occupies the line
            return
        due_s = begins_s + condition.delay_s
        if self._under_way:
            due_s = max(due_s, self._under_way[-1][0])  # a shorter delay overtakes nothing
        self._under_way.append((due_s, packet))

    def due(self, now_s: float) -> Iterator[bytes]:
        """Yield the packets that have arrived by now."""
        while self._under_way and self._under_way[0][0] <= now_s:
            packet = self._under_way.popleft()[1]
            self.counts.passed += 1
            self.counts.passed_bytes += len(packet)
            yield packet

    @property
    def next_s(self) -> float:
        """Time at which the next packet arrives; infinity if none is under way."""
        return self._under_way[0][0] if self._under_way else float("inf")


def open_device(name: str) -> tuple[int, str]:
    """Open a new TUN device in this process's namespace, for packets without a header; return its file and name."""
    file = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    answer = fcntl.ioctl(file, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return file, answer[:16].rstrip(b"\0").decode()


def leave_network() -> None:
    """Move this process into a new network namespace."""
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
    """Create both devices, the far one in a new namespace, which this process enters."""
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
    """Pass packets on until the other end of ``control`` is closed."""
    there, back = Line(random.Random(1)), Line(random.Random(2))
    ways = ((there, near, far), (back, far, near))
    files = (near, far, control.fileno())
    while True:
        now_s = time.monotonic()
        for line, _, sink in ways:
            for packet in line.due(now_s):
                with contextlib.suppress(OSError):  # the device refuses invalid packets
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
    """Create a link and run it; ``file`` is the descriptor of one end of a connection."""
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
    from tests.acceptance import forwarder  # the other end unpickles the types by this module's name

    forwarder.main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
