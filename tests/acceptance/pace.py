"""Compare how fast builds dream live, in several rounds: steps a second and late frames, at the default settings.

python -m tests.acceptance.pace [--against ../yesterday] [--rounds 3] [--seconds 30] [--set network.name=bundled]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from tests.acceptance.stream import ROOT, Stream

SETTLING_S = 8.0
"""Seconds for the compute budget to settle."""


def measure(checkout: Path, settings: list[str], network: str, seconds: float) -> tuple[float, float, float]:
    """Run once; return steps a second, the share of shown frames that were late, and seconds to the first picture."""
    with tempfile.TemporaryDirectory() as folder, Stream(Path(folder), settings, network=network, checkout=checkout) as stream:
        first_s = stream.wait_for_picture()
        stream.wait_for(lambda told: told["renderer"]["steps_per_s"] > 0, 60)
        viewer = stream.watch("/live.ts")
        time.sleep(SETTLING_S)
        before, paces = stream.status()["video"]["frames"], []
        until_s = time.monotonic() + seconds
        while time.monotonic() < until_s:
            time.sleep(1.0)
            paces.append(float(stream.status()["renderer"]["steps_per_s"]))
        after = stream.status()["video"]["frames"]
        viewer.close()
        late = (after["late"] - before["late"]) / max(1, after["shown"] - before["shown"])
        return statistics.median(paces), late, first_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", type=Path, help="another checkout")
    parser.add_argument("--network", default="bundled")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=30.0, help="over which a run is measured")
    parser.add_argument("--set", action="append", default=[], dest="settings", metavar="KEY=VALUE", help="of both")
    parser.add_argument("--set-here", action="append", default=[], metavar="KEY=VALUE", help="of this build only")
    arguments = parser.parse_args()
    builds = [("this build", ROOT, arguments.set_here)]
    if arguments.against is not None:
        builds.append(("the other", arguments.against.resolve(), []))
    found: dict[str, list[float]] = {name: [] for name, _, _ in builds}
    for number in range(arguments.rounds):
        for build, checkout, own in builds if number % 2 == 0 else reversed(builds):
            steps, late, first_s = measure(checkout, [*arguments.settings, *own], arguments.network, arguments.seconds)
            found[build].append(steps)
            print(f"{build}: {steps:.2f} steps a second, {late:.2%} of frames late, first picture {first_s:.1f} s", flush=True)
    this, *others = (statistics.median(each) for each in found.values())
    print(f"median: {this:.2f} steps a second", *(f"and {other:.2f}, {this / other:.2f} times" for other in others))


if __name__ == "__main__":
    main()
