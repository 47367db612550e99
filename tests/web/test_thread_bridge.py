"""Blocking calls from the event loop: what they return, and what happens if they take too long."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading

import pytest

from streamer.messages.refused import Reason, Refused
from streamer.web import thread_bridge
from streamer.web.errors import ApiError
from streamer.web.thread_bridge import ThreadBridge
from tests.patience import PATIENCE_S


def test_a_call_returns_and_raises_as_it_does() -> None:
    def refuse() -> None:
        raise Refused(Reason.CLOSED, "not now")

    async def scene() -> None:
        in_thread = ThreadBridge()
        assert await in_thread(lambda: 7) == 7
        with pytest.raises(Refused, match="not now"):
            await in_thread(refuse)
        in_thread.close()

    asyncio.run(scene())


def test_a_call_that_takes_too_long_is_abandoned_and_its_end_logged_in_one_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(thread_bridge, "CALL_S", 0.05)
    caplog.set_level(logging.INFO)
    release = threading.Event()

    def slow() -> None:
        release.wait(PATIENCE_S)
        raise Refused(Reason.CLOSED, "not now\nnor ever")

    async def scene() -> None:
        in_thread = ThreadBridge()
        with pytest.raises(ApiError, match="did not answer in time") as caught:
            await in_thread(slow)
        assert caught.value.status == 503
        release.set()
        while in_thread._under_way:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        in_thread.close()

    asyncio.run(scene())
    gc.collect()  # asyncio reports unretrieved errors when they are collected
    assert [record.getMessage() for record in caplog.records if record.name != "asyncio"] == [
        "a call failed after it had timed out: Refused: not now"
    ]
    assert "never retrieved" not in caplog.text
