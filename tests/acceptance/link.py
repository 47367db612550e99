"""A network of two machines on one: a slow, lossy link to a network namespace, which you can cut and mend while it runs.

    with Link(Condition(rate_mbit=100, delay_s=0.010)) as link:
        subprocess.Popen([*link.inside, "ray", "start", f"--address={link.near}:6379", …])

Such a process has its own network, with the address ``link.far``, and reaches only ``link.near``, which is this machine.
The link needs Linux and the right to create networks, which root has. It leaves other devices alone, and nothing stays
behind, even after kill -9.

python -m tests.acceptance.link               compare what comes through with what is set
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.acceptance.figures import Figures, note, part
from tests.acceptance.forwarder import Condition, Made, Told

ROOT = Path(__file__).resolve().parents[2]
TUN = Path("/dev/net/tun")
CAPABILITIES = {"CAP_NET_ADMIN": 12, "CAP_SYS_ADMIN": 21}
MTU, LARGE_MTU, FAST_MBIT = 1500, 9000, 150.0
"""Usual and large packets in bytes, and the Mbit/s from which packets are large: the forwarder counts packets, not bytes."""
ANSWER_S = 10.0


class LinkError(Exception):
    """A link is impossible; the message says why."""


def missing() -> str:
    """Return why a link is impossible on this machine; empty if no reason is known."""
    if sys.platform != "linux":
        return "an emulated link needs Linux"
    for program in ("ip", "nsenter"):
        if shutil.which(program) is None:
            return f"an emulated link needs the program '{program}' (iproute2, util-linux)"
    if not TUN.exists():
        return f"an emulated link needs {TUN}: modprobe tun"
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("CapEff:"))
    held = int(line.split()[1], 16)
    lacking = [name for name, bit in CAPABILITIES.items() if not held >> bit & 1]
    return f"an emulated link needs {' and '.join(lacking)}: call it as root" if lacking else ""


class Link:
    """A link from here to a network namespace; its condition can change while it runs."""

    def __init__(self, condition: Condition | None = None, *, mtu: int | None = None, congestion: str = "") -> None:
        """Create the link and wait until both ends are up.

        Args:
            mtu: Largest packet, in bytes; chosen by the rate if not given.
            congestion: TCP's congestion control at both ends, such as ``cubic``; the machine's default if empty.

        Raises:
            LinkError: The machine cannot create links, or this process lacks the right.
        """
        if lacking := missing():
            raise LinkError(lacking)
        self.condition = condition or Condition()
        rate = self.condition.rate_mbit
        self.mtu = mtu or (LARGE_MTU if rate is None or rate > FAST_MBIT else MTU)
        ours, theirs = socket.socketpair()
        call = [sys.executable, "-m", "tests.acceptance.forwarder", str(theirs.fileno()), str(self.mtu), congestion]
        with theirs:
            self._process = subprocess.Popen(
                call, cwd=ROOT, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, start_new_session=True
            )
        self._control = Connection(ours.detach())
        self._lock = threading.Lock()
        try:
            made = self._answer()
            if not isinstance(made, Made):
                raise LinkError(f"no link could be made: {made}")
            self.device, self.near, self.far = made.device, made.near, made.far
            self.set(self.condition)
        except BaseException:
            self.close()
            raise

    @property
    def inside(self) -> tuple[str, ...]:
        """Command prefix that starts a program on the far side; it execs the program, so the process id stays the same."""
        return ("nsenter", f"--net=/proc/{self._process.pid}/ns/net", "--")

    def set(self, condition: Condition) -> None:
        """Set the condition of the link from now on."""
        self.condition = condition
        self._ask(condition)

    def cut(self) -> None:
        """Let nothing through, as a pulled plug does."""
        self.set(dataclasses.replace(self.condition, cut=True))

    def mend(self) -> None:
        """Let packets through again."""
        self.set(dataclasses.replace(self.condition, cut=False))

    def told(self) -> Told:
        """Return the counts of packets so far."""
        return self._ask(None)

    def close(self) -> None:
        """Remove the link; programs on the far side lose their network."""
        self._control.close()
        try:
            self._process.wait(ANSWER_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(ANSWER_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _ask(self, condition: Condition | None) -> Told:
        with self._lock:
            try:
                self._control.send(condition)
            except OSError:  # the connection is closed at either end
                raise LinkError("the forwarder has ended") from None
            told = self._answer()
        assert isinstance(told, Told), told
        return told

    def _answer(self) -> object:
        if not self._control.poll(ANSWER_S):
            raise LinkError(f"the forwarder says nothing for {ANSWER_S:g} s")
        try:
            return self._control.recv()
        except (EOFError, ConnectionError):
            raise LinkError("the forwarder has ended") from None


# Measurements with plain sockets, and their far side


PORT = 7007
PIECE = bytes(1 << 18)
WARM_S = 1.0
"""Seconds left out of a measured rate: TCP starts slowly."""


def serve(address: str) -> None:
    """Serve on the far side: send datagrams back, and receive or send as many bytes as possible."""
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind((address, PORT))
    threading.Thread(target=_send_back, args=(datagrams,), daemon=True).start()
    with socket.create_server((address, PORT)) as listener:
        print("serves", flush=True)
        while True:
            threading.Thread(target=_answer_one, args=(listener.accept()[0],), daemon=True).start()


def _send_back(datagrams: socket.socket) -> None:
    while True:
        data, sender = datagrams.recvfrom(65536)
        datagrams.sendto(data, sender)


def _answer_one(connection: socket.socket) -> None:
    with connection, contextlib.suppress(ConnectionError):
        if connection.recv(1) == b"g":
            while True:
                connection.sendall(PIECE)
        connection.sendall(struct.pack("d", _received_mbit(connection)))


def _received_mbit(connection: socket.socket, seconds: float = float("inf")) -> float:
    """Return the Mbit/s received after the warm-up, until ``seconds`` have passed or the other side stops."""
    buffer = bytearray(1 << 18)
    began_s = time.monotonic()
    counted, since_s, now_s = 0, began_s, began_s
    while now_s - began_s < seconds and (size := connection.recv_into(buffer)):
        now_s = time.monotonic()
        if now_s - began_s < WARM_S:
            counted, since_s = 0, now_s
        else:
            counted += size
    return 8e-6 * counted / max(now_s - since_s, 1e-9)


def mbit_there(address: str, seconds: float) -> float:
    """Return the Mbit/s of TCP from here to the far side."""
    with socket.create_connection((address, PORT), timeout=ANSWER_S) as connection:
        connection.sendall(b"t")
        ends_s = time.monotonic() + seconds
        while time.monotonic() < ends_s:
            connection.sendall(PIECE)
        connection.shutdown(socket.SHUT_WR)
        return float(struct.unpack("d", connection.recv(8, socket.MSG_WAITALL))[0])


def mbit_back(address: str, seconds: float) -> float:
    """Return the Mbit/s of TCP from the far side to here."""
    with socket.create_connection((address, PORT), timeout=ANSWER_S) as connection:
        connection.sendall(b"g")
        return _received_mbit(connection, seconds)


def round_trips_ms(address: str, count: int, *, every_s: float = 0.01, wait_s: float = 0.5) -> list[float]:
    """Return the round trips of ``count`` datagrams in milliseconds; lost ones are left out."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        datagrams.connect((address, PORT))
        datagrams.settimeout(every_s)
        taken: list[float] = []
        for number in range(count):
            datagrams.send(struct.pack("Qd", number, time.monotonic()))
            taken += _echoes_ms(datagrams, every_s)
        return taken + list(_echoes_ms(datagrams, wait_s))


def _echoes_ms(datagrams: socket.socket, seconds: float) -> Iterator[float]:
    ends_s = time.monotonic() + seconds
    while (left_s := ends_s - time.monotonic()) > 0:
        datagrams.settimeout(left_s)
        try:
            _, sent_s = struct.unpack("Qd", datagrams.recv(100))
        except (TimeoutError, ConnectionError):
            continue
        yield 1000 * (time.monotonic() - sent_s)


def measure(figures: Figures, condition: Condition, seconds: float) -> None:
    """Measure a link under one condition."""
    rate = condition.rate_mbit
    name = f"{f'{rate:g} Mbit/s' if rate else 'no limit'}, {2000 * condition.delay_s:g} ms, {100 * condition.loss:g} % loss"
    with Link(condition) as link, far_side(link):
        trips = round_trips_ms(link.far, 100)
        aim_ms, median_ms = 2000 * condition.delay_s, statistics.median(trips)
        figures.holds(f"{name}: round trip", aim_ms <= median_ms <= 1.1 * aim_ms + 2.0, f"{median_ms:.2f} ms, median")
        note(f"95 of 100 within {part(trips, 0.95):.2f} ms; {len(trips)} of 100 came back")
        before, began_s = link.told().cpu_s, time.monotonic()
        there, back = mbit_there(link.far, seconds), mbit_back(link.far, seconds)
        cpu = (link.told().cpu_s - before) / (time.monotonic() - began_s)
        if rate is None or condition.loss:
            note(f"{name}: {there:.0f} Mbit/s there, {back:.0f} back")
        else:
            figures.within(f"{name}: Mbit/s there", there, rate, 0.12)
            figures.within(f"{name}: Mbit/s back", back, rate, 0.12)
        note(f"packets of {link.mtu} bytes; the forwarder took {100 * cpu:.0f} % of a core; {link.told()}")
        if not rate or rate > 100:
            return
        link.cut()
        figures.at_most(f"{name}: datagrams that pass a cut link", len(round_trips_ms(link.far, 20)), 0)
        link.mend()
        figures.at_least(f"{name}: datagrams that pass a mended one", len(round_trips_ms(link.far, 20)), 10)


@contextlib.contextmanager
def far_side(link: Link) -> Iterator[None]:
    """Run the server of the measurements on the far side."""
    call = [*link.inside, sys.executable, "-m", "tests.acceptance.link", "--serve", link.far]
    process = subprocess.Popen(call, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        if process.stdout.readline().strip() != "serves":
            raise LinkError("the far side did not start")
        yield
    finally:
        process.kill()
        process.communicate()


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--serve", metavar="ADDRESS", help=argparse.SUPPRESS)
    arguments.add_argument("--seconds", type=float, default=4.0, metavar="N", help="of each measured rate")
    given = arguments.parse_args()
    if given.serve:
        serve(given.serve)
    if lacking := missing():
        sys.exit(f"{lacking}; nothing was measured")
    figures = Figures()
    note(f"TCP by {Path('/proc/sys/net/ipv4/tcp_congestion_control').read_text().strip()}, {os.cpu_count()} cores")
    for rate, delay_s, loss in (
        (20.0, 0.040, 0.0),
        (100.0, 0.010, 0.0),
        (1000.0, 0.001, 0.0),
        (100.0, 0.010, 0.05),
        (None, 0.0, 0.0),
    ):
        measure(figures, Condition(rate_mbit=rate, delay_s=delay_s, loss=loss), given.seconds)
    sys.exit(figures.end())


if __name__ == "__main__":
    main()
