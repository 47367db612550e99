"""The reference of the public modules builds without a warning and has the expected content."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import build_reference

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.torch
def test_it_builds_without_a_warning_and_has_each_public_module(tmp_path: Path) -> None:
    pytest.importorskip("pdoc")
    call = [sys.executable, "-W", "error", "tools/build_reference.py", str(tmp_path)]
    done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    for module in build_reference.PUBLIC:
        page = (tmp_path / f"{module.replace('.', '/')}.html").read_text()
        assert f"<title>{module} API documentation</title>" in page
    messages = {path.stem for path in (ROOT / "streamer" / "messages").glob("[!_]*.py")}
    assert messages <= {path.stem for path in (tmp_path / "streamer" / "messages").glob("*.html")}
    keyframes = (tmp_path / "streamer" / "messages" / "keyframes.html").read_text()
    assert "(H, W, 3) uint8" in keyframes, "the fields' docstrings are shown"


def test_what_is_public_has_a_docstring_and_is_named_where_people_look() -> None:
    (told,) = re.findall(r"^### Public modules\n(.*?)^## ", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE | re.DOTALL)
    named = re.findall(r"`(streamer[\w.*]*)`", told)
    for module in build_reference.PUBLIC:
        assert any(re.fullmatch(re.escape(name).replace(r"\*", r"\w*"), module) for name in named), module
        if "dream" not in module:  # those may need torch
            assert importlib.import_module(module).__doc__, module
    for name in named:
        assert any(re.fullmatch(re.escape(name).replace(r"\*", r"\w*"), module) for module in build_reference.PUBLIC), name
