"""Rewrite the tables in docs/api.md from the web server's table of routes.

    python tools/write_api.py

Calls are in streamer/web/route_table.py, meanings of refusals in streamer/web/openapi.py. Change them there, then run this.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from streamer.web.openapi import document  # noqa: E402
from streamer.web.route_table import TABLE  # noqa: E402

PAGE = ROOT / "docs" / "api.md"
MADE = re.compile(r"(<!-- made by tools/write_api.py: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


@dataclass(frozen=True)
class Guarded:
    """A server with all tokens set."""

    login: bool = True
    view_login: bool = True
    all_write: bool = True


def page() -> str:
    """Return the page's text, generated between the marks and unchanged elsewhere."""
    told = document(TABLE, Guarded(), "")
    made = {"calls": "\n".join(_calls(told)), "refusals": "\n".join(_refusals(told))}
    return MADE.sub(lambda found: f"{found[1]}{made[found[2]]}\n\n{found[3]}", PAGE.read_text(encoding="utf-8"))


def _calls(told: dict) -> Iterator[str]:
    for tag in told["tags"]:
        yield from ("", f"### {tag['name']}", "", "| call | for | what it does |", "|---|---|---|")
        for path, calls in told["paths"].items():
            for method, call in calls.items():
                if tag["name"] in call["tags"]:
                    yield f"| `{method.upper()} {path}` | {call['x-who']} | {call['summary']} |"


def _refusals(told: dict) -> Iterator[str]:
    yield from ("", "| status | meaning and codes |", "|---|---|")
    for name, refusal in told["components"]["responses"].items():
        yield f"| {name.removeprefix('Refused')} | {refusal['description']} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
