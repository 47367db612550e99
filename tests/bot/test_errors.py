"""The bot's errors share a base class, and nothing else derives from it."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

import pytest

from bot.errors import BotError

pytest.importorskip("twitchio")
ROOT = Path(__file__).resolve().parents[2]


def test_every_error_that_the_bot_defines_is_a_bot_error() -> None:
    errors = set()
    for file in (ROOT / "bot").rglob("*.py"):
        name = ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        module = importlib.import_module(name)
        errors |= {
            found
            for _, found in inspect.getmembers(module, inspect.isclass)
            if issubclass(found, BaseException) and found.__module__ == name
        }
    assert {"ApiRefused", "ApiDown", "NeedsLogin", "TokenFileError", "WrongArguments"} <= {error.__name__ for error in errors}
    assert [error for error in errors if not issubclass(error, BotError)] == []
