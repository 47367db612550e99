"""Write configs/reference.yaml: every setting of streamer/config.py, live, at its default.

    python tools/write_reference.py

Meanings, limits and defaults live only in streamer/config.py; change them there, then run this.
"""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from pydantic_core import to_jsonable_python  # noqa: E402

from streamer.config import Config, Section  # noqa: E402
from streamer.settings_rules import allowed, block_kinds, is_block  # noqa: E402

WIDTH = 110
HEADER = """\
# Every setting of zoomdream, at its default: look things up here, and copy into a config of your own only what you change.
#
#     zoomdream run configs/reference.yaml       is the same as running with no settings changed
#     zoomdream run my.yaml --set video.fps=30   any key can be given on the command line too
#
# Written by tools/write_reference.py from streamer/config.py; change it there.
"""


def reference() -> str:
    """The file's text."""
    return HEADER + "".join(_block(Config, indent=""))


def _block(model: type[Section], indent: str) -> list[str]:
    lines = []
    for key, field in model.model_fields.items():
        if is_block(field):
            lines += [
                "\n",
                *_comment(field.annotation.__doc__, indent),
                f"{indent}{key}:\n",
                *_block(field.annotation, f"{indent}  "),
            ]
            continue
        lines += [] if indent and not lines else ["\n"]
        lines += _comment(field.description, indent)
        if kinds := block_kinds(field):
            lines += _comment("Allowed: a list of blocks of these kinds.", indent)
            for kind, block in kinds.items():
                lines += _example(kind, block, indent)
        else:
            lines += _comment(f"Allowed: {allowed(field)}.", indent)
        value = to_jsonable_python(field.get_default(call_default_factory=True))
        lines.append(f"{indent}{key}: {_yaml(value)}\n")
    return lines


def _example(kind: str, block: type[Section], indent: str) -> list[str]:
    """The keys of one kind of list entry, commented out."""
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
    """A value in flow style on one line."""
    return yaml.safe_dump(value, default_flow_style=True, width=10_000, allow_unicode=True).removesuffix("...\n").strip()


if __name__ == "__main__":
    path = ROOT / "configs" / "reference.yaml"
    path.write_text(reference())
    print(f"wrote {path}")
