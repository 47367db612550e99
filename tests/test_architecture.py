"""Which module may import what. Imports go one way: from the wiring to the packages, and from those to the leaves."""

from __future__ import annotations

import ast
import functools
import re
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
    "errors": set(),
    "config_block": set(),
    "config_album": {"config_block"},
    "config_react": {"config_block"},
    "config_outputs": {"config_block", "config_react"},
    "config_source": {"config_block"},
    "config_ink": {"config_block"},
    "config_controls": {"config_block"},
    "config_journal": {"config_block"},
    "config_log": {"config_block"},
    "config_renderer": {"config_block"},
    "config_snapshot": {"config_block"},
    "config_thumbnails": {"config_block"},
    "config_web": {"config_block"},
    "file_descriptors": set(),
    "loop": set(),
    "algorithm_facts": set(),
    "network_names": set(),
    "config": {
        "messages",
        "algorithm_facts",
        "network_names",
        "config_block",
        "config_album",
        "config_outputs",
        "config_source",
        "config_ink",
        "config_controls",
        "config_journal",
        "config_log",
        "config_renderer",
        "config_snapshot",
        "config_thumbnails",
        "config_web",
    },
    "pulse": set(),
    "zoom": {"messages"},
    "optical_flow": set(),
    "media": set(),
    "events": {"messages"},
    "processes": set(),
    "resources": set(),
    "overload": {"messages"},
    "target_record": {"messages"},
    "scene_record": {"messages", "target_record"},
    "dream_state": {"messages"},
    "saved_state": {"errors"},
    "snapshot": {"errors", "dream_state", "messages", "scene_record"},
    "journal_writer": {"events", "config", "messages", "scene_record"},
    "journal_reader": {"errors", "events", "journal_writer", "messages", "pulse", "scene_record"},
    "settings_characters": set(),
    "settings_yaml": {"settings_characters"},
    "settings_rules": {"config"},
    "settings_live": {"errors", "events", "config", "settings_rules"},
    "settings_transition": {"config", "settings_live"},
    "settings_file": {"errors", "config", "settings_rules", "settings_characters", "settings_yaml", "text_files"},
    "text_files": set(),
    "cache_file": set(),
    "cluster_nodes": set(),
    "cluster": {"errors", "cluster_nodes"},
    "link_probe": {"cluster", "cluster_nodes"},
    "atomic_files": set(),
    "plurals": set(),
    "control_status": set(),
    "presets": {"errors", "config", "settings_file", "settings_live", "settings_rules"},
}
"""Each leaf and the leaves it may import."""
DREAM = (
    "interface",
    "device",
    "compute_formats",
    "shared_memory",
    "sources",
    "networks",
    "objectives",
    "algorithms",
    "sessions",
    "worker",
)
"""The packages of the dream, lowest first: each imports itself and those before it."""
ROOMS = ("requests", "dream", "video", "web")
ONLY_IN = {
    "torch": ("streamer.dream",),
    "torchvision": ("streamer.dream",),
    # The dream's own processes read cameras and encode keyframes for slow networks as H.264.
    "av": ("streamer.media", "streamer.video", "streamer.dream.sources.readers", "streamer.dream.worker.remote.h264_keyframes"),
    "aiohttp": ("streamer.web", "bot"),
    "twitchio": ("bot",),
    "sqlite3": ("streamer.requests",),
    "watchfiles": ("streamer.settings_watch",),
    "pythonosc": ("streamer.osc",),
    "ray": ("streamer.cluster",),
}
"""Packages that only some modules may import."""


@dataclass(frozen=True)
class Import:
    module: str
    """The importing module."""
    name: str
    """The imported name, dotted."""
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
        lazy = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        typing_only = node.body if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test) else []
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):  # expressions contain no imports
                continue
            yield from walk(child, runs and child not in typing_only, at_start and not lazy)

    yield from walk(ast.parse(file.read_text()), runs=True, at_start=True)


@functools.cache
def imports_in(package: str) -> list[Import]:
    """Return all imports of a package. The first call finds them, since collecting the tests does not need them."""
    return [found for file in sorted((ROOT / package).rglob("*.py")) for found in imports(file)]


def lines(found: Iterator[Import]) -> list[str]:
    return [str(each) for each in found]


def test_leaves_import_only_leaves_below_them():
    for leaf, below in LEAVES.items():
        allowed = tuple(f"streamer.{name}" for name in below)
        assert not lines(
            each
            for each in imports_in("streamer")
            if inside(each.module, f"streamer.{leaf}")
            and inside(each.name, "streamer")
            and not inside(each.name, f"streamer.{leaf}")
            and not each.name.startswith(allowed)
        )


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_itself_and_leaves(room):
    allowed = (f"streamer.{room}", *(f"streamer.{leaf}" for leaf in LEAVES))
    assert not lines(
        each
        for each in imports_in("streamer")
        if inside(each.module, f"streamer.{room}")
        and inside(each.name, "streamer")
        and not any(inside(each.name, name) for name in allowed)
    )


@pytest.mark.parametrize("number", range(len(DREAM)))
def test_a_package_of_the_dream_imports_none_above_it(number):
    allowed = tuple(f"streamer.dream.{name}" for name in DREAM[: number + 1])
    assert not lines(
        each
        for each in imports_in("streamer")
        if inside(each.module, f"streamer.dream.{DREAM[number]}")
        and inside(each.name, "streamer.dream")
        and not any(inside(each.name, name) for name in allowed)
    )


def test_the_dream_is_made_of_these_packages():
    found = {path.stem for path in (ROOT / "streamer" / "dream").iterdir() if not path.stem.startswith("__")}
    assert found == set(DREAM)


@pytest.mark.parametrize("package", ONLY_IN)
def test_packages_stay_in_their_rooms(package):
    assert not lines(
        each
        for each in imports_in("streamer") + imports_in("bot")
        if inside(each.name, package) and each.runs and not any(inside(each.module, place) for place in ONLY_IN[package])
    )


def test_the_bot_and_the_streamer_never_import_each_other():
    """They talk over HTTP. The config embeds the bot's settings, and the command line starts the bot as its own program."""
    assert not lines(each for each in imports_in("bot") if inside(each.name, "streamer"))
    assert not lines(
        each
        for each in imports_in("streamer")
        if inside(each.name, "bot")
        and each.runs
        and not (each.module == "streamer.config" and each.name == "bot.config")
        and (each.at_start or each.module not in ("streamer.commands.bot", "streamer.commands.check"))
    )


def test_what_bot_and_streamer_share_knows_neither_and_needs_two_packages():
    """Cleaning text needs only ``regex``, and settings only pydantic; nothing reads, writes or waits."""
    allowed = {"__future__", "unicodedata", "re", "dataclasses", "collections", "enum", "typing", "regex", "shared"}
    of_settings = {"__future__", "pathlib", "typing", "pydantic", "pydantic_core"}
    assert imports_in("shared")
    assert not lines(
        each
        for each in imports_in("shared")
        if each.name.partition(".")[0] not in (of_settings if each.module == "shared.section" else allowed)
    )


def test_both_clean_viewers_words_by_the_one_copy():
    for users in (imports_in("streamer"), imports_in("bot")):
        assert {"shared.clean"} <= {each.name for each in users}
    copies = [
        file
        for folder in ("streamer", "bot")
        for file in (ROOT / folder).rglob("*.py")
        if re.search(r"def (?:clean_(?:name|text)|echo|quote)\(|class (?:Role|Section)\(", file.read_text())
    ]
    assert not copies


@functools.cache
def imported_by(code: str) -> set[str]:
    """Return the top-level packages that some code imports in a fresh interpreter."""
    command = [sys.executable, "-c", f"{code}\nimport sys; print(' '.join(sys.modules))"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=300)
    return {name.partition(".")[0] for name in done.stdout.split()}


def modules_of(leaf: str) -> list[str]:
    """Return the module of a leaf, or all modules of a leaf that is a package."""
    return [f"streamer.{leaf}", *(module_name(file) for file in sorted((ROOT / "streamer" / leaf).glob("[!_]*.py")))]


CHEAP = [module for leaf in LEAVES for module in modules_of(leaf)] + ["streamer.dream.worker.renderer", "streamer.__main__"]


@pytest.mark.parametrize("module", CHEAP)
def test_torch_is_imported_only_when_there_is_something_to_dream(module):
    torch = {"torch", "torchvision"}
    # One process imports all modules; only if that imports torch does each module need its own.
    assert not torch & imported_by(f"import {', '.join(CHEAP)}") or not torch & imported_by(f"import {module}")


def test_help_needs_no_torch():
    if not (ROOT / "streamer" / "__main__.py").exists():
        pytest.skip("not written yet")
    code = (
        "import contextlib, os, runpy, sys\nsys.argv = ['zoomdream', '--help']\n"
        "with open(os.devnull, 'w') as nowhere, contextlib.redirect_stdout(nowhere), contextlib.suppress(SystemExit):\n"
        "    runpy.run_module('streamer', run_name='__main__')"
    )
    assert "torch" not in imported_by(code)
