"""Check large pictures: dream a 4K picture in tiles, look for seams, compare memory with the estimate.

    make bench BENCH=tiles                                      the bundled network, 3840x2160
    make bench BENCH=tiles ARGS="--size 7680x4320 --steps 2"    8K
    make bench BENCH=tiles ARGS="--set network.name=squeezenet1_1 --tile-px 1024"

The first run is the worst case for seams: without shift or change of size, the tiles' borders are at the same places in every
step. The second uses the settings as they are. The picture itself is smooth, so a seam has nowhere to hide: the figures are the
mean differences between neighbouring pixels of what the dream adds, across borders and everywhere else.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time

import numpy as np


def work(options: argparse.Namespace) -> None:
    """Dream in a separate process, to measure its memory."""
    from streamer.dream.objectives.scene import SceneObjective
    from streamer.dream.sessions.estimate import gigabytes
    from streamer.dream.sessions.still import Plan, StillDream
    from streamer.dream.sources.noise import noise
    from streamer.messages.scenes import Scene, Target, arrange
    from streamer.settings_file import load

    width, height = map(int, options.size.split("x"))
    named = [*options.settings, f"dream.tile_px={options.tile_px}", "device=cpu"]
    if options.worst:
        shorter = min(width, height)
        trained = 64 if any("bundled" in setting for setting in named) else 224
        named += ["dream.jitter_px=0", "dream.view_jitter=0", f"dream.views=[{min(20.0, shorter / trained)}]"]
    dream = StillDream(load(None, named))
    layer = options.layer or dream.ensemble.first.default_layer
    target = Target("", f"layer {layer}", layer)
    scene, plan = Scene(1, arrange([target])), Plan(((height, width),), options.steps)
    coarse = noise((max(1, height // 40), max(1, width // 40)), np.random.default_rng(1), 40.0)
    from PIL import Image

    picture = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))
    estimate = dream.estimate(scene, plan) if not options.worst else None
    begun = time.perf_counter()
    *_, last = dream.dream(picture, scene, plan, seed=1)
    result = last.picture()
    took_s = time.perf_counter() - begun
    change = result.astype(np.float32).mean(2) - picture.astype(np.float32).mean(2)
    found: dict[str, object] = {"seconds": round(took_s, 1), "change": round(float(np.abs(change).mean()), 2)}
    if options.worst:
        objective = SceneObjective(dream.ensemble.first, options.tile_px)
        tiling = objective._tiling(frozenset([objective._hook(target)]))
        found["tiles"] = tiling.count((height, width))
        for axis, side in ((0, height), (1, width)):
            across = np.abs(np.diff(change, axis=axis)).mean(axis=1 - axis)
            borders = [span.first - 1 for span in tiling._spans(side) if span.first]
            elsewhere = np.delete(across, borders)
            found["rows" if axis == 0 else "columns"] = {
                "borders": len(borders),
                "across": round(float(across[borders].mean()), 3) if borders else None,
                "elsewhere": round(float(elsewhere.mean()), 3),
                "elsewhere_99": round(float(np.percentile(elsewhere, 99)), 3),
                "across_most": round(float(across[borders].max()), 3) if borders else None,
            }
    if estimate is not None:
        found["estimate"] = str(estimate)
        found["estimated_bytes"], found["estimated_seconds"] = estimate.bytes, estimate.seconds
    found["peak_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    found["peak"] = gigabytes(float(found["peak_bytes"]))  # type: ignore[arg-type]
    if options.save:
        Image.fromarray(result).save(options.save)
    print(json.dumps(found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="3840x2160")
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--tile-px", type=int, default=1280)
    parser.add_argument("--layer", default="")
    parser.add_argument("--set", dest="settings", action="append", default=[])
    parser.add_argument("--save", default="")
    parser.add_argument("--worst", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not any(setting.startswith("network.name=") for setting in options.settings):
        options.settings.append("network.name=bundled")
    if options.child:
        work(options)
        return
    given = [part for setting in options.settings for part in ("--set", setting)]
    given += [
        "--size",
        options.size,
        "--steps",
        str(options.steps),
        "--tile-px",
        str(options.tile_px),
        "--layer",
        options.layer,
    ]
    failed = False
    for worst in (True, False):
        call = [sys.executable, __file__, "--child", *given, *(["--worst"] if worst else ["--save", options.save])]
        found = json.loads(subprocess.run(call, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
        if worst:
            print(
                f"{options.size}, {found['tiles']} tiles, borders always at the same places; change per pixel {found['change']}"
            )
            for name in ("rows", "columns"):
                part = found[name]
                print(
                    f"  {name:8} across {part['borders']} borders {part['across']}, elsewhere {part['elsewhere']} "
                    f"(99 % of lines below {part['elsewhere_99']}, the worst border {part['across_most']})"
                )
                failed |= part["across_most"] is not None and part["across_most"] > part["elsewhere_99"]
        else:
            within = found["peak_bytes"] <= found["estimated_bytes"]
            failed |= not within
            print(f"as it is: estimated {found['estimate']}")
            print(f"          took {found['seconds']} s for {options.steps} steps, peak memory {found['peak']}")
            print(f"          {'within' if within else 'ABOVE'} the estimate")
    sys.exit(failed)


if __name__ == "__main__":
    main()
