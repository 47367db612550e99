"""The dashboard and the alerts against what the program exports: everything they name exists."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from streamer.messages.chat_status import ChatReport, ChatState
from streamer.messages.status import SourceStatus
from tests.web.conftest import Stage

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
RULES = DEPLOY / "prometheus" / "zoomdream.rules.yaml"
DASHBOARD = DEPLOY / "grafana" / "zoomdream.json"
NAME = re.compile(r"\bzoomdream_\w+")
FOREIGN = {"up"}
"""Metrics that Prometheus adds itself."""
FOREIGN_LABELS = {"instance", "job"}
DURATION = re.compile(r"(\d+(ms|[smhdwy]))+")


def rules() -> list[dict[str, Any]]:
    loaded = yaml.safe_load(RULES.read_text())
    return [rule for group in loaded["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    loaded = json.loads(DASHBOARD.read_text())
    return [*loaded["panels"], *(inner for panel in loaded["panels"] for inner in panel.get("panels", []))]


def shown() -> Iterator[tuple[str, str]]:
    """Yield each expression of the dashboard with its legend format."""
    for panel in panels():
        for target in panel.get("targets", []):
            yield target["expr"].replace("$__rate_interval", "5m").replace("$instance", ".*"), target["legendFormat"]


def expressions() -> list[str]:
    return [*(rule["expr"] for rule in rules()), *(expression for expression, _ in shown())]


@pytest.fixture
def exported(stage: Stage) -> dict[str, set[str]]:
    """The labels of every exported metric, by name, from the real exporter."""
    report = ChatReport(ChatState.CONNECTED, "", "bot", "anna", "twitch")
    stage.request_service.chat = report
    source = SourceStatus("camera", "/dev/video0", "live")
    stage.status.snapshot = replace(stage.status.snapshot, source=source)
    limits = stage.call("POST", "/api/requests", {"user": "a" * 100_000})  # a refusal to count
    assert limits.status >= 400
    text = stage.call("GET", "/metrics").body.decode()
    names: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        if family.name == "zoomdream_refused":
            names["zoomdream_refused_total"] = {"kind"}
        for sample in family.samples:
            names.setdefault(sample.name, set()).update(sample.labels)
    return names


def test_every_metric_in_dashboard_and_alerts_is_exported(exported: dict[str, set[str]]) -> None:
    found = {name for expression in expressions() for name in NAME.findall(expression)}
    assert len(found) > 25
    assert found <= set(exported), found - set(exported)


def test_what_an_operator_needs_is_in_the_dashboard(exported: dict[str, set[str]]) -> None:
    in_dashboard = {name for expression, _ in shown() for name in NAME.findall(expression)}
    for name in (
        "frames_total",
        "fps_measured",
        "longest_gap_seconds",
        "renderer_restarts_total",
        "output_live",
        "output_dropped_total",
        "chat_state",
        "queue_waiting",
        "queue_written",
        "memory_bytes",
        "slate",
    ):
        assert f"zoomdream_{name}" in in_dashboard


def test_expressions_are_promql_and_name_labels_that_there_are(exported: dict[str, set[str]]) -> None:
    promql = pytest.importorskip("promql_parser", reason="promql-parser is not installed")
    selectors: list[Any] = []

    def look(node: Any) -> None:
        if isinstance(node, promql.VectorSelector):
            selectors.append(node)

    for expression in expressions():
        promql.walk(promql.parse(expression), look)
    assert len(selectors) > 40
    for selector in selectors:
        assert selector.name in exported or selector.name in FOREIGN, selector.name
        for matcher in selector.matchers.matchers:
            assert matcher.name in exported.get(selector.name, set()) | FOREIGN_LABELS, str(selector)


def test_texts_name_labels_that_there_are(exported: dict[str, set[str]]) -> None:
    texts = [(rule["expr"], text) for rule in rules() for text in rule["annotations"].values()]
    named = [(expression, label) for expression, text in texts for label in re.findall(r"\$labels\.(\w+)", text)]
    named += [(expression, label) for expression, text in shown() for label in re.findall(r"\{\{(\w+)\}\}", text)]
    for expression, label in named:
        having = {each for name in NAME.findall(expression) for each in exported[name]}
        assert label in having | FOREIGN_LABELS, (expression, label)


def test_alerts_have_their_shape() -> None:
    loaded = yaml.safe_load(RULES.read_text())
    assert set(loaded) == {"groups"}
    assert all(set(group) == {"name", "rules"} for group in loaded["groups"])
    names = [rule["alert"] for rule in rules()]
    assert len(names) == len(set(names)) > 10
    for rule in rules():
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert re.fullmatch(r"Zoomdream[A-Z]\w+", rule["alert"])
        assert DURATION.fullmatch(rule.get("for", "0s"))
        assert rule["labels"]["severity"] in ("info", "warning", "critical")
        assert set(rule["annotations"]) == {"summary", "description"}
        for text in rule["annotations"].values():
            assert text.count("{{") == text.count("}}")


def test_the_dashboard_has_its_shape() -> None:
    loaded = json.loads(DASHBOARD.read_text())
    assert {"title", "uid", "panels", "templating", "schemaVersion", "time"} <= set(loaded)
    assert {each["name"] for each in loaded["templating"]["list"]} == {"datasource", "instance"}
    numbers = [panel["id"] for panel in panels()]
    assert len(numbers) == len(set(numbers))
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells
        for target in panel.get("targets", []):
            assert 'instance=~"$instance"' in target["expr"]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool")
def test_promtool_takes_the_alerts() -> None:
    subprocess.run(["promtool", "check", "rules", RULES], check=True, timeout=300)
