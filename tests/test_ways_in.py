"""The files that contributors read first agree with the repository."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from streamer import __version__
from tests.conftest import SLOW
from tests.test_architecture import DREAM, ROOMS

ROOT = Path(__file__).resolve().parents[1]
MAKEFILE = (ROOT / "Makefile").read_text()
CONTRIBUTING, ARCHITECTURE = ((ROOT / name).read_text() for name in ("CONTRIBUTING.md", "ARCHITECTURE.md"))
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
TEMPLATES = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))


def test_the_commands_that_are_named_are_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z-]+)", CONTRIBUTING)) <= targets
    for module in re.findall(r"tests\.acceptance\.([a-z0-9_]+)", CONTRIBUTING):
        assert (ROOT / "tests" / "acceptance" / f"{module}.py").exists(), module


@pytest.mark.parametrize("text", [CONTRIBUTING, ARCHITECTURE], ids=["CONTRIBUTING", "ARCHITECTURE"])
def test_the_files_that_are_named_are_there(text: str) -> None:
    named = re.findall(r"`((?:streamer|bot|shared|tests|tools|benchmarks|configs|docs|\.ci)/[\w./]*)`", text)
    assert len(named) > 5
    for path in named:
        assert (ROOT / path).exists(), path


def test_the_marks_that_are_named_are_there() -> None:
    marks = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]["markers"]
    there = {mark.partition(":")[0] for mark in marks}
    (told,) = re.findall(r"^- Marks: (.*?)\.\n", CONTRIBUTING, re.MULTILINE | re.DOTALL)
    assert set(re.findall(r"`([a-z]+)` \(", told)) == there - {"logs"}


def test_the_architecture_is_the_one_that_is_kept() -> None:
    for room in ROOMS:
        assert f"`streamer/{room}/`" in ARCHITECTURE
    (told,) = re.findall(r"are layered too, from the bottom up: (.*?)\.", ARCHITECTURE, re.DOTALL)
    packages = [name for name in DREAM if (ROOT / "streamer" / "dream" / name).is_dir()]
    assert [name for name in re.findall(r"`(\w+)`", told) if name in packages] == packages


def test_before_a_commit_the_same_is_checked_as_by_make() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    recipe = MAKEFILE.partition("\ncheck:")[2].partition("\n\n")[0].replace("$(BIN)", ".venv/bin")
    checks = [line.strip().removesuffix(" .") for line in recipe.splitlines()[1:]]
    assert [hook["entry"].removesuffix(" --force-exclude") for hook in hooks] == checks


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.stem)
def test_the_forms_for_issues_are_whole(template: Path) -> None:
    form = yaml.safe_load(template.read_text())
    if template.stem == "config":
        return
    assert {"name", "description", "body"} <= set(form)
    asked = [field for field in form["body"] if field["type"] != "markdown"]
    assert asked
    assert all(field["attributes"]["label"] and field["id"] for field in asked)


def test_each_package_says_that_it_has_types() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    for package in project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]:
        assert (ROOT / package / "py.typed").read_text() == ""


def test_the_version_is_stated_once() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["dynamic"] == ["version"]
    source = (ROOT / project["tool"]["hatch"]["version"]["path"]).read_text()
    assert re.findall(r'^__version__ = "(.+)"$', source, re.MULTILINE) == [__version__]


def test_the_changelog_is_cut_into_releases() -> None:
    titles = re.findall(r"^## (.+)$", CHANGELOG, re.MULTILINE)
    assert titles[0] == "Unreleased"
    releases = [re.fullmatch(r"(\d+)\.(\d+)\.(\d+) - (\d{4}-\d\d-\d\d)", title) for title in titles[1:]]
    assert all(releases), titles
    numbers = [tuple(map(int, release.groups()[:3])) for release in releases if release]
    assert numbers == sorted(set(numbers), reverse=True)
    assert ".".join(map(str, numbers[0])) == __version__
    dates = [release[4] for release in releases if release]
    assert dates == sorted(dates, reverse=True)
    kinds = set(re.findall(r"^### (.+)$", CHANGELOG, re.MULTILINE))
    assert {kind for kind in kinds if not kind.startswith("Upgrade from ")} <= {
        *("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")
    }


def test_what_is_quick_starts_no_process_and_needs_no_torch() -> None:
    files = {str(path.relative_to(ROOT / "tests")): path.read_text() for path in (ROOT / "tests").rglob("test_*.py")}
    quick = {name for name, text in files.items() if not SLOW.search(text)}
    assert {"test_zoom.py", "test_config.py", "requests/test_director.py", "dream/test_dream_loop.py"} <= quick
    assert not quick & {
        "test_pipeline.py",
        "dream/test_renderer.py",
        "video/test_shared_encoder.py",
        "web/test_pages.py",
        "bot/test_irc.py",
    }
    for name in quick:
        assert not re.search(r"\bPopen\(|subprocess\.run\(|\.Process\(", files[name]), name
