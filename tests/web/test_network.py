"""Which network runs and what it knows, as a real director reports it."""

from __future__ import annotations

import json

from streamer.commands.classes import bundled_wnids
from tests.web.real import RealStage, wnids_of


def test_what_the_bundled_network_has_not_learnt_is_answered_with_what_is_near(bundled: RealStage) -> None:
    answer = bundled.call("POST", "/api/requests", {"user": "ann", "text": "volcano + bubble"})
    assert answer.status == 422
    near = answer.error["suggestions"]
    assert answer.error == {
        "code": "unlearnt",
        "message": "'volcano' is not among the 200 things this network knows (a larger one does); "
        "try alpine mountain, cliff or seashore",
        "suggestions": near,
        "said": "volcano",
        "label": "volcano",
        "known": 200,
        "remedy": bundled.call("GET", "/api/network").json["remedy"],
    }
    assert bundled.ask("ann", near[0])["title"] == near[0]
    assert bundled.call("POST", "/api/requests", {"user": "ann", "text": "qwxyz"}).error["code"] == "unknown_word"


def test_the_examples_are_taken_whichever_network_dreams(bundled: RealStage) -> None:
    for network, wnids in (("bundled", bundled_wnids()), ("large", {*wnids_of(bundled)}), ("large", None)):
        bundled.learn(network, wnids)
        told = bundled.call("GET", "/api/network").json
        assert (told["name"], told["classes"]) == (network, len(wnids or ()))
        for label in told["examples"]:
            assert bundled.call("GET", f"/api/match?text={label.replace(' ', '%20')}").json["title"] == label
        assert bool(told["remedy"]) == (told["classes"] == 200)


def test_classes_tell_what_only_larger_networks_know(bundled: RealStage) -> None:
    found = bundled.call("GET", "/api/classes").json["classes"]
    assert [entry["unlearnt"] for entry in found] == [False] * 200 + [True] * 800
    bundled.learn("large", wnids_of(bundled))
    assert all(entry["available"] for entry in bundled.call("GET", "/api/classes").json["classes"])


def test_watchers_hear_at_once_of_another_network(bundled: RealStage) -> None:
    connection, response = bundled.call.open("GET", "/api/events")
    try:
        seen = []
        while True:
            line = response.readline()
            if not line.startswith(b"data: "):
                continue
            network = json.loads(line.removeprefix(b"data: "))["network"]
            seen.append((network["name"], network["classes"]))
            if len(seen) == 1:
                bundled.learn("large", wnids_of(bundled))
            elif seen[-1] == ("large", 1000):
                break
            assert len(seen) < 20
        assert seen[0] == ("bundled", 200)
    finally:
        connection.close()
