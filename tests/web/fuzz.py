"""Runs schemathesis, which generates calls from a running server's own document, and returns its findings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
    "allow_header_conformance",
    "use_after_free",
)
SETTINGS = """\
[phases.coverage]
unexpected-methods = ["PUT", "QUERY"]

[checks.negative_data_rejection]
expected-statuses = ["400", "401", "403", "404", "405", "409", "413", "415", "422", "429"]
"""
"""Settings that schemathesis reads only from a file: two methods represent all that an address does not have, and an
undocumented body may also be too long."""
PATIENCE_S = 600.0
"""How long a run may take beyond its ``max_time_s``, on a busy machine."""
_opener = build_opener(ProxyHandler({}))


@dataclass(frozen=True)
class Found:
    """The result of a run."""

    sound: bool
    """Whether all answers passed all checks, and every call was made."""
    tested: int
    """Documented calls that were made."""
    selected: int
    """Documented calls that should have been made."""
    cases: int
    """Calls with different values."""
    told: str
    """What schemathesis printed."""


def operations(url: str, headers: dict[str, str]) -> list[tuple[str, str, dict[str, Any]]]:
    """Return method, path and description of every documented call."""
    with _opener.open(Request(f"{url}/api/openapi.json", headers=headers), timeout=10.0) as answer:
        told = json.loads(answer.read())
    return [(method.upper(), path, call) for path, calls in told["paths"].items() for method, call in calls.items()]


def fuzz(
    url: str,
    folder: Path,
    *,
    token: str = "",
    checks: Sequence[str] = CHECKS,
    without: Sequence[str] = (),
    phases: str = "coverage,fuzzing",
    mode: str = "all",
    examples: int = 20,
    max_time_s: int | None = None,
    seed: int | None = None,
) -> Found:
    """Make every documented call except endless ones.

    Args:
        url: URL of the server, without a slash at the end.
        folder: where schemathesis writes.
        without: further paths to leave out.
        phases: ``coverage`` tries values at the edges of what is allowed, and beyond; ``fuzzing`` tries others.
        mode: ``positive`` sends only documented values.
        examples: cases of each call in fuzzing.
        max_time_s: how long to keep going; None: one pass.
        seed: seed of random cases; None: the same cases each time.
    """
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    left_out = {path for _, path, call in operations(url, headers) if "x-endless" in call} | {*without}
    report, settings = folder / "report.json", folder / "schemathesis.toml"
    settings.write_text(SETTINGS)
    call = [sys.executable, "-m", "schemathesis.cli", f"--config-file={settings}", "run", f"{url}/api/openapi.json"]
    call += ["--no-color"]
    call += [f"--checks={','.join(checks)}", f"--max-examples={examples}", "--continue-on-failure", "--warnings=off"]
    call += ["--suppress-health-check=all"]
    call += [f"--phases={phases}", f"--mode={mode}", "--generation-with-security-parameters=false"]
    call += ["--generation-deterministic"] if seed is None else [f"--seed={seed}", "--generation-database=none"]
    call += [] if max_time_s is None else [f"--max-time={max_time_s}"]
    call += [f"--exclude-path={path}" for path in sorted(left_out)]
    call += [f"--header={name}: {value}" for name, value in headers.items()]
    call += [f"--report-json-path={report}", "--request-timeout=60"]
    environment = {**os.environ, "NO_PROXY": "*", "no_proxy": "*", "PYTHONWARNINGS": "default"}
    done = subprocess.run(
        call,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S + (max_time_s or 0),
    )
    told = done.stdout + done.stderr
    if not report.exists():
        return Found(False, 0, 0, 0, told)
    written = json.loads(report.read_text())
    counts = written["operations"] or {"tested": 0, "selected": 0}
    cases = (written["test_cases"] or {"generated": 0})["generated"]
    whole = done.returncode == 0 and written["complete"] and counts["tested"] == counts["selected"]
    return Found(whole, counts["tested"], counts["selected"], cases, told)
