"""What the chat bot last told of itself: it is a process of its own, and only heard of."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from streamer.messages import ChatReport, ChatState
from streamer.requests.clean import clean_name, clean_text

GONE_S = 35.0
"""A bot that was silent for so long is gone; it tells of itself every 10 s."""


class ChatBoard:
    """Keeps the latest report. Thread-safe."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._latest: ChatReport | None = None
        self._told_s = 0.0

    def hear(self, report: ChatReport) -> None:
        """Take a report; its texts are cleaned."""
        report = replace(
            report,
            detail=clean_text(report.detail),
            account=clean_name(report.account),
            channel=clean_name(report.channel),
        )
        with self._lock:
            self._latest, self._told_s = report, self._clock()

    def read(self) -> ChatReport | None:
        """The latest report with its age; who has been silent for long is gone. None before the first."""
        with self._lock:
            if self._latest is None:
                return None
            age_s = self._clock() - self._told_s
            state = ChatState.GONE if age_s >= GONE_S else self._latest.state
            return replace(self._latest, state=state, age_s=age_s)
