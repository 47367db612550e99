"""Errors that an operator reads share one base class; other errors do not have it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from streamer.commands import FAILED, WRONG_CALL, CommandError
from streamer.commands.command_errors import as_command_error
from streamer.commands.script_parser import ScriptError
from streamer.dream.device import DeviceError
from streamer.settings_file import ConfigError
from streamer.video.files.movie import MovieError

ROOT = Path(__file__).resolve().parents[1]
OTHERS = {
    "ApiError",  # an HTTP answer
    "Refused",  # an answer to a viewer
    # Caught within their packages:
    "DamagedFile",
    "DeepPictureError",
    "DuplicateMessage",
    "PacketProtocolError",
    "ProfileError",
    "StopRequested",
    "TrackError",
    "Undecodable",
    "Unreadable",
    "WorkStopped",
}
"""Public exceptions that do not derive from ``ZoomdreamError``."""


def exceptions() -> dict[str, list[str]]:
    """Return all exception classes of the streamer and the names of their bases."""
    classes = {
        node.name: [ast.unparse(base) for base in node.bases]
        for file in (ROOT / "streamer").rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ClassDef)
    }

    def is_error(name: str) -> bool:
        known = classes.get(name)
        return name in ("Exception", "ValueError", "RuntimeError", "OSError") if known is None else any(map(is_error, known))

    return {name: bases for name, bases in classes.items() if is_error(name)}


def test_errors_for_the_operator_share_one_base():
    found = exceptions()

    def derives(name: str) -> bool:
        return name == "ZoomdreamError" or any(derives(base) for base in found.get(name, ()))

    assert "ZoomdreamError" in found
    assert {name for name in found if not derives(name) and not name.startswith("_")} == OTHERS


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ScriptError("line 3: 'volcno' is unknown"), WRONG_CALL),
        (ConfigError(["a: wrong", "b: wrong"]), WRONG_CALL),
        (DeviceError("there is no GPU"), FAILED),
        (MovieError("no such folder", wrong_call=True), WRONG_CALL),
        (MovieError("the disk is full"), FAILED),
        (CommandError("stopped", 143), 143),
    ],
)
def test_a_command_exits_with_the_code_of_its_error(error, code):
    with pytest.raises(CommandError) as raised, as_command_error():
        raise error
    assert raised.value.code == code
    assert str(raised.value) == str(error).replace("\n", "; ")
