"""schemathesis makes every documented call to a server with a real director, with and without a token."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from streamer.config import Config
from streamer.control_status import Switching
from streamer.controls import Controls
from streamer.presets import Presets
from streamer.reload import Reload
from streamer.web import security
from tests.fakes import HandClock
from tests.video.studio import Studio
from tests.web.fuzz import CHECKS, fuzz
from tests.web.real import CheckedOutputs, RealStage

if importlib.util.find_spec("schemathesis") is None:
    pytest.skip("schemathesis is not installed", allow_module_level=True)

ROOM = {"calls_per_s": 10_000, "all_calls_per_s": 10_000, "kilobytes_per_s": 1_000_000}
TOKEN = "open sesame"


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., RealStage]]:
    """Yield a function that starts servers with all parts, where guessing tokens costs nothing."""
    monkeypatch.setattr(security, "SLOW_S", (0.0, 0.0))
    monkeypatch.setattr(security, "FAILURES", 1_000_000)
    started: list[RealStage] = []
    studio = Studio(tmp_path / "dreams")
    studio.dream(1, "volcano", "bubble")
    studio.album.start()

    def start(token: str | None = None, **web: Any) -> RealStage:
        reload = Reload(Config(), clock=HandClock())
        controls = Controls(reload, Presets(tmp_path / "presets"), Switching, lambda: None)
        web = {"limits": ROOM, **web}
        started.append(RealStage(token, web=web, album=studio.album, controls=controls, outputs=CheckedOutputs()))
        return started[-1]

    yield start
    for stage in started:
        stage.close()
    assert studio.album.close(10.0)


@pytest.mark.parametrize(
    ("configured", "sent", "how", "cases"),
    [
        (None, "", {"examples": 10}, 1000),
        (TOKEN, "", {"phases": "coverage", "mode": "positive"}, 100),
        (TOKEN, TOKEN, {"phases": "coverage", "mode": "positive"}, 100),
    ],
    ids=["no token", "without the token", "with the token"],
)
def test_no_call_is_answered_otherwise_than_documented(
    serve: Callable[..., RealStage], tmp_path: Path, configured: str | None, sent: str, how: dict[str, Any], cases: int
) -> None:
    stage = serve(configured)
    found = fuzz(stage.server.url.rstrip("/"), tmp_path, token=sent, checks=(*CHECKS, "ignored_auth"), **how)
    assert found.sound, found.told
    assert found.tested >= 60
    assert found.cases >= cases
