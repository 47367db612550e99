"""Renders pictures, one or many: to a picture, a video of its iterations or a strip."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import Progress, TaskID

from streamer.commands import WRONG_CALL, CommandError, refusal
from streamer.commands.batch import Job, jobs, left_out
from streamer.commands.command_errors import as_command_error
from streamer.commands.on_ray.node_pool import NodePool, open_node_pool
from streamer.commands.on_ray.options import RayCall
from streamer.commands.progress_display import Tell, progress_bar, teller
from streamer.commands.script_parser import reader
from streamer.commands.still_picture import StillOrder, dream_picture
from streamer.commands.stop_signals import Interrupted, exit_code
from streamer.commands.work_starter import WorkStarter
from streamer.config import Config
from streamer.dream.device import make_torch_repeatable
from streamer.dream.sessions.estimate import duration
from streamer.dream.sessions.still import StillDream
from streamer.dream.sources.animation import animated
from streamer.dream.sources.picture import SourceError
from streamer.messages.network_contents import LayerEntry
from streamer.messages.refused import Refused
from streamer.messages.scenes import Layout, Scene, Target, arrange
from streamer.requests.vocabulary import Vocabulary
from streamer.video.files.movie import PICTURES, MovieError

if TYPE_CHECKING:
    from streamer.commands.on_ray.remote_sessions import RemoteStills

log = logging.getLogger(__name__)

KINDS = ".png, .jpg, .webp, .avif, .gif or .mp4"
"""The formats that a picture can be rendered to."""
SHARE = 0.25
"""Share of a GPU for each picture on a cluster, unless the call names one."""


def command(
    config: Config, order: StillOrder, begin: WorkStarter, console: Console, announce: Tell, ray: RayCall | None = None
) -> None:
    """Render with a progress bar, and estimate time and memory first.

    Args:
        ray: The cluster to render on; None renders here.

    Raises:
        CommandError: the call was wrong, it failed, or it was stopped.
    """
    work = jobs(order.images, order.output)
    say = teller(console)
    with as_command_error():
        words = Vocabulary.load()
        targets(order.subject, words, None)  # report mistakes before the network loads
        for job in work:
            if job.output.suffix.lower() not in (*PICTURES, ".gif", ".mp4"):
                raise CommandError(f"'{job.output}': a picture becomes {KINDS}", WRONG_CALL)
            if order.progress and job.output.suffix.lower() not in PICTURES:
                raise CommandError(f"'{job.output}': a strip is a picture; name a .png or .jpg", WRONG_CALL)
        for line in left_out(order.images):
            say(line)
        begin.check([job.output for job in work])
        if begin.again.resume and len(work) > 1:
            work = _left_to_do(work, say)
        make_torch_repeatable()
        with open_node_pool(ray, config, say, gpus=SHARE) as node_pool, progress_bar(console) as shown:
            dream = StillDream(config) if node_pool is None or node_pool.tiles else _far(config, node_pool)
            wanted = targets(order.subject, words.for_network(dream.wnids), dream.layers)
            scene = Scene(1, arrange(wanted, Layout(config.dream.layout)))
            batch = Batch(dream, scene, order, work, begin, shown, say, announce)
            if not isinstance(dream, StillDream):
                batch.at_once(dream)
            else:
                with contextlib.nullcontext() if node_pool is None else _tiles(dream, scene, node_pool):
                    batch.one_by_one()


class Batch:
    """The pictures of a call."""

    def __init__(
        self,
        dream: StillDream | RemoteStills,
        scene: Scene,
        order: StillOrder,
        work: Sequence[Job],
        begin: WorkStarter,
        shown: Progress,
        say: Tell,
        announce: Tell,
    ) -> None:
        self._dream, self._scene, self._order, self._work, self._begin = dream, scene, order, work, begin
        self._shown, self._say, self._announce = shown, say, announce
        self._failed = 0

    def one_by_one(self) -> None:
        """Render one after the other, each with its own bar.

        Raises:
            CommandError: some could not be rendered.
        """
        for number, job in enumerate(self._work, 1):
            name = job.output.name if len(self._work) == 1 else f"{number}/{len(self._work)} {job.output.name}"
            task = self._shown.add_task(name, total=None)

            def progress(done: int, total: int, task: TaskID = task) -> None:
                self._shown.update(task, completed=done, total=total)

            try:
                seed = self._make(job, number == 1, progress)
            except Interrupted:
                raise
            except (SourceError, MovieError, CommandError) as error:
                self._tell(job, error)
            else:
                self._announce(f"{job.output} (seed {seed})")
        self._end()

    def at_once(self, dream: RemoteStills) -> None:
        """Render as many in parallel as the nodes have room for, with one bar for all.

        Raises:
            CommandError: some could not be rendered.
            Interrupted: it was asked to end.
        """
        from streamer.commands.on_ray.concurrent_jobs import at_once

        work, stops = self._work, self._begin.again.stops
        name = work[0].output.name if len(work) == 1 else f"{len(work)} pictures"
        bar, parts, lock = self._shown.add_task(name, total=None), dict[Job, tuple[int, int]](), threading.Lock()
        numbers, done, stopped = {job: number for number, job in enumerate(work)}, 0, list[Interrupted]()

        def make(job: Job) -> int:
            def progress(steps: int, total: int) -> None:
                with lock:
                    parts[job] = steps, total
                    known = [each for _, each in parts.values()]
                    self._shown.update(
                        bar, completed=sum(each for each, _ in parts.values()), total=sum(known) * len(work) / len(known)
                    )

            return self._make(job, numbers[job] == 0, progress)

        with stops.soft_stop(), closing(at_once(work, make, dream.node_pool, ends=lambda: stops.asked is not None)) as results:
            begun_s, estimate_after = time.monotonic(), 2 * dream.at_once
            for job, future in results:
                try:
                    seed = future.result()
                except Interrupted as interrupted:
                    stopped.append(interrupted)
                except (SourceError, MovieError, CommandError) as error:
                    self._tell(job, error)
                else:
                    done += 1
                    self._announce(f"{job.output} (seed {seed})")
                if done == estimate_after < len(work):
                    left_s = (time.monotonic() - begun_s) / done * (len(work) - done)
                    self._say(f"{len(work)} pictures, {dream.at_once} at once: about {duration(left_s)} left")
        if stops.asked is not None and (stopped or done + self._failed < len(work)):
            if len(work) == 1 and stopped:
                raise stopped[0]
            so_far = f"stopped after {done} of {len(work)} pictures; the same call with --resume continues"
            raise Interrupted(so_far, exit_code(stops.asked))
        self._end()

    def _make(self, job: Job, first: bool, progress: Callable[[int, int], None]) -> int:
        if (frames := animated(job.source)) > 1:
            self._say(
                f"'{job.source}' is an animation of {frames} pictures, of which only the first is used; render film uses all"
            )
        with self._begin(job.output) as unfinished:
            tell = self._say if first else log.info
            return dream_picture(self._dream, self._scene, self._order, job, unfinished, progress, tell)

    def _tell(self, job: Job, error: Exception) -> None:
        """Report a picture that could not be rendered; if it is the only one, raise its error."""
        if len(self._work) == 1:
            raise error
        self._failed += 1
        self._say(f"zoomdream: {error}" if not isinstance(error, CommandError) else f"zoomdream: '{job.source}': {error}")

    def _end(self) -> None:
        if self._failed:
            raise CommandError(f"{self._failed} of {len(self._work)} pictures could not be rendered")


def _far(config: Config, node_pool: NodePool) -> RemoteStills:
    """Return what renders on nodes."""
    from streamer.commands.on_ray.remote_sessions import RemoteStills

    return RemoteStills(config, node_pool)


def _tiles(dream: StillDream, scene: Scene, node_pool: NodePool) -> AbstractContextManager[None]:
    """Have nodes compute the tiles of what is rendered here."""
    from streamer.commands.on_ray.remote_tiles import TilePool
    from streamer.dream.objectives.scene import tiles_computed_by

    return tiles_computed_by(TilePool(dream.config, dream.ensemble, scene, node_pool))


def _left_to_do(work: Sequence[Job], say: Tell) -> tuple[Job, ...]:
    """Return the jobs whose output does not exist yet."""
    left = tuple(job for job in work if not job.output.exists())
    if len(left) < len(work):
        say(f"{len(work) - len(left)} of {len(work)} are there already")
    return left


def targets(subject: str, words: Vocabulary, layers: Sequence[LayerEntry] | None) -> tuple[Target, ...]:
    """Parse a subject.

    Args:
        layers: The network's layers; None before it is loaded, when any layer name is accepted.

    Raises:
        CommandError: the subject is empty or unknown.
    """
    if not subject:
        raise CommandError("say what to dream: --class 'tree frog', --layer fire5 or --guide flowers.jpg", WRONG_CALL)
    try:
        return reader(words, layers)(subject)
    except Refused as refused:
        raise CommandError(f"'{subject}': {refusal(refused)}", WRONG_CALL) from None
