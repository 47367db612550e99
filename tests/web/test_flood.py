"""Runs each attack of tests/acceptance/http_flood.py briefly on a real server; that test measures the effect on video."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.patience import PATIENCE_S
from tests.web.attacks import ATTACKS, BAD, verdict
from tests.web.conftest import Stage

SECONDS = 1.5
ANSWER_S = 60.0
"""Far longer than an answer takes; without limits none would come, or the attackers would hold all places."""


@pytest.mark.parametrize("what", BAD)
def test_each_wrong_call_is_refused(stages: Callable[..., Stage], what: str) -> None:
    stage = stages(token="open sesame")
    assert verdict(stage.server.port, BAD[what]) in ("4xx", "dropped")
    assert stage.request_service.calls == []


@pytest.mark.parametrize("name", [name for name in ATTACKS if name != "calls that are wrong"])
def test_others_are_served_meanwhile(stages: Callable[..., Stage], name: str) -> None:
    stage = stages(token="open sesame")
    ending = threading.Event()
    with ThreadPoolExecutor(1) as aside:
        attack = aside.submit(ATTACKS[name], stage.server.port, ending)
        taken = []
        end_s = time.monotonic() + SECONDS
        while time.monotonic() < end_s:
            began_s = time.monotonic()
            assert stage.call("GET", "/api/status").status == 200
            taken.append(time.monotonic() - began_s)
            threading.Event().wait(0.1)
        ending.set()
        seen: Counter[str] = attack.result(PATIENCE_S)
    assert seen
    assert seen["taken whole"] == 0
    assert max(taken) < ANSWER_S
    assert stage.server.alive
