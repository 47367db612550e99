"""Write the reference of the settings, the bot's texts and the chat commands.

configs/reference.yaml has every setting, active, at its default, configs/wording.yaml everything the bot says, docs/chat.md a
table of the commands.

    python tools/write_reference.py

Meanings, limits and defaults come from streamer/config.py, bot/config.py and bot/commands/, the bot's texts from bot/commands/
and bot/all_replies.py. Change them there, then run this.
"""

from __future__ import annotations

import json
import sys
import textwrap
from pathlib import Path

import yaml
from pydantic import BaseModel

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from pydantic_core import to_jsonable_python  # noqa: E402

from bot.all_replies import ALL_REPLIES  # noqa: E402
from bot.commands.registry import ALL  # noqa: E402
from bot.reply_templates import MEANINGS  # noqa: E402
from streamer.config import Config  # noqa: E402
from streamer.settings_live import LIVE, expanded  # noqa: E402
from streamer.settings_rules import allowed, block_kinds, is_block  # noqa: E402

CHAT_PAGE = ROOT / "docs" / "chat.md"
WIDTH = 110
HEADER = """\
# Every setting of zoomdream, at its default. Look things up here, and copy only what you change into a config of your own.
#
#     zoomdream run configs/reference.yaml       is the same as running with no settings changed
#     zoomdream run my.yaml --set video.fps=30   any key can be given on the command line too
#
# "Live." marks settings that take effect as soon as you save the file, while the stream runs; all others change at the next
# start. See docs/reload.md.
#
# Written by tools/write_reference.py from streamer/config.py, bot/config.py and bot/commands/; change it there.
"""
WORDING_HEADER = """\
# Everything the chat bot says. To change its wording, copy texts into a config of your own, below chat: and replies:.
#
#     zoomdream bot configs/wording.yaml       is the same as running without it
#
# The bot picks one of a key's texts each time, never the same twice in a row, and fills in the words in braces:
#
MEANINGS
#
# {user} and {prefix} work in every text, the others only where the comment above a key lists them.
#
# Written by tools/write_reference.py from bot/commands/ and bot/all_replies.py; change it there.

chat:
  replies:
"""


def reference() -> str:
    """Return the text of configs/reference.yaml."""
    return HEADER + "".join(_block(Config, indent=""))


def wording() -> str:
    """Return the text of configs/wording.yaml."""
    meanings = "\n".join(f"#     {f'{{{name}}}':12} {meaning}" for name, meaning in MEANINGS.items())
    lines = [WORDING_HEADER.replace("MEANINGS", meanings)]
    for number, (key, said) in enumerate(ALL_REPLIES.items()):
        may = f". May have {', '.join(f'{{{name}}}' for name in said.placeholders)}" if said.placeholders else ""
        lines += ["\n" * bool(number), *_comment(f"{said.about[0].upper()}{said.about[1:]}{may}.", "    ")]
        lines += [f"    {key}:\n", *(f"      - {json.dumps(text, ensure_ascii=False)}\n" for text in said.templates)]
    return "".join(lines)


def commands() -> str:
    """Return docs/chat.md with the current table of commands."""
    rows = ["| typed | does | for | seconds between uses | also as |", "|---|---|---|---|---|"]
    for command in ALL:
        typed = f"`!{command.name}{' ' + command.usage if command.usage else ''}`"
        role = "everyone" if command.role.rank == 0 else f"{command.role}s"
        waits = [(command.cooldown_s, ""), (command.user_cooldown_s, " per viewer")]
        wait = ", ".join(f"{seconds:g}{whose}" for seconds, whose in waits if seconds)
        also = " ".join(f"`!{alias}`" for alias in command.aliases)
        rows.append(f"| {typed} | {command.about} | {role} | {wait} | {also} |")
    before, start, rest = CHAT_PAGE.read_text().partition("<!-- commands: written by tools/write_reference.py -->\n")
    _, end, after = rest.partition("<!-- end of commands -->\n")
    if not end:
        sys.exit(f"{CHAT_PAGE} has no place for the commands")
    return before + start + "\n".join(rows) + "\n" + end + after


def _block(model: type[BaseModel], indent: str, prefix: str = "") -> list[str]:
    lines = []
    for key, field in model.model_fields.items():
        live = " Live." if expanded((f"{prefix}{key}",)) <= LIVE else ""
        if is_block(field) and getattr(field.annotation, "one_line", False):
            value = to_jsonable_python(field.get_default(call_default_factory=True))
            lines += [
                "\n" * bool(lines),
                *_comment(f"{field.annotation.__doc__}{live}", indent),
                f"{indent}{key}: {_yaml(value)}\n",
            ]
            continue
        if is_block(field):
            lines += [
                "\n",
                *_comment(field.annotation.__doc__, indent),
                f"{indent}{key}:\n",
                *_block(field.annotation, f"{indent}  ", f"{prefix}{key}."),
            ]
            continue
        lines += [] if indent and not lines else ["\n"]
        lines += _comment(field.description, indent)
        if kinds := block_kinds(field):
            lines += _comment("Allowed: a list of blocks of these kinds.", indent)
            for kind, block in kinds.items():
                lines += _example(kind, block, indent)
        else:
            lines += _comment(f"Allowed: {allowed(field)}.{live}", indent)
        value = to_jsonable_python(field.get_default(call_default_factory=True))
        lines.append(f"{indent}{key}: {_yaml(value)}\n")
    return lines


def _example(kind: str, block: type[BaseModel], indent: str) -> list[str]:
    """Return the keys of one kind of list entry, commented out."""
    lines = [f"{indent}#   - kind: {kind}\n"]
    lines += [line.replace("# ", "#     # ", 1) for line in _comment(block.__doc__, indent, narrower=4)]
    for key, field in block.model_fields.items():
        if key == "kind":
            continue
        text = f"{field.description} Allowed: {allowed(field)}."
        lines += [line.replace("# ", "#     # ", 1) for line in _comment(text, indent, narrower=4)]
        default = "…" if field.is_required() else _yaml(to_jsonable_python(field.get_default(call_default_factory=True)))
        lines.append(f"{indent}#     {key}: {default}\n")
    return lines


def _comment(text: str | None, indent: str, narrower: int = 0) -> list[str]:
    assert text, "every setting and block needs a description"
    wrapped = textwrap.wrap(" ".join(text.split()), WIDTH - len(indent) - 2 - narrower, break_on_hyphens=False)
    return [f"{indent}# {line}\n" for line in wrapped]


def _yaml(value: object) -> str:
    """Format a value in flow style on one line."""
    return (
        yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10_000, allow_unicode=True)
        .removesuffix("...\n")
        .strip()
    )


if __name__ == "__main__":
    configs = ROOT / "configs"
    written = {configs / "reference.yaml": reference(), configs / "wording.yaml": wording(), CHAT_PAGE: commands()}
    for path, text in written.items():
        path.write_text(text)
        print(f"wrote {path}")
