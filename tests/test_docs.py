"""What the documents say against what is so: examples are valid, links lead somewhere, quoted messages exist."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamer.settings_file import load

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TOKEN = {"ZOOMDREAM_WEB_TOKEN": "a token of some length"}
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def name(document: Path) -> str:
    return str(document.relative_to(ROOT))


def fenced(language: str) -> Iterator[tuple[Path, int, str]]:
    for document in DOCUMENTS:
        text = document.read_text()
        for found in FENCE.finditer(text):
            if found[1] == language:
                yield document, text.count("\n", 0, found.start()) + 1, found[2]


@pytest.mark.parametrize("example", list(fenced("yaml")), ids=lambda found: f"{name(found[0])}:{found[1]}")
def test_examples_of_configs_are_valid(example: tuple[Path, int, str], tmp_path: Path) -> None:
    file = tmp_path / "example.yaml"
    file.write_text(example[2])
    load(file, (), TOKEN)


def test_examples_of_settings_in_commands_are_valid() -> None:
    found = [
        (f"{name(document)}:{line}", override[1] or override[2])
        for document, line, text in fenced("sh")
        for override in re.finditer(r"--set (?:\"([^\"]+)\"|(\S+))", text)
    ]
    assert found
    for where, override in found:
        assert load(None, [override], TOKEN), where


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_links_lead_somewhere(document: Path) -> None:
    text = FENCE.sub("", document.read_text())
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        path, _, part = target.partition("#")
        file = document if not path else (document.parent / path).resolve()
        assert file.exists(), target
        if part:
            assert part in anchors(file.read_text()), target


def anchors(text: str) -> set[str]:
    """The names of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def said() -> list[str]:
    """Every text in the program's code, with … for what is filled in."""
    texts = []
    for file in (*(ROOT / "streamer").rglob("*.py"), *(ROOT / "bot").rglob("*.py"), ROOT / "tools" / "install.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value)
            elif isinstance(node, ast.JoinedStr):
                texts.append("".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values))
    return [re.sub(r"%[-+ #0]*\d*(?:\.\d+)?[sdrfgx]", "…", text) for text in texts]


def quoted(document: Path) -> Iterator[str]:
    """Messages of the log, as first cells quote them behind their level."""
    for line in document.read_text().splitlines():
        found = re.match(r"\| (?:INFO|WARNING|ERROR|health:|reason:) ((?:`[^`]+`(?:, | or )?)+)", line)
        if found is not None:
            yield from re.findall(r"`([^`]+)`", found[1])


@pytest.mark.parametrize("document", [document for document in DOCUMENTS if document.name != "chat.md"], ids=name)
def test_quoted_messages_are_in_the_code(document: Path) -> None:
    """Save those of the chat, which quote Twitch."""
    texts = said()
    for message in quoted(document):
        for piece in re.split(r"…|\d+|FILE|; ", message):
            piece = piece.strip(" ;:,.'\"()")
            if len(piece) > 8:
                assert any(piece in text for text in texts), f"{message!r}: {piece!r}"


def test_messages_are_quoted() -> None:
    assert sum(len(list(quoted(document))) for document in DOCUMENTS) > 40
