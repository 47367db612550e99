"""The documents agree with the program: examples are valid, links lead somewhere, quoted messages exist."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import write_api
from streamer.commands.classes import bundled_wnids
from streamer.messages.refused import Refused
from streamer.requests.subjects import OPERATOR, Subjects
from streamer.requests.vocabulary import Vocabulary
from streamer.settings_file import load

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
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


def test_the_api_is_documented_as_it_is_served() -> None:
    page = write_api.page()
    assert page == write_api.PAGE.read_text(), "docs/api.md differs from streamer/web/route_table.py; run tools/write_api.py"
    assert len(re.findall(r"^\| `(?:GET|POST|PATCH|DELETE) /", page, re.MULTILINE)) > 60


def anchors(text: str) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@functools.cache
def said() -> list[str]:
    """Return every text in the program's code, with … for inserted values."""
    texts = []
    for file in (
        *(ROOT / "streamer").rglob("*.py"),
        *(ROOT / "bot").rglob("*.py"),
        *(ROOT / "shared").rglob("*.py"),
        ROOT / "tools" / "install.py",
    ):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value)
            elif isinstance(node, ast.JoinedStr):
                texts.append("".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values))
    return [re.sub(r"%[-+ #0]*\d*(?:\.\d+)?[sdrfgx]", "…", text) for text in texts]


def quoted(document: Path) -> Iterator[str]:
    """Yield the log messages that first cells of tables quote after their level."""
    for line in document.read_text().splitlines():
        found = re.match(r"\| (?:INFO|WARNING|ERROR|health:|reason:) ((?:`[^`]+`(?:, | or )?)+)", line)
        if found is not None:
            yield from re.findall(r"`([^`]+)`", found[1])


@pytest.mark.parametrize("document", [document for document in DOCUMENTS if document.name != "chat.md"], ids=name)
def test_quoted_messages_are_in_the_code(document: Path) -> None:
    """Skip the messages in chat.md, which quotes Twitch."""
    texts = said()
    for message in quoted(document):
        for piece in re.split(r"…|\d+|FILE|; ", message):
            piece = piece.strip(" ;:,.'\"()")
            if len(piece) > 8:
                assert any(piece in text for text in texts), f"{message!r}: {piece!r}"


def test_messages_are_quoted() -> None:
    assert sum(len(list(quoted(document))) for document in DOCUMENTS) > 40


SUBJECTS = re.compile(
    r"--class (?:\"(?P<quoted>[^\"]+)\"|(?P<bare>[\w-]+))|render script \"(?P<script>[^\"]+)\"|!dream (?P<said>[\w' +]+)"
    r"|wander_among[:=] ?\[(?P<list>[^\]]+)\]|\"text\": \"(?P<text>[^\"]+)\"|zoomdream classes (?P<word>[a-z ]+)"
)
"""Calls and settings that name a subject."""
LARGE = re.compile(r"network\.name=(?!bundled|auto)")
"""Calls that name a network other than the bundled one."""


def calls() -> Iterator[tuple[str, str]]:
    """Yield every command and every line of code in the documents and in the comments of the configs, with its file."""
    for document in [*DOCUMENTS, *sorted((ROOT / "configs").glob("*.yaml"))]:
        if document.name in ("reference.yaml", "wording.yaml"):
            continue  # has descriptions, not calls
        text = re.sub(r"\\\n\s*", "", document.read_text())
        code = text if document.suffix == ".yaml" else "\n".join(re.findall(r"^```\w*\n(.*?)^```$", text, re.M | re.S))
        spans = [] if document.suffix == ".yaml" else re.findall(r"`([^`\n]+)`", FENCE.sub("", text))
        for line in (*code.splitlines(), *spans):
            yield name(document), line


def named(call: str) -> Iterator[str]:
    """Yield the subjects that a call names, cue by cue, but no placeholders, as in ``!dream A + B``."""
    for found in SUBJECTS.finditer(call):
        if script := found["script"]:
            yield from (re.sub(r"^\s*[\d:.]+s? ", "", cue).strip() for cue in script.split(";"))
        elif chosen := found["list"]:
            yield from (each.strip(" \"'") for each in chosen.split(","))
        else:
            words = next(filter(None, found.groups())).strip()
            if not words.isupper():
                yield words


EXAMPLES = [(where, call, words) for where, call in calls() for words in named(call)]


def test_examples_name_what_there_is() -> None:
    """Calls with subjects that not every network knows name a network that does."""
    everything, everywhere = Subjects(Vocabulary.load(), None), Subjects(Vocabulary.load(bundled_wnids()), None)
    for where, call, words in EXAMPLES:
        known = everything if LARGE.search(call) else everywhere
        try:
            known.match(words, OPERATOR, peek=True)
        except Refused as refused:
            pytest.fail(f"{where}: {call}: {refused}")
    assert len(EXAMPLES) > 40


def test_the_first_examples_are_known_to_every_network() -> None:
    """README's first words and first calls work with any network that a fresh machine can load."""
    readme = (ROOT / "README.md").read_text()
    everywhere = Vocabulary.load(bundled_wnids())
    (first,) = re.findall(r"type `([^`]+)`", readme)
    assert everywhere.match(first).title == first
    (said,) = re.findall(r"zoomdream say \"!dream ([^\"]+)\"", readme)
    assert everywhere.match(said).title == said
    assert not LARGE.search(readme[: readme.index("## A file in")])
