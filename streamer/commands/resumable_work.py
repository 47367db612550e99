"""Long renders are saved regularly in a folder next to the output, and can be resumed.

``out.mp4.unfinished`` contains the finished pictures and ``state``, which the rest depends on. If the program is killed, only
the last ``EVERY_S`` seconds and the current picture are lost; if it is asked to end, only the current picture.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from streamer.commands import FAILED, WRONG_CALL, CommandError
from streamer.commands.stop_signals import Interrupted, StopSignals, exit_code
from streamer.dream.sessions.tensor_codecs import CODECS
from streamer.messages.keyframes import Keyframe, SourcePicture
from streamer.messages.motion import Motion, Pose
from streamer.messages.scenes import Kind, Layout, Region, Scene, Target
from streamer.saved_state import SavedState, SavedStateError, StateFormat, unpack
from streamer.snapshot import write
from streamer.video.files.movie import MovieWriter
from streamer.video.flash.grid_turns import Places, Turns
from streamer.video.flash.light import Glance, Light
from streamer.video.flash.meter import Change, Field, Meter
from streamer.video.frames.captions import Patch
from streamer.video.frames.playhead import Shot

CLASSES: tuple[type, ...] = (Change, Field, Glance, Light, Meter, Patch, Places, Shot, Turns)

if sys.platform != "win32":
    import fcntl

EVERY_S, MOST_EVERY_S = 20.0, 45.0
"""Seconds between saves: the default, and the longest if saving itself is slow."""
SHARE = 0.05
"""Share of the time that saving may take, up to that limit."""
SUFFIX = ".unfinished"
STATE, LOCK = "state", "lock"
LONGEST_NAME = 255
"""Longest file name on most disks, in bytes."""
OWN = (Keyframe, Kind, Layout, Motion, Pose, Region, Scene, SourcePicture, Target)
"""Message classes that saved state may hold."""
STATE_FORMAT = StateFormat((*OWN, *CLASSES), CODECS)

Facts = Mapping[str, Any]
"""Everything a render's pixels depend on, ready for JSON. A call can resume the work of another with the same facts."""


@dataclass(frozen=True, slots=True)
class ResumeOptions:
    """What a call says about unfinished work."""

    stops: StopSignals
    resume: bool = False
    """Continue it."""
    fresh: bool = False
    """Start over and discard it."""


def folder_of(output: Path) -> Path:
    """Return the folder of the work on an output: next to it, or in it if it is an existing folder."""
    with contextlib.suppress(OSError):
        if output.is_dir():
            return output / SUFFIX[1:]
    name = output.name + SUFFIX
    if len(os.fsencode(name)) > LONGEST_NAME:
        name = hashlib.sha256(os.fsencode(output.name)).hexdigest()[:16] + SUFFIX
    return output.with_name(name)


def saved_facts(output: Path) -> Facts:
    """Return the facts of an unfinished output.

    Raises:
        CommandError: there is no unfinished work, or it cannot be read.
    """
    saved = read_saved(folder_of(output), output)
    if saved is None:
        raise CommandError(f"there is nothing unfinished of '{output}' to continue", WRONG_CALL)
    return dict(saved.about["facts"])


class ResumableWork:
    """The work on one output. As a context manager, it deletes its folder at the end, unless the block fails after a save."""

    def __init__(
        self,
        output: Path,
        facts: Facts,
        again: ResumeOptions,
        tell: Callable[[str], None],
        *,
        seed: int | None = None,
        resumable: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Look for unfinished work.

        Args:
            facts: Everything the pixels depend on; ``seed`` None means the seed of the unfinished work.
            tell: Reports to the user that work is resumed.
            seed: The seed if nothing else names one; None for any.
            resumable: Whether it can be resumed; otherwise the finished part is only kept.

        Raises:
            CommandError: there is unfinished work and the call does not say what to do with it, or it has other facts.
        """
        self.output, self.folder = output, folder_of(output)
        facts = json.loads(json.dumps(dict(facts)))
        self._again, self._tell, self._clock = again, tell, clock
        self._lock: IO[bytes] | None = None
        self._resumable = resumable
        self._saved: SavedState | None = None
        if again.fresh:
            self._claim_and_clear()
        elif (saved := read_saved(self.folder, output)) is not None:
            if not again.resume:
                raise undecided(output, saved)
            before = saved.about["facts"]
            unlike = [name for name in sorted({*before, *facts}) if before.get(name) != facts.get(name)]
            if unlike := [name for name in unlike if not (name == "seed" and facts.get("seed") is None)]:
                raise CommandError(
                    f"'{output}' was started with other {', '.join(unlike)}: use those again, say "
                    f"'zoomdream render resume {output}', or start over with --fresh",
                    WRONG_CALL,
                )
            facts, self._saved = before, saved
        elif self.folder.is_dir():
            self._claim_and_clear()
        self.facts = dict(facts)
        if self.facts.get("seed") is None:
            self.facts["seed"] = random.SystemRandom().randrange(2**32) if seed is None else seed
        self._kept = self._saved is not None
        self._last_s, self._every_s = clock(), EVERY_S

    @property
    def tell(self) -> Callable[[str], None]:
        """The function that reports a line to the user."""
        return self._tell

    @property
    def asked(self) -> bool:
        """Whether it was asked to end; ``save_or_stop`` then ends it."""
        return self._again.stops.asked is not None

    @property
    def resumed(self) -> bool:
        """Whether it continues unfinished work."""
        return self._saved is not None

    @property
    def seed(self) -> int:
        """The seed of everything random."""
        return int(self.facts["seed"])

    @property
    def begun_s(self) -> float:
        """When the call began, by ``time.perf_counter``."""
        return self._again.stops.begun_s

    def soft_stop(self) -> AbstractContextManager[None]:
        """Within this context, the first signal makes ``save_or_stop`` save and end; a second one ends immediately."""
        return self._again.stops.soft_stop()

    def restore(self, movie: MovieWriter, parts: Mapping[str, object]) -> int:
        """Restore what was saved, if anything; return the number of finished pictures.

        Args:
            parts: The objects to restore, constructed as at first.

        Raises:
            CommandError: the saved state does not match.
        """
        self._claim()
        if self._saved is None:
            return 0
        try:
            STATE_FORMAT.thaw(self._saved, parts)
            movie.restore(dict(self._saved.about["movie"]))
        except (SavedStateError, OSError, KeyError) as error:
            raise CommandError(f"'{self.folder}': {error}; --fresh starts over") from error
        done = int(self._saved.about["done"])
        self._saved = None
        self._tell(f"continuing '{self.output}' after {done}")
        return done

    def save_or_stop(
        self,
        movie: MovieWriter,
        parts: Mapping[str, object],
        done: int,
        total: int | None,
        show: Callable[[], None] | None = None,
    ) -> None:
        """Save if it is time to, and end if asked to; to be called after each picture but the last.

        Args:
            parts: The objects that the rest depends on.
            done: Number of finished pictures, or steps of one, out of ``total``, if that is known.
            show: Called when it ends, after saving: writes a preview.

        Raises:
            Interrupted: it was asked to end, and the finished part is saved.
        """
        asked = self._again.stops.asked
        if self._resumable and (asked is not None or self._clock() - self._last_s >= self._every_s):
            begun_s = self._clock()
            about = {"facts": self.facts, "done": done, "total": total, "movie": movie.state()}
            write(self.folder / STATE, STATE_FORMAT.pack(about, parts))
            self._kept, self._last_s = True, self._clock()
            self._every_s = min(MOST_EVERY_S, max(EVERY_S, (self._last_s - begun_s) / SHARE))
        if asked is not None:
            if show is not None:
                show()
            so_far, self._kept = movie.stop_here(), True
            plays = f"; '{so_far}' has the finished part" if so_far is not None else ""
            goes_on = "; the same call with --resume continues" if self._resumable else ""
            raise Interrupted(f"stopped after {done}{f' of {total}' if total else ''}{plays}{goes_on}", exit_code(asked))

    def __enter__(self) -> ResumableWork:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if kind is not None and self._kept:
            if not isinstance(error, Interrupted):
                self._tell(f"the finished part is kept in '{self.folder}': --resume continues")
            self._let_go()
            return
        self._let_go()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _claim_and_clear(self) -> None:
        """Delete what another call left behind."""
        if self.folder.is_dir():
            self._claim()
            self._let_go()
            shutil.rmtree(self.folder, ignore_errors=True)

    def _claim(self) -> None:
        """Lock the folder, so that no other program writes the same output."""
        if self._lock is not None or sys.platform == "win32":  # open files cannot be deleted there anyway
            return
        try:
            self._lock = (self.folder / LOCK).open("ab")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._let_go()
            raise CommandError(f"'{self.output}' is being written by another zoomdream", FAILED) from None
        except OSError:  # a disk without locks, or a full one, which later writes report
            self._let_go()

    def _let_go(self) -> None:
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.close()


def undecided(output: Path, saved: SavedState) -> CommandError:
    """Return the error for unfinished work when the call does not say what to do with it."""
    got_to = f"{saved.about['done']}{f' of {total}' if (total := saved.about['total']) else ''}"
    return CommandError(
        f"'{output}' was started before and got to {got_to}: --resume continues, --fresh starts over", WRONG_CALL
    )


def read_saved(folder: Path, output: Path) -> SavedState | None:
    """Return the saved state, or None if there is none."""
    try:
        data = (folder / STATE).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        return None  # for example a name that is too long; writing reports it
    try:
        return unpack(data)
    except SavedStateError as error:
        raise CommandError(f"'{folder / STATE}', needed to continue '{output}': {error}; --fresh starts over") from error
