"""What Linux can tell about Windows: nothing on the way to a live run needs a feature that only POSIX has.

The tests import the program's modules as Windows would: ``sys.platform`` says so, the modules that Windows lacks cannot be
imported, and the functions and signals that it lacks are gone. The tests do not show that the modules work there.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ABSENT = ("fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty", "_posixshmem", "_posixsubprocess")
"""Modules that Windows lacks."""
SCRIPT = """
import importlib, os, select, signal, socket, sys

ABSENT = {absent!r}
WANTED = {wanted!r}
OURS = ("streamer", "bot", "shared")

def ours(name):
    return name.partition(".")[0] in OURS

for name in WANTED:  # with all that others bring, which have Windows versions of their own
    importlib.import_module(name)
for name in [name for name in sys.modules if ours(name)]:
    del sys.modules[name]

import builtins
real = builtins.__import__

def guarded(name, globals=None, locals=None, fromlist=(), level=0):
    if name.partition(".")[0] in ABSENT and ours((globals or {{}}).get("__name__", "")):
        raise ModuleNotFoundError(f"No module named '{{name}}'", name=name)
    return real(name, globals, locals, fromlist, level)

builtins.__import__ = guarded
sys.platform = "win32"
kept = {{"SIGABRT", "SIGFPE", "SIGILL", "SIGINT", "SIGSEGV", "SIGTERM", "SIG_DFL", "SIG_IGN"}}
for module, names in (
    (signal, [name for name in vars(signal) if name.startswith(("SIG", "pthread_", "alarm")) and name not in kept]),
    (os, [name for name in vars(os) if name.startswith(("sched_", "SCHED_", "PRIO_", "posix_"))]),
    (os, ["fork", "geteuid", "getuid", "getpriority", "memfd_create", "nice", "setpriority", "sysconf", "O_NOCTTY"]),
    (select, ["poll", "epoll"]),
    (socket, ["AF_UNIX", "SO_REUSEPORT"]),
):
    for name in names:
        if hasattr(module, name):
            delattr(module, name)
for name in WANTED:
    importlib.import_module(name)
print("imported", len([name for name in sys.modules if ours(name)]))
"""
LIVE = (
    *("streamer.__main__", "streamer.commands.run", "streamer.commands.bot", "streamer.commands.check", "streamer.pipeline"),
    *(
        "streamer.dream.worker.worker_main",
        "streamer.dream.worker.worker_setup",
        "streamer.dream.sessions.session",
        "streamer.web.server",
    ),
    *("streamer.video.sinks.push_process", "bot.__main__"),
)
OFFLINE = (
    *(
        "streamer.commands.render_script",
        "streamer.commands.render_pictures",
        "streamer.commands.render_film",
        "streamer.commands.render_journal",
    ),
    *("streamer.commands.fetch", "streamer.commands.styles"),
)


@pytest.mark.torch
@pytest.mark.parametrize("wanted", [LIVE, OFFLINE], ids=["live", "offline"])
def test_nothing_that_windows_lacks_is_imported(wanted: tuple[str, ...]) -> None:
    code = SCRIPT.format(absent=set(ABSENT), wanted=wanted)
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[-1]) > 40


def test_the_hook_notices(tmp_path: Path) -> None:
    (tmp_path / "streamer").mkdir()
    (tmp_path / "streamer" / "__init__.py").write_text("import sys\nif sys.platform == 'win32':\n    import fcntl\n")
    code = SCRIPT.format(absent=set(ABSENT), wanted=("streamer",))
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env={}, capture_output=True, text=True, timeout=300)
    assert "No module named 'fcntl'" in done.stderr


def top_level_imports(file: Path) -> Iterator[tuple[str, int]]:
    """Yield the imports that run on every system: neither under a condition nor in a ``try``."""
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        yield from ((name.partition(".")[0], node.lineno) for name in names)


def test_no_module_begins_with_what_windows_lacks() -> None:
    files = [file for folder in ("streamer", "bot", "shared") for file in (ROOT / folder).rglob("*.py")]
    files.append(ROOT / "tools" / "install.py")
    found = [
        f"{file.relative_to(ROOT)}:{line} imports {name}"
        for file in files
        for name, line in top_level_imports(file)
        if name in ABSENT
    ]
    assert not found
