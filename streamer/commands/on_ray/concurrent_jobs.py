"""Several jobs of one command, each waiting for its tasks in a thread."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from streamer.commands.on_ray.node_pool import LOOK_S, NodePool

Job = TypeVar("Job")
Done = TypeVar("Done")


def at_once(
    jobs: Sequence[Job],
    work: Callable[[Job], Done],
    node_pool: NodePool,
    spare: int = 0,
    ends: Callable[[], bool] = lambda: False,
) -> Generator[tuple[Job, Future[Done]], None, None]:
    """Do jobs, as many at a time as the crew has room for, and give each when it is done, in whatever order that is.

    Args:
        work: done in a thread; what it raises is in the future.
        spare: jobs begun beyond that, so that nobody waits for the next.
        ends: asked from time to time; no further job is begun once it says so.
    """
    left, at_work = list(reversed(jobs)), dict[Future[Done], Job]()
    with ThreadPoolExecutor(max(1, node_pool.at_once + spare), thread_name_prefix="ray") as pool:
        try:
            while left or at_work:
                while left and len(at_work) < node_pool.at_once + spare and not ends():
                    job = left.pop()
                    at_work[pool.submit(work, job)] = job
                if not at_work:
                    return
                for done in wait(at_work, LOOK_S, FIRST_COMPLETED).done:
                    yield at_work.pop(done), done
        except BaseException:
            node_pool.stop()
            raise
