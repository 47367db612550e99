"""The tree is the architecture: which module may import what. Arrows point one way: wiring, rooms, leaves."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

LEAVES = {
    "messages": set(),
    "assets": set(),
    "config_block": set(),
    "config_outputs": {"config_block"},
    "config_source": {"config_block"},
    "config_ink": {"config_block"},
    "config_journal": {"config_block"},
    "config": {"messages", "config_block", "config_outputs", "config_source", "config_ink", "config_journal"},
    "zoom": {"messages"},
    "flow": set(),
    "acts": {"messages"},
    "journal": {"acts", "config", "messages"},
    "past": {"acts", "journal", "messages"},
    "settings_yaml": set(),
    "settings_rules": {"config"},
    "settings_file": {"config", "settings_rules", "settings_yaml"},
}
"""Each leaf and the leaves it may import."""
ROOMS = ("requests", "dream", "video", "web")
ONLY_IN = {
    "torch": ("streamer.dream",),
    "torchvision": ("streamer.dream",),
    "av": ("streamer.video", "streamer.dream.moving.reels"),
    "aiohttp": ("streamer.web", "bot"),
    "twitchio": ("bot",),
    "sqlite3": ("streamer.requests",),
}
"""Packages that only some modules may import."""


@dataclass(frozen=True)
class Import:
    module: str
    """Who imports."""
    name: str
    """What, dotted."""
    line: int
    runs: bool
    """False under ``if TYPE_CHECKING``."""
    at_start: bool
    """Whether it runs when the module is imported."""

    def __str__(self) -> str:
        return f"{self.module}:{self.line} imports {self.name}"


def inside(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def module_name(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(file: Path) -> Iterator[Import]:
    module = module_name(file)
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]

    def walk(node: ast.AST, runs: bool, at_start: bool) -> Iterator[Import]:
        if isinstance(node, ast.Import):
            yield from (Import(module, alias.name, node.lineno, runs, at_start) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, base] if base else above)
            for alias in node.names:
                is_module = any(
                    (ROOT / f"{base}.{alias.name}".replace(".", "/")).with_suffix(end).exists() for end in (".py", "")
                )
                yield Import(module, f"{base}.{alias.name}" if is_module else base, node.lineno, runs, at_start)
        for child in ast.iter_child_nodes(node):
            lazy = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            typing_only = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test) and child in node.body
            yield from walk(child, runs and not typing_only, at_start and not lazy)

    yield from walk(ast.parse(file.read_text()), runs=True, at_start=True)


STREAMER = [found for file in sorted((ROOT / "streamer").rglob("*.py")) for found in imports(file)]
BOT = [found for file in sorted((ROOT / "bot").rglob("*.py")) for found in imports(file)]


def lines(found: Iterator[Import]) -> list[str]:
    return [str(each) for each in found]


def test_leaves_import_only_leaves_below_them():
    for leaf, below in LEAVES.items():
        allowed = tuple(f"streamer.{name}" for name in below)
        assert not lines(
            each
            for each in STREAMER
            if each.module == f"streamer.{leaf}" and inside(each.name, "streamer") and not each.name.startswith(allowed)
        )


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_itself_and_leaves(room):
    allowed = (f"streamer.{room}", *(f"streamer.{leaf}" for leaf in LEAVES))
    assert not lines(
        each
        for each in STREAMER
        if inside(each.module, f"streamer.{room}")
        and inside(each.name, "streamer")
        and not any(inside(each.name, name) for name in allowed)
    )


@pytest.mark.parametrize("package", ONLY_IN)
def test_packages_stay_in_their_rooms(package):
    assert not lines(
        each
        for each in STREAMER + BOT
        if inside(each.name, package) and each.runs and not any(inside(each.module, place) for place in ONLY_IN[package])
    )


def test_the_bot_and_the_streamer_never_import_each_other():
    """They speak HTTP. The config embeds the bot's settings, the command line starts the bot as the program it is."""
    assert not lines(each for each in BOT if inside(each.name, "streamer"))
    assert not lines(
        each
        for each in STREAMER
        if inside(each.name, "bot")
        and each.runs
        and not (each.module == "streamer.config" and each.name == "bot.config")
        and (each.at_start or each.module not in ("streamer.commands.bot", "streamer.commands.check"))
    )


def imported_by(code: str) -> set[str]:
    """The top-level packages that some code imports, in a fresh interpreter."""
    command = [sys.executable, "-c", f"{code}\nimport sys; print(' '.join(sys.modules))"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    return {name.partition(".")[0] for name in done.stdout.split()}


CHEAP = [f"streamer.{leaf}" for leaf in LEAVES] + ["streamer.dream.worker.renderer", "streamer.__main__"]


@pytest.mark.parametrize("module", CHEAP)
def test_torch_is_imported_only_when_there_is_something_to_dream(module):
    if not (ROOT / module.replace(".", "/")).with_suffix(".py").exists():
        pytest.skip("not written yet")
    assert not {"torch", "torchvision"} & imported_by(f"import {module}")


def test_help_needs_no_torch():
    if not (ROOT / "streamer" / "__main__.py").exists():
        pytest.skip("not written yet")
    code = (
        "import contextlib, os, runpy, sys\nsys.argv = ['zoomdream', '--help']\n"
        "with open(os.devnull, 'w') as nowhere, contextlib.redirect_stdout(nowhere), contextlib.suppress(SystemExit):\n"
        "    runpy.run_module('streamer', run_name='__main__')"
    )
    assert "torch" not in imported_by(code)
