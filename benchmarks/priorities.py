"""How far must a dream give way for a video to keep its rate? Tests scheduling alone, with stand-ins.

    python benchmarks/priorities.py [--seconds 6] [--rounds 2] [--class nice15 …]

In its own session, a thread works for 14 ms every 40 ms, as the video does at 25 frames a second, and a process on every core
computes all the time, as the dream does, in one scheduling class after the other: alone, beside burners in their own sessions,
and beside burners in the same session at niceness 0. Prints for each the share of frames that start late (by more than half
their time), the share of the rate that is reached, the 95th percentile of the delay, and the cores that the dream uses. Linux
only.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import os
import time
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess

CLASSES = ("none", "nice0", "nice5", "nice10", "nice15", "nice19", "batch5", "batch15", "idle")
PLACES = ("alone", "other session", "same session")
FRAME_S, WORK_S = 0.04, 0.014
FORK = multiprocessing.get_context("fork")


def give_way(how: str) -> None:
    """Put this process into a scheduling class."""
    if how == "idle":
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        return
    if how.startswith("batch"):
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    os.nice(int(how.removeprefix("batch").removeprefix("nice")))


def compute(how: str, *, apart: bool = False) -> None:
    """Compute forever in a class; ``apart`` starts a new session."""
    if apart:
        os.setsid()
    give_way(how)
    while True:
        sum(range(20000))


def work(seconds: float) -> None:
    """Use this many CPU seconds."""
    end_s = time.thread_time() + seconds
    while time.thread_time() < end_s:
        pass


def used_s(process: ForkProcess) -> float:
    """Return the CPU seconds that a process has used."""
    with open(f"/proc/{process.pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def session(how: str, place: str, seconds: float, outcome: Connection) -> None:
    """Show frames beside a dream of a class, in a new session."""
    os.setsid()
    cores = range(len(os.sched_getaffinity(0)))
    dream = [FORK.Process(target=compute, args=(how,)) for _ in cores if how != "none"]
    others = [
        FORK.Process(target=compute, args=("nice0",), kwargs={"apart": place == "other session"})
        for _ in cores
        if place != "alone"
    ]
    for process in (*dream, *others):
        process.start()
    time.sleep(1.0)
    began_s, before_s, delays = time.monotonic(), sum(map(used_s, dream)), []
    number = 0
    while (now_s := time.monotonic()) - began_s < seconds:
        due_s = began_s + number * FRAME_S
        if now_s - due_s > 5 * FRAME_S:  # skip the missed frames
            number = math.floor((now_s - began_s) / FRAME_S)
            continue
        number += 1
        time.sleep(max(0.0, due_s - now_s))
        delays.append(time.monotonic() - due_s)
        work(WORK_S)
    dreamt = (sum(map(used_s, dream)) - before_s) / seconds
    for process in (*dream, *others):
        process.kill()
        process.join()
    delays.sort()
    late = sum(delay > FRAME_S / 2 for delay in delays) / len(delays)
    outcome.send((late, len(delays) * FRAME_S / seconds, delays[int(0.95 * len(delays))], dreamt))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--class", action="append", default=[], dest="classes", choices=CLASSES)
    arguments = parser.parse_args()
    for _ in range(arguments.rounds):
        for place in PLACES:
            for how in arguments.classes or CLASSES:
                ours, theirs = FORK.Pipe(duplex=False)
                process = FORK.Process(target=session, args=(how, place, arguments.seconds, theirs))
                process.start()
                late, rate, delay_s, dreamt = ours.recv()
                process.join()
                print(
                    f"{place:13} {how:8} {late:7.1%} late, rate {rate:4.0%}, 95 % within {1000 * delay_s:4.0f} ms, "
                    f"dream {dreamt:.2f} cores, load {os.getloadavg()[0]:.1f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
