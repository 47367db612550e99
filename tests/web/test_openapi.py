"""The table of routes agrees with the app and the OpenAPI document that are built from it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web

from streamer.config import Config
from streamer.control_status import Switching
from streamer.controls import Controls
from streamer.presets import Presets
from streamer.reload import Reload
from streamer.web import openapi
from streamer.web.errors import STATUS
from streamer.web.route_table import TABLE
from streamer.web.security import Scope
from tests.fakes import HandClock
from tests.web import documented
from tests.web.conftest import Stage
from tests.web.documented import ROUTES
from tests.web.real import CheckedOutputs, RealStage

BEARER = {"Authorization": "Bearer open sesame"}
GIVEN = {
    "/api/requests/{id}": "/api/requests/1",
    "/api/outputs/{name}": "/api/outputs/relay",
    "/thumbnails/{wnid}.webp": "/thumbnails/n09472597.webp",
    "/{name}": "/obs.ts",
}
"""Addresses for templates, by the start of the template."""


def auth_settings(login: bool = False, view_login: bool = False, all_write: bool = True) -> Any:
    return SimpleNamespace(login=login, view_login=view_login, all_write=all_write)


@cache
def described(**known: bool) -> dict[str, Any]:
    return openapi.document(TABLE, auth_settings(**known), "1.2.3")


def operations(told: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(method.upper(), path): call for path, calls in told["paths"].items() for method, call in calls.items()}


def address(template: str) -> str:
    for begin, given in GIVEN.items():
        if template.startswith(begin):
            return given + template.removeprefix(begin)
    return template.replace("{id}", "abcdefghijkl")


@pytest.fixture
def whole(reals: Callable[..., RealStage], tmp_path: Path) -> Callable[..., RealStage]:
    """Return a function that starts servers with all parts and real directors."""

    def start(token: str | None = None, **config: Any) -> RealStage:
        controls = Controls(Reload(Config(), clock=HandClock()), Presets(tmp_path / "presets"), Switching, lambda: None)
        return reals(token=token, web=config, controls=controls, outputs=CheckedOutputs())

    return start


def test_every_route_of_the_app_is_documented_and_every_documented_call_is_a_route(
    whole: Callable[..., RealStage], monkeypatch: pytest.MonkeyPatch
) -> None:
    apps: list[web.Application] = []
    runner = web.AppRunner

    def note(app: web.Application, **more: Any) -> web.AppRunner:
        apps.append(app)
        return runner(app, **more)

    monkeypatch.setattr(web, "AppRunner", note)
    stage = whole()
    served = {(route.method, route.resource.canonical) for app in apps for route in app.router.routes() if route.resource}
    told = stage.call("GET", "/api/openapi.json").json
    files = {("GET", path.rstrip("/")) for path in told["x-files"]} | {("HEAD", path.rstrip("/")) for path in told["x-files"]}
    heads = {("HEAD", route.template) for route in ROUTES if route.method == "GET" and route.head}
    assert files == {("GET", "/static"), ("HEAD", "/static")}
    assert served - heads - files == set(operations(told))
    assert heads <= served


def test_every_documented_call_reaches_its_handler(whole: Callable[..., RealStage]) -> None:
    stage = whole()
    for method, path in operations(described()):
        connection, response = stage.call.open(method, address(path), {} if method in ("POST", "PATCH") else None)
        told = b"" if response.status == 200 else response.read()
        connection.close()
        assert response.status != 405, (method, path)
        if path != "/{name}":  # nothing is served there at the moment
            assert b"there is nothing here" not in told, (method, path)


@pytest.mark.parametrize(
    ("config", "known"),
    [
        ({}, {}),
        ({"token": "open sesame"}, {"login": True}),
        ({"token": "open sesame", "view_token": "look sesame"}, {"login": True, "view_login": True}),
        ({"token": "open sesame", "host": "0.0.0.0"}, {"login": True, "all_write": False}),
    ],
    ids=["open", "with a token", "with a token to view", "off loopback"],
)
def test_who_may_call_is_documented_as_the_door_has_it(
    whole: Callable[..., RealStage], config: dict[str, Any], known: dict[str, bool]
) -> None:
    stage = whole(**config)
    told = stage.call("GET", "/api/openapi.json", headers=BEARER if "token" in config else {}).json
    expected = described(**known)
    assert told["components"] == expected["components"]
    assert told["paths"] == expected["paths"]
    for (method, path), call in operations(told).items():
        connection, response = stage.call.open(method, address(path), {} if method in ("POST", "PATCH") else None)
        connection.close()
        refused = (response.status == 401) and path != "/api/login"
        assert refused == bool(call["security"]), (method, path, response.status)
        for schemes in call["security"]:
            assert schemes.keys() <= told["components"]["securitySchemes"].keys()


def test_live_controls_are_documented_where_there_are_any(stage: Stage, whole: Callable[..., RealStage]) -> None:
    assert "/api/controls" not in stage.call("GET", "/api/openapi.json").json["paths"]
    assert "/api/controls" in whole().call("GET", "/api/openapi.json").json["paths"]


def test_the_document_is_openapi(stage: Stage) -> None:
    """The document fits OpenAPI's own schema, which schemathesis ships; every reference resolves."""
    loaded = pytest.importorskip("schemathesis").openapi.from_dict(described(login=True, view_login=True))
    loaded.validate()
    told = described(login=True, view_login=True)
    assert (told["openapi"], told["info"]["version"]) == ("3.1.0", "1.2.3")
    text = json.dumps(told)
    for reference in set(re.findall(r'"\$ref": "#/([^"]+)"', text)):
        found: Any = told
        for part in reference.split("/"):
            found = found[part]
    names = [call["operationId"] for call in operations(told).values()]
    assert len(names) == len(set(names))
    assert "``" not in text
    assert len(stage.call("GET", "/api/openapi.json").body) < 300_000


def test_every_call_says_what_it_does_in_a_sentence() -> None:
    for route in ROUTES:
        assert re.fullmatch(r"[A-Z].{5,130}\.", route.summary), route.template
        assert set(openapi.refusals_of(route)) <= openapi.ERRORS.keys() - {405}
        assert {status for status in route.answers if status < 400} <= openapi.STATUSES.keys()


def test_every_refusal_has_a_documented_status() -> None:
    assert {int(status) for status in STATUS.values()} <= openapi.ERRORS.keys()


def test_what_an_event_holds_is_documented() -> None:
    call = described()["paths"]["/api/events"]["get"]
    assert call["x-event"] == {"name": "status", "data": {"$ref": "#/components/schemas/Status"}}
    assert list(call["responses"]["200"]["content"]) == ["text/event-stream"]


def test_endless_answers_are_of_the_documented_kind(stage: Stage) -> None:
    endless = [route for route in ROUTES if route.endless and route.template != "/{name}"]
    assert len(endless) == 4
    for route in endless:
        connection, response = stage.call.open("GET", route.template)
        assert response.headers.get_content_type() in (route.answers[200] or ())
        connection.close()


def test_only_moderators_write_unless_the_table_names_the_call() -> None:
    """A new call is for moderators until ``scope_of`` lists it."""
    asked = {route.template for route in ROUTES if route.method != "GET" and route.scope is not Scope.CONTROL}
    assert asked == {"/api/requests", "/api/poll/vote", "/api/login", "/api/logout"}


def test_an_answer_that_is_not_documented_fails_a_test() -> None:
    """Test the check that every web test makes."""
    good = json.dumps({"removed": 1}).encode()
    documented.check("DELETE", "/api/requests/1", 200, "application/json", good)
    error = json.dumps({"error": {"code": "not_found", "message": "no"}}).encode()
    documented.check("DELETE", "/api/requests/1", 404, "application/json", error)
    for status, media, body in (
        (200, "application/json", b'{"removed": "1"}'),
        (200, "application/json", b'{"removed": 1, "more": 2}'),
        (200, "application/json", b"{}"),
        (200, "text/html", good),
        (201, "application/json", good),
        (409, "application/json", error),
        (404, "application/json", b'{"error": {"code": "not_found"}}'),
        (404, "text/html", error),
    ):
        with pytest.raises(AssertionError):
            documented.check("DELETE", "/api/requests/1", status, media, body)
