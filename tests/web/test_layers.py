"""Layers in the API, with a real director: who may ask for them, and what it reports."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from streamer.messages.network_contents import LayerEntry
from tests.web.real import RealStage

TOKEN = "a long secret"
LAYERS = [LayerEntry("conv1", 64, 2), LayerEntry("fire5", 256, 8)]


@pytest.fixture
def real() -> Iterator[RealStage]:
    stage = RealStage(TOKEN)
    yield stage
    stage.close()


def ask(real: RealStage, text: str, token: str | None = None, **more: str) -> tuple[int, str]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    answer = real.call("POST", "/api/requests", {"user": "mo", "text": text, **more}, headers)
    return answer.status, answer.json["title"] if answer.status == 201 else answer.json["error"]["code"]


def test_the_layers_are_listed_once_the_network_is_loaded(real: RealStage) -> None:
    assert real.call("GET", "/api/layers").json == {"network": "squeezenet1_1", "layers": []}
    real.learn_layers(LAYERS)
    assert real.call("GET", "/api/layers").json["layers"] == [
        {"name": "conv1", "channels": 64, "stride": 2},
        {"name": "fire5", "channels": 256, "stride": 8},
    ]


def test_moderators_ask_for_them_and_nobody_else(real: RealStage) -> None:
    real.learn_layers(LAYERS)
    assert ask(real, "layer fire5") == (403, "forbidden")
    assert ask(real, "layer fire5", role="moderator") == (401, "unauthorized")
    assert ask(real, "layer fire5", "a wrong secret", role="moderator")[0] == 401
    assert ask(real, "layer fire5", TOKEN) == (403, "forbidden"), "a bot's call for a viewer"
    assert ask(real, "!dream layer FIRE5:3 + volcano", TOKEN, role="moderator") == (201, "layer fire5:3 + volcano")
    assert ask(real, "layer fire5:256", TOKEN, role="broadcaster") == (400, "bad_input")
    assert ask(real, "layer fire6", TOKEN, role="moderator") == (422, "unknown_word")
    queue = real.call("GET", "/api/status").json["queue"]
    assert [target["kind"] for target in queue[0]["targets"]] == ["layer", "class"]


def test_files_of_this_machine_cannot_be_asked_for(real: RealStage) -> None:
    real.learn_layers(LAYERS)
    for role in ("everyone", "moderator", "broadcaster"):
        assert ask(real, "guide /etc/picture.png", TOKEN, role=role) == (403, "forbidden")


def test_what_words_would_match_depends_on_who_asks(real: RealStage) -> None:
    real.learn_layers(LAYERS)
    assert real.call("GET", "/api/match?text=layer+fire5").status == 403
    answer = real.call("GET", "/api/match?text=layer+fire5", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.json["title"] == "layer fire5"
    for query, status in (("&role=vip", 403), ("&role=broadcaster", 200), ("&role=king", 400)):
        path = "/api/match?text=layer+fire5" + query
        assert real.call("GET", path, headers={"Authorization": f"Bearer {TOKEN}"}).status == status
