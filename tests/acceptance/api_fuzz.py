"""Schemathesis calls the running program in all documented ways: no answer is a server error, and none is undocumented.

Half of the time it calls without the moderators' token, half of the time with it. It leaves out endless answers; `/api/login`,
which slows down guessing; and `/healthz`, which answers 503 on a busy machine. Afterwards the program must still dream, and
its log must hold no error. Unlike the test in the suite, every run makes up new calls; the seed is printed.

python -m tests.acceptance.api_fuzz [--seconds 120] [--seed 1] [--set network.name=squeezenet1_1]
"""

from __future__ import annotations

import argparse
import random
import secrets
import sys
import tempfile
from pathlib import Path

from tests.acceptance.figures import Figures, note
from tests.acceptance.stream import SMALL_DREAM, Stream
from tests.web.fuzz import fuzz, operations

WITHOUT = ("/api/login", "/healthz")
ROOM = ("web.limits.calls_per_s=10000", "web.limits.all_calls_per_s=10000", "web.limits.kilobytes_per_s=1000000")
"""Limits so high that they answer no call."""
LEAST_CASES = 500
"""Minimum for each half, even on a slow machine."""


def run(figures: Figures, stream: Stream, folder: Path, token: str, seconds: int, seed: int) -> None:
    """Run one half: calls with the token, or without if it is empty."""
    name = "with the token" if token else "without a token"
    folder.mkdir()
    found = fuzz(stream.url, folder, token=token, without=WITHOUT, max_time_s=seconds, seed=seed)
    figures.holds(f"{name}: all answers are as documented, and none is a fault", found.sound)
    if not found.sound:
        print(found.told, flush=True)
    figures.at_least(f"{name}: calls tested", found.tested, found.selected)
    figures.at_least(f"{name}: cases", found.cases, LEAST_CASES)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=int, default=120, help="in all")
    arguments.add_argument("--seed", type=int, default=None, help="of the calls that are made up; chance's if not given")
    arguments.add_argument("--set", action="append", default=[], dest="settings", metavar="KEY=VALUE")
    given = arguments.parse_args()
    seed = random.randrange(1_000_000) if given.seed is None else given.seed
    note(f"seed {seed}")
    figures, token = Figures(), secrets.token_hex(16)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        own = {f"XDG_{kind}_HOME": str(folder / kind.lower()) for kind in ("STATE", "DATA", "CONFIG")}
        settings = [*SMALL_DREAM, *ROOM, *given.settings]
        with Stream(folder, settings, environment={"ZOOMDREAM_WEB_TOKEN": token, **own}) as stream:
            stream.wait_for_picture()
            figures.at_least("documented calls", len(operations(stream.url, {})), 60)
            for number, sent in enumerate(("", token)):
                run(figures, stream, folder / f"fuzz{number}", sent, given.seconds // 2, seed)
            shown = stream.status()["video"]["frames"]["shown"]
            stream.wait_for(lambda told: told["video"]["frames"]["shown"] > shown, 10.0)
            figures.holds("the program lives", stream.process.poll() is None)
            figures.holds("no error in the log", " ERROR " not in stream.log(), stream.log().count(" ERROR "))
    sys.exit(figures.end())


if __name__ == "__main__":
    main()
