"""Which options of ``zoomdream render`` go together."""

from __future__ import annotations

from streamer.commands import WRONG_CALL
from streamer.commands.call import fail

ONLY = {
    "--seconds": ("script", "film"),
    "--fps": ("script", "picture", "journal"),
    "--captions": ("script",),
    "--iterations": ("picture", "film"),
    "--octaves": ("picture",),
    "--progress": ("picture",),
    "--fit": ("picture", "film", "script"),
    "--track": ("film",),
    "--resume": ("script", "picture", "film"),
    "--ray-segment": ("film",),
    "--ray-tiles": ("picture",),
}
"""Options that would change nothing elsewhere, and what they go with."""
OTHERWISE = {
    ("--seconds", "picture"): "a picture's iterations are counted with --iterations",
    ("--fps", "film"): "a film keeps its own rate",
    ("--captions", "journal"): "say --set video.captions=true",
    ("--fit", "journal"): "say --set source.fit=pad",
    ("--resume", "journal"): "say --from, for what is missing",
}
"""What to do instead, where there is something."""


def fit_together(*, script: str, subject: str, pictures: int, film: bool, journal: bool, times: bool, config: bool) -> None:
    """End the program where a call asks for things that exclude each other."""
    if times and not journal:
        fail(WRONG_CALL, "--from, --to and --exact go with --journal FILE")
    if journal and (config or script or subject or pictures or film):
        fail(WRONG_CALL, "a journal brings its own settings and scenes; change settings with --set")
    if script and subject:
        fail(WRONG_CALL, "say what to dream either with --script, or with --class, --layer and --guide")
    if film and (script or pictures):
        fail(WRONG_CALL, "a film takes --class, --layer or --guide, and no --script or --image")
    if script and pictures > 1:
        fail(WRONG_CALL, "a script takes one --image to start from")


def all_of_use(kind: str, options: list[str]) -> None:
    """End the program where an option would change nothing: who gave it meant something by it."""
    for option in options:
        if kind not in ONLY[option]:
            instead = OTHERWISE.get((option, kind), "")
            takers = " or ".join(f"a {taker}" for taker in ONLY[option])
            fail(WRONG_CALL, f"{option} goes with {takers}, not with a {kind}{instead and '; '}{instead}")
