"""The list of chat commands, and the settings and documents generated from it."""

from __future__ import annotations

import ast
import pickle
import runpy
from collections import Counter
from pathlib import Path

import pytest

from bot.all_replies import ALL_REPLIES, SHARED
from bot.commands.arguments import number, request_id
from bot.commands.command import WrongArguments
from bot.commands.poll import PollArguments
from bot.commands.registry import ALL, BY_NAME
from bot.config import ChatConfig
from shared.role import Role

ROOT = Path(__file__).resolve().parents[2]
SHARED_CODE = {"__init__", "arguments", "command", "registry"}


def test_each_command_is_an_object_in_a_file_of_its_name() -> None:
    files = {path.stem for path in (ROOT / "bot" / "commands").glob("*.py")} - SHARED_CODE
    assert sorted(files) == sorted(command.name for command in ALL)
    for command in ALL:
        assert command.run.__module__ == f"bot.commands.{command.name}"


def test_names_aliases_and_replies_are_there_once() -> None:
    words = [word for command in ALL for word in (command.name, *command.aliases)]
    assert [word for word, count in Counter(words).items() if count > 1] == []
    keys = [key for replies in (*(command.replies for command in ALL), SHARED) for key in replies]
    assert [key for key, count in Counter(keys).items() if count > 1] == []
    assert len(ALL_REPLIES) == len(keys)


def test_every_reply_that_is_written_is_said_and_every_one_said_is_written() -> None:
    nodes = [node for file in (ROOT / "bot").rglob("*.py") for node in ast.walk(ast.parse(file.read_text()))]
    written = {id(key) for node in nodes if isinstance(node, ast.Dict) for key in node.keys}
    texts = {node.value for node in nodes if isinstance(node, ast.Constant) and id(node) not in written}
    assert set(ALL_REPLIES) - texts == set(), "these are never said"
    saying = ("say", "say_missing", "say_with_examples", "_once", "_fill", "WrongArguments")
    said = {
        node.args[0].value
        for node in nodes
        if isinstance(node, ast.Call)
        and getattr(node.func, "attr", getattr(node.func, "id", "")) in saying
        and node.args
        and isinstance(node.args[0], ast.Constant)
        and isinstance(node.args[0].value, str)
    }
    assert len(said) > 50
    assert said - set(ALL_REPLIES) == set(), "these are not written"


def test_the_settings_are_made_from_the_commands() -> None:
    commands = ChatConfig().commands
    assert [command for command, _ in commands.items()] == list(ALL)
    for command, settings in commands.items():
        assert (settings.aliases, settings.role) == (command.aliases, command.role.value)
        assert (settings.cooldown_s, settings.user_cooldown_s) == (command.cooldown_s, command.user_cooldown_s)
        assert type(settings).__doc__ == command.description
    changed = ChatConfig.model_validate({"commands": {"queue": {"cooldown_s": 0.0}}})
    assert changed.commands.of("queue").aliases == BY_NAME["queue"].aliases, "what is not said stays as it is"


def test_settings_reach_another_process() -> None:
    chat = ChatConfig.model_validate({"commands": {"queue": {"aliases": ("list",)}, "now": {"enabled": False}}})
    arrived = pickle.loads(pickle.dumps(chat))
    assert arrived == chat
    assert type(arrived.commands.of("queue")) is type(chat.commands.of("queue"))
    assert arrived.commands.of("queue").aliases == ("list",)


def test_the_table_in_the_documents_is_made_from_the_commands() -> None:
    tool = runpy.run_path(str(ROOT / "tools" / "write_reference.py"))
    page = (ROOT / "docs" / "chat.md").read_text()
    assert page == tool["commands"](), "the table of commands in docs/chat.md is out of date; run tools/write_reference.py"
    for command in ALL:
        assert f"| `!{command.name}" in page


def test_only_moderators_have_commands_that_change_what_is_not_theirs() -> None:
    of_viewers = {command.name for command in ALL if command.role is Role.EVERYONE}
    assert of_viewers == {"dream", "random", "queue", "when", "oops", "now", "what", "clip", "help", "voteskip", "poll", "vote"}
    assert all(command.role is Role.MODERATOR for command in ALL if command.name not in of_viewers)


@pytest.mark.parametrize(
    ("command", "words", "arguments"),
    [
        ("hold", "12,5", 12.5),
        ("hold", "30 s", 30.0),
        ("zoom", "1.1x", 1.1),
        ("pause", "off", False),
        ("pause", "ON", True),
        ("pause", "", None),
        ("remove", "#12", 12),
        ("remove", "12", "12"),
        ("remove", "@Ann", "Ann"),
        ("promote", "12", 12),
        ("promote", "#12", 12),
        ("promote", "ann", "ann"),
        ("poll", "30s fox / pizza", PollArguments("fox / pizza", 30.0)),
        ("poll", "15 sec: castle, pizza", PollArguments("castle, pizza", 15.0)),
        ("poll", "Cancel", PollArguments("", cancel=True)),
        ("endpoll", "cancel", True),
        ("endpoll", "", False),
        ("layer", "layer fire5:3", "fire5:3"),
        ("bump", "Twist", True),
    ],
)
def test_arguments_are_read(command: str, words: str, arguments: object) -> None:
    assert BY_NAME[command].parse(words) == arguments


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("hold", ""),
        ("hold", "x"),
        ("hold", "nan"),
        ("hold", "1_0"),
        ("hold", "1" * 13),
        ("zoom", "fast"),
        ("remove", ""),
        ("promote", ""),
        ("block", "@"),
        ("unblock", ""),
    ],
)
def test_wrong_arguments_name_the_reply_that_helps(command: str, words: str) -> None:
    with pytest.raises(WrongArguments) as caught:
        BY_NAME[command].parse(words)
    assert caught.value.reply in ALL_REPLIES
    assert caught.value.reply.endswith("_usage")


def test_numbers_are_read_as_people_write_them() -> None:
    assert number("1,05 x", "x", "zoom_usage") == 1.05
    assert [request_id(words) for words in ("12", "#12", "x", "#", "１２", "9" * 19)] == [12, 12, None, None, None, None]
