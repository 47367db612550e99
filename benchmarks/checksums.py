"""Are the pixels still the same? Checksums of keyframes of every algorithm, kind of target and source, in two builds.

    python benchmarks/checksums.py                            # prints a name and a checksum a line
    python benchmarks/checksums.py --against ../yesterday     # the same in another checkout, and what differs

Run it after moving code that must not change the picture. Floating-point sums differ between machines, so nothing is stored:
both builds dream here, in float32, on one thread. The other checkout runs its own copy of this file, which knows where its
modules are. The exit code is 1 if a checksum differs.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from streamer.config import Config
from streamer.dream.algorithms.dreamer_factory import make_dreamer
from streamer.dream.algorithms.flow_warping import FlowWarpedDream
from streamer.dream.device import make_torch_repeatable
from streamer.dream.networks import loading
from streamer.dream.networks.ensemble import Ensemble
from streamer.dream.sessions.film import FilmDream
from streamer.dream.sessions.script import OfflineDream
from streamer.dream.sessions.still import StillDream
from streamer.messages.keyframes import SourcePicture
from streamer.messages.motion import Motion
from streamer.messages.scenes import Scene, Target, arrange
from streamer.settings_file import load as load_config

HERE = Path(__file__).resolve().parent
STEPS = {"tiny": 20, "bundled": 10}
SIZE = (90, 160)
DT_S = 0.1
ALGORITHMS = ("default", "deepdream", "original_2015", "ink")
SETTINGS = {
    "default laplacian": ("dream.algorithm=default", "dream.normalisation=laplacian"),
    "default mean, no surge": ("dream.algorithm=default", "dream.normalisation=mean", "dream.surge=0"),
    "default in tiles": ("dream.algorithm=default", "dream.tile_px=64"),
    "default added": ("dream.algorithm=default", "network.combine=added"),
    "deepdream decorrelated": ("dream.algorithm=deepdream", "dream.normalisation=decorrelated"),
    "ink with words": ("dream.algorithm=ink", "ink.text=dream", "ink.start=text"),
}
"""Variants, besides the algorithms as they are."""


def photograph(seed: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Return a smooth picture, (H, W, 3) uint8, the same on every machine."""
    small = np.random.default_rng(seed).integers(0, 256, (5, 8, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize(size[::-1], Image.Resampling.BICUBIC))


def crc(picture: np.ndarray) -> str:
    """Return a picture's CRC-32 in hexadecimal."""
    return f"{zlib.crc32(np.ascontiguousarray(picture).tobytes()):08x}"


def settings(*overrides: str) -> Config:
    """Return the default settings on a small canvas with the bundled network and ``overrides``."""
    small = (f"canvas.width={SIZE[1]}", f"canvas.height={SIZE[0]}", "network.name=bundled", "device=cpu")
    return load_config(None, [*small, *overrides])


def targets(network: Ensemble, guide: Path) -> dict[str, tuple[Target, ...]]:
    """Return the targets of one scene of each kind, and of a mixed one."""
    first, second, *_ = (Target(wnid, wnid) for wnid in network.wnids)
    entry = network.layer_entries[len(network.layer_entries) // 2]
    layer, channels = Target("", "layer", entry.name), Target("", "channels", entry.name, (0, entry.channels - 1))
    followed = Target("", "guide", entry.name, (), str(guide))
    return {
        "one class": (first,),
        "two classes": (first, second),
        "layer": (layer,),
        "channels": (channels,),
        "guide": (followed,),
        "class, layer, channels, guide": (second, layer, channels, followed),
    }


def steps(network: Ensemble, config: Config, scene: Iterable[Target], start: np.ndarray | None = None) -> str:
    """Return the checksum after ``STEPS`` steps toward a scene."""
    dreamer = make_dreamer(network, config, SIZE, torch.device("cpu"), 7, start)
    dreamer.scene(Scene(1, arrange(tuple(scene))))
    for _ in range(STEPS[network.name]):
        dreamer.step(DT_S)
    return crc(dreamer.picture())


def eventful(network: Ensemble, config: Config, each: dict[str, tuple[Target, ...]]) -> str:
    """Return the checksum of a dream that goes through every kind of change."""
    dreamer = make_dreamer(network, config, SIZE, torch.device("cpu"), 3)
    dreamer.scene(Scene(1, arrange(each["one class"])))
    done: dict[int, Callable[[], None]] = {
        3: lambda: dreamer.scene(Scene(2, arrange(each["two classes"]))),
        6: lambda: dreamer.motion(Motion(1.3, 20.0)),
        9: dreamer.bump,
        14: dreamer.twist,
        20: lambda: dreamer.resize((72, 128)),
        22: lambda: dreamer.scene(Scene(3, arrange(each["layer"]))),
        26: lambda: dreamer.restore(dreamer.picture(), dreamer.pose),
    }
    found = []
    for number in range(30):
        done.get(number, lambda: None)()
        dreamer.step(DT_S)
        found.append(dreamer.picture())
    return crc(np.stack([picture[:72, :128] for picture in found]))


def riding(network: Ensemble, config: Config, scene: tuple[Target, ...]) -> str:
    """Return the checksum of a dream on a picture that moves and then stops."""
    dreamer = make_dreamer(network, config, SIZE, torch.device("cpu"), 5)
    assert isinstance(dreamer, FlowWarpedDream)
    dreamer.scene(Scene(1, arrange(scene)))
    wide = photograph(11, (SIZE[0], 2 * SIZE[1]))
    for number in range(10):
        shift = 3 * min(number, 6)
        dreamer.ride(SourcePicture(np.ascontiguousarray(wide[:, shift : shift + SIZE[1]]), number + 1, number * DT_S), DT_S)
        dreamer.step(DT_S / 2)
        dreamer.step(DT_S / 2)
    dreamer.bump()
    dreamer.step(DT_S)
    return crc(dreamer.picture())


def tiny() -> Ensemble:
    """Return two random networks of three convolutions each."""
    sys.path.insert(0, str(HERE.parent))
    from tests.fakes import tiny_network

    return Ensemble(*(tiny_network(seed=seed, dtype=torch.float32) for seed in (0, 1)))


def cases(guide: Path) -> Iterator[tuple[str, str]]:
    """Yield names and checksums."""
    bundled = loading.load(settings().network, torch.device("cpu"))
    variants = {name: (f"dream.algorithm={name}",) for name in ALGORITHMS} | SETTINGS
    for network_name, network in (("tiny", tiny()), ("bundled", bundled)):
        scenes = targets(network, guide)
        for name, overrides in variants.items():
            config = settings(*overrides)
            kinds = scenes.items() if name in ALGORITHMS else [("two classes", scenes["two classes"])]
            for kind, scene in kinds:
                if network_name == "tiny" or name in ("default", "deepdream") or kind == "two classes":  # the others are slow
                    yield f"{network_name}, {name}, {kind}", steps(network, config, scene)
            if name in ALGORITHMS and (network_name == "tiny" or name == "default"):
                yield f"{network_name}, {name}, on a picture", steps(network, config, scenes["two classes"], photograph(2))
                yield f"{network_name}, {name}, eventful", eventful(network, config, scenes)
        for name in ("default", "deepdream"):
            config = settings(f"dream.algorithm={name}", "source.kind=camera", "source.ride=true")
            yield f"{network_name}, {name}, riding", riding(network, config, scenes["two classes"])
    yield from drivers(targets(bundled, guide))


def drivers(scenes: dict[str, tuple[Target, ...]]) -> Iterator[tuple[str, str]]:
    """Yield checksums of scripted, still and film dreams of the bundled network."""
    first, second = Scene(1, arrange(scenes["one class"])), Scene(2, arrange(scenes["two classes"]))
    for name in ("default", "original_2015"):
        few = ("dream.steps_per_keyframe=3", "dream.keyframe_s=0.25") if name == "default" else ()
        script = OfflineDream(settings(f"dream.algorithm={name}", "dream.wake=alternate", "dream.wake_after_s=0.5", *few))
        keyframes = script.keyframes(lambda time_s: first if time_s < 1 else second, 9, photograph(4))
        taken = list(itertools.islice(keyframes, 12 if name == "default" else 3))
        yield f"script, {name}", crc(np.stack([keyframe.image for keyframe in taken]))
    for name in ("default", "deepdream", "ink"):
        still = StillDream(settings(f"dream.algorithm={name}"))
        plan = still.plan(SIZE, iterations=6, octaves=2)
        *_, last = still.dream(photograph(5), second, plan, 1)
        yield f"still, {name}", crc(last.picture())
    for mix in (1.0, 0.6):
        film = FilmDream(settings(f"source.mix={mix}"))
        shots = (SourcePicture(photograph(6, (120, 214)), number, number / 25) for number in range(1, 8))
        run = film.begin((120, 214), second, 2, 1)
        yield f"film, mix {mix:g}", crc(np.stack([run.dream(shot).image for shot in shots]))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", type=Path, help="another checkout, which dreams the same with its own copy of this file")
    parser.add_argument("--json", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    make_torch_repeatable(threads=1)
    loading.compute_dtype = lambda device: torch.float32  # type: ignore[assignment]
    guide = HERE / "checksums_guide.png"
    Image.fromarray(photograph(3, (64, 64))).save(guide)
    try:
        found = {}
        for name, value in cases(guide):
            found[name] = value
            if not options.json:
                print(f"{value}  {name}", flush=True)
    finally:
        guide.unlink()
    if options.json:
        print(json.dumps(found))
    if options.against is None:
        return 0
    checkout = options.against.resolve()
    command = [sys.executable, str(checkout / "benchmarks" / "checksums.py"), "--json"]
    done = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": str(checkout)}, cwd=checkout, check=True, stdout=subprocess.PIPE
    )
    other = json.loads(done.stdout)
    unlike = [name for name in dict.fromkeys([*found, *other]) if found.get(name) != other.get(name)]
    for name in unlike:
        print(f"differs: {name}: {found.get(name, 'not here')}, there {other.get(name, 'not there')}")
    print(f"{len(found)} checksums, {len(unlike)} of them other than in {checkout}")
    return 1 if unlike else 0


if __name__ == "__main__":
    raise SystemExit(main())
