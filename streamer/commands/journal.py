"""Lists journals, and what a run showed and when."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from streamer.commands.command_errors import as_command_error
from streamer.commands.timestamps import run_time
from streamer.journal_reader import JournalError, RecordedRun, read_journal
from streamer.requests.queue import default_path


def command(path: Path | None, announce: Callable[[str], None]) -> None:
    """List a journal's scenes, or all journals in a folder; without a path, those in the default folder.

    Raises:
        CommandError: there is no journal.
    """
    path = path or default_path().parent / "journals"
    with as_command_error():
        if not path.is_dir():
            announce(listing(read_journal(path)))
            return
        found = sorted(path.glob("*.jsonl"))
        if not found:
            raise JournalError(f"there is no journal in '{path}'; journal.folder says where a stream keeps them")
        for file in found:
            try:
                run = read_journal(file)
                scenes = sum(1 for _ in run.scenes())
                announce(f"{file}  {run_time(run.span_ms[1] - run.span_ms[0])[1:]}  {scenes} scenes")
            except JournalError as error:
                announce(f"{file}  {error}")


def listing(run: RecordedRun) -> str:
    """Return what a run showed and when, line by line."""
    first, last = run.span_ms
    begun = run.begun
    lines = [
        f"{run.path}: from {run.started + timedelta(milliseconds=first):%Y-%m-%d %H:%M:%S} for {run_time(last - first)[1:]}, "
        f"{begun.network} on {begun.device}, canvas {begun.size[1]}x{begun.size[0]}, seed {run.seed}"
    ]
    before = None
    for at_ms, scene in run.scenes():
        if scene != before:  # a restarted worker gets the same scene again
            who = f"  for {scene.user}" if scene.user else ""
            at = run.started + timedelta(milliseconds=at_ms)
            lines.append(f"{at:%H:%M:%S}  {run_time(at_ms)}  {scene.title}{who}")
        before = scene
    return "\n".join(lines)
