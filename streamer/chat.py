"""Keeps the latest report of the chat bot, which is a separate process."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from shared.clean import clean_name, clean_text
from streamer.messages.chat_status import ChatReport, ChatState

GONE_S = 35.0
"""Seconds of silence after which the bot counts as gone; it reports every 10 s."""


class ChatBoard:
    """Keeps the latest report. Thread-safe."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._latest: ChatReport | None = None
        self.restarts = 0
        """Number of times the stream restarted its bot because it ended or hung; the pipeline counts."""
        self._told_s = self._since_s = 0.0

    def hear(self, report: ChatReport) -> None:
        """Take a report; its texts are cleaned."""
        report = replace(
            report,
            detail=clean_text(report.detail),
            account=clean_name(report.account),
            channel=clean_name(report.channel),
        )
        with self._lock:
            now_s = self._clock()
            if self._latest is None or self._state(now_s) is not report.state:
                self._since_s = now_s
            self._latest, self._told_s = report, now_s

    def read(self) -> ChatReport | None:
        """Return the latest report with its age, in state ``GONE`` after a long silence; None before the first."""
        with self._lock:
            if self._latest is None:
                return None
            now_s = self._clock()
            age_s, state, heard_s = now_s - self._told_s, self._state(now_s), self._latest.heard_s
            since_s = age_s - GONE_S if state is ChatState.GONE else now_s - self._since_s
            return replace(
                self._latest,
                state=state,
                age_s=age_s,
                heard_s=None if heard_s is None else heard_s + age_s,
                since_s=since_s,
            )

    def _state(self, now_s: float) -> ChatState:
        assert self._latest is not None
        return ChatState.GONE if now_s - self._told_s >= GONE_S else self._latest.state
