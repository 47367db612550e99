from __future__ import annotations

import itertools
import multiprocessing
import threading
import time

import numpy as np
import pytest

from streamer.dream.sources.picture_feed import PictureFeed
from streamer.messages.keyframes import SourcePicture
from tests.patience import PATIENCE_S


def picture(number: int, size: tuple[int, int] = (36, 64)) -> SourcePicture:
    return SourcePicture(np.full((*size, 3), number % 251, np.uint8), number, number / 10)


def test_the_newest_is_taken_once() -> None:
    feed = PictureFeed((36, 64))
    assert feed.newest() is None
    for number in range(1, 8):
        feed.put(picture(number))
    taken = feed.newest()
    assert taken is not None
    assert (taken.number, taken.time_s) == (7, 0.7)
    assert (taken.image == 7).all()
    assert feed.newest(after=7) is None
    feed.close()


def test_what_was_taken_stays_as_it_was() -> None:
    feed = PictureFeed((36, 64))
    feed.put(picture(1))
    taken = feed.newest()
    for number in range(2, 9):
        feed.put(picture(number))
    assert taken is not None
    assert (taken.image == 1).all()
    feed.close()


def test_sizes_may_change_but_not_beyond_the_largest() -> None:
    feed = PictureFeed((36, 64))
    feed.put(picture(1, (20, 30)))
    taken = feed.newest()
    assert taken is not None
    assert taken.image.shape == (20, 30, 3)
    with pytest.raises(ValueError, match="larger than 64x36"):
        feed.put(picture(2, (37, 64)))
    feed.close()


def test_nothing_torn_is_ever_taken() -> None:
    feed, done, wrong, seen = PictureFeed((90, 160)), threading.Event(), [], set()

    def write() -> None:
        for number in itertools.count(1):
            feed.put(picture(number, (90, 160)))
            if done.is_set():
                return

    writer = threading.Thread(target=write)
    writer.start()
    end_s = time.monotonic() + PATIENCE_S
    while len(seen) < 20 and time.monotonic() < end_s:  # the system decides how often the threads take turns
        taken = feed.newest()
        if taken is not None:
            seen.add(taken.number)
            if not (taken.image == taken.number % 251).all():
                wrong.append(taken.number)
    done.set()
    writer.join()
    feed.close()
    assert not wrong
    assert len(seen) == 20


def _take(feed: PictureFeed, answers) -> None:
    taken = feed.newest()
    answers.put(None if taken is None else (taken.number, int(taken.image.mean())))
    feed.close()


def test_another_process_takes_from_the_same_memory() -> None:
    spawn = multiprocessing.get_context("spawn")
    feed, answers = PictureFeed((36, 64)), spawn.Queue()
    feed.put(picture(9))
    process = spawn.Process(target=_take, args=(feed, answers))
    process.start()
    assert answers.get(timeout=PATIENCE_S) == (9, 9)
    process.join()
    feed.close()
