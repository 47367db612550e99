"""Runs several jobs of one command in parallel, each waiting for its tasks in a thread."""

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
    """Do jobs, as many in parallel as the nodes have room for; yield each when it is finished, in any order.

    Args:
        work: Runs in a thread; the future has its result or exception.
        spare: Jobs started beyond the nodes' room, so that no node waits for the next.
        ends: Polled; no more jobs start once it returns True.
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
