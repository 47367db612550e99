"""Renders that take long: what is done is saved from time to time, in a folder beside the output, and gone on with.

``out.mp4.unfinished`` holds the pictures that are done and ``state``, what the rest depends on. Whatever ends the program, no
more than the last ``EVERY_S`` seconds and the picture at work are lost; where it is asked to end, nothing but the latter.
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
"""Between two times that it is saved: usually, and at most where saving itself takes long."""
SHARE = 0.05
"""Of the time that saving may take, up to there."""
SUFFIX = ".unfinished"
STATE, LOCK = "state", "lock"
LONGEST_NAME = 255
"""Bytes of a file's name on most disks."""
OWN = (Keyframe, Kind, Layout, Motion, Pose, Region, Scene, SourcePicture, Target)
"""Message classes that saved state may hold."""
STATE_FORMAT = StateFormat((*OWN, *CLASSES), CODECS)

Facts = Mapping[str, Any]
"""What makes a render what it is, as JSON has it: of two calls with the same facts, one can go on with the other's work."""


@dataclass(frozen=True, slots=True)
class ResumeOptions:
    """What a call says of work that was begun before."""

    stops: StopSignals
    resume: bool = False
    """Go on with it."""
    fresh: bool = False
    """Begin anew all the same."""


def folder_of(output: Path) -> Path:
    """Where the work for an output lies: beside it, or in it, where it is a folder that is there."""
    with contextlib.suppress(OSError):
        if output.is_dir():
            return output / SUFFIX[1:]
    name = output.name + SUFFIX
    if len(os.fsencode(name)) > LONGEST_NAME:
        name = hashlib.sha256(os.fsencode(output.name)).hexdigest()[:16] + SUFFIX
    return output.with_name(name)


def saved_facts(output: Path) -> Facts:
    """What an unfinished output was called with.

    Raises:
        CommandError: there is none, or it cannot be read.
    """
    saved = read_saved(folder_of(output), output)
    if saved is None:
        raise CommandError(f"nothing unfinished of '{output}' is there to go on with", WRONG_CALL)
    return dict(saved.about["facts"])


class ResumableWork:
    """The work on one output. As a context it is gone when the block ends, and stays where the block fails after a save."""

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
        """Look for work that was begun before.

        Args:
            facts: What makes it what it is; where ``seed`` is None, that of the work begun is taken.
            tell: Says to whoever waits that it goes on.
            seed: To take where nothing else names one; None for any.
            resumable: Whether it can be gone on with; else what is done is kept where it is stopped, and no more.

        Raises:
            CommandError: there is some, and nobody said what to do with it; or it is another's.
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
                    f"'{output}' was begun with other {', '.join(unlike)}: call it as then, say "
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
        """Says a line to whoever waits."""
        return self._tell

    @property
    def asked(self) -> bool:
        """Whether it was asked to end; ``look`` does so."""
        return self._again.stops.asked is not None

    @property
    def resumed(self) -> bool:
        """Whether it goes on with what was begun before."""
        return self._saved is not None

    @property
    def seed(self) -> int:
        """Of everything random."""
        return int(self.facts["seed"])

    @property
    def begun_s(self) -> float:
        """When the call began, by ``time.perf_counter``."""
        return self._again.stops.begun_s

    def soft_stop(self) -> AbstractContextManager[None]:
        """Within, whoever stops the program is heard by ``look``, and has to ask twice to stop it at once."""
        return self._again.stops.soft_stop()

    def restore(self, movie: MovieWriter, parts: Mapping[str, object]) -> int:
        """Put back what was saved, if there is any; how many pictures are done.

        Args:
            parts: made as they were at first.

        Raises:
            CommandError: it does not fit.
        """
        self._claim()
        if self._saved is None:
            return 0
        try:
            STATE_FORMAT.thaw(self._saved, parts)
            movie.restore(dict(self._saved.about["movie"]))
        except (SavedStateError, OSError, KeyError) as error:
            raise CommandError(f"'{self.folder}': {error}; --fresh begins anew") from error
        done = int(self._saved.about["done"])
        self._saved = None
        self._tell(f"going on with '{self.output}' after {done}")
        return done

    def look(
        self,
        movie: MovieWriter,
        parts: Mapping[str, object],
        done: int,
        total: int | None,
        show: Callable[[], None] | None = None,
    ) -> None:
        """After each picture but the last: save what is done if it is time to, and end if that was asked for.

        Args:
            parts: what the rest depends on.
            done: pictures, or steps of one, that are done; of ``total``, where that is known.
            show: Called where it ends, after it is saved: writes a picture that is only made to be looked at.

        Raises:
            Interrupted: it was asked to end, and what is done is saved and can be looked at.
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
            plays = f"; '{so_far}' is what there is so far" if so_far is not None else ""
            goes_on = "; the same call with --resume goes on" if self._resumable else ""
            raise Interrupted(f"stopped after {done}{f' of {total}' if total else ''}{plays}{goes_on}", exit_code(asked))

    def __enter__(self) -> ResumableWork:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if kind is not None and self._kept:
            if not isinstance(error, Interrupted):
                self._tell(f"what was done is kept in '{self.folder}': --resume goes on with it")
            self._let_go()
            return
        self._let_go()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _claim_and_clear(self) -> None:
        """Take away what another call left behind."""
        if self.folder.is_dir():
            self._claim()
            self._let_go()
            shutil.rmtree(self.folder, ignore_errors=True)

    def _claim(self) -> None:
        """See to it that no other program writes the same."""
        if self._lock is not None or sys.platform == "win32":  # there, files that are open cannot be taken away anyway
            return
        try:
            self._lock = (self.folder / LOCK).open("ab")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._let_go()
            raise CommandError(f"'{self.output}' is being written by another zoomdream", FAILED) from None
        except OSError:  # a disk without locks, or one that is full: the rest will say so
            self._let_go()

    def _let_go(self) -> None:
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.close()


def undecided(output: Path, saved: SavedState) -> CommandError:
    """Says that there is work begun of which nobody said what to do with it."""
    got_to = f"{saved.about['done']}{f' of {total}' if (total := saved.about['total']) else ''}"
    return CommandError(f"'{output}' was begun before and got to {got_to}: --resume goes on, --fresh begins anew", WRONG_CALL)


def read_saved(folder: Path, output: Path) -> SavedState | None:
    """What was saved; None where there is nothing."""
    try:
        data = (folder / STATE).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        return None  # a name that is too long, for one; what writes there will say it
    try:
        return unpack(data)
    except SavedStateError as error:
        raise CommandError(f"'{folder / STATE}', to go on with '{output}': {error}; --fresh begins anew") from error
