"""The exercises of docs/extending.md, carried out in a copy of the program; dream/test_extending.py has the dream's."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT = ROOT / "docs" / "extending.md"
STEP = re.compile(
    r"^(?:In `(?P<file>[^`]+)`, before `(?P<before>[^`]+)`|A new file `(?P<new>[^`]+)`):\n\n"
    r"```(?:python|text)\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


def placed(code: str, before: str) -> str:
    """Return code placed before a line, with that line's indentation and with blank lines after a class or function."""
    inner = before[: len(before) - len(before.lstrip())]
    apart = (1 if inner else 2) if re.match(r"class |(async )?def ", code) else 0
    return textwrap.indent(code, inner) + "\n" * apart + before


def carry_out(section: str, copy: Path) -> int:
    """Carry out a section's steps in the copy; return how many files they change."""
    text = DOCUMENT.read_text(encoding="utf-8").partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    changed = set()
    for step in STEP.finditer(text):
        file = copy / (step["file"] or step["new"])
        if step["new"]:
            assert not file.exists()
            file.write_text(step["code"], encoding="utf-8")
        else:
            text_before = file.read_text(encoding="utf-8")
            places = re.findall(rf"^[ ]*{re.escape(step['before'])}", text_before, re.MULTILINE)
            assert len(places) == 1, f"{step['file']}: {step['before']}"
            file.write_text(text_before.replace(f"\n{places[0]}", f"\n{placed(step['code'], places[0])}"), encoding="utf-8")
        changed.add(file)
    assert changed, section
    return len(changed)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    copy = tmp_path / "copy"
    for package in ("streamer", "bot", "shared", "tools"):
        shutil.copytree(ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "assets").symlink_to(ROOT / "assets")
    shutil.copytree(ROOT / "configs", copy / "configs")
    (copy / "docs").mkdir()
    shutil.copy(ROOT / "docs" / "chat.md", copy / "docs")
    return copy


def run(copy: Path, code: str) -> str:
    """Run code in the copy, with the tests importable; return what it prints."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(copy), str(ROOT)])}
    call = [sys.executable, "-c", code]
    done = subprocess.run(call, cwd=copy, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def reference(copy: Path, name: str = "reference.yaml") -> str:
    """Write the reference of the copy's settings; return its text."""
    run(copy, "import runpy; runpy.run_path('tools/write_reference.py', run_name='__main__')")
    return (copy / "configs" / name).read_text()


OUTPUT = """
from pathlib import Path
import numpy as np
from streamer.messages.keyframes import Frame
from streamer.messages.refused import Refused
from streamer.settings_file import load
from streamer.video.output_request import read_block
from streamer.video.encoding.encoders import Encoders
from streamer.video.outputs import target
from streamer.video.sinks import SinkState, make_sink

overrides = ["video.width=64", "video.height=48", "outputs=[{kind: still, path: stills/now.jpg, every_s: 0.1}]"]
config = load(None, overrides, {})
(output,) = config.outputs
assert (output.name, output.every_s) == ("still", 0.1)
encoders = Encoders(config.video)
sink = make_sink(output, encoders, "still")
sink.start()
assert sink.wait_until(lambda status: status.state is SinkState.WAITING, 120.0)
encoders.put(Frame(np.full((48, 64, 3), 200, np.uint8), 0, None))
assert sink.wait_until(lambda status: status.state is SinkState.LIVE, 120.0)
assert sink.stop(120.0)
encoders.close()
assert Path("stills/now.jpg").read_bytes()[:2] == b"\\xff\\xd8"
assert target(output) == "stills/now.jpg"
assert read_block({"kind": "still", "path": "a.jpg"}, Path("/recordings")).path == Path("/recordings/a.jpg")
try:
    read_block({"kind": "still", "path": "/etc/passwd"}, Path("/recordings"))
except Refused as refused:
    print(refused)
"""


def test_a_new_kind_of_output(copy: Path) -> None:
    assert carry_out("An output", copy) == 2
    assert "'path' must be relative" in run(copy, OUTPUT)
    assert "The JPEG to write; it is always complete." in reference(copy)


COMMAND = """
from shared.role import Role
from tests.bot.stage import play, staged

async def scene():
    async with staged() as stage:
        print(await stage.say("ann", "!about"))
        print(await stage.say("bob", "!whatisthis"))
        print(await stage.tell("!help"))
    async with staged({"commands": {"about": {"role": "moderator", "aliases": ("who",)}}}) as stage:
        print(await stage.say("ann", "!about"), (await stage.tell("!who")).partition("|")[0])

play(scene)
"""


def test_a_new_chat_command(copy: Path) -> None:
    assert carry_out("A chat command", copy) == 2
    said, again, helped, limited = run(copy, COMMAND).splitlines()
    assert said.startswith("about| ")
    assert "!dream " in said
    assert again == "None", "it rests for a while, and its alias with it"
    assert "!about" in helped
    assert limited == "None about", "settings decide who may use it, and by what other word"
    assert "somebody asks what this is" in reference(copy, "wording.yaml").casefold()
    assert "    about: {aliases: [whatisthis], role: everyone" in (copy / "configs" / "reference.yaml").read_text()
    assert "| `!about` | tells what this is | everyone | 30 | `!whatisthis` |" in (copy / "docs" / "chat.md").read_text()


SETTING = """
from pathlib import Path
from streamer.settings_file import ConfigError, load
from tests.test_thumbnails import FOX, Stream, scene

for renew in ("true", "false"):
    settings = load(None, [f"thumbnails.renew={renew}"], {}).thumbnails
    live = Stream(Path(renew), **settings.model_dump(exclude={"folder"}))
    live.dream(scene(1, FOX), 0.0, 10.0)
    live.write()
    live.dream(scene(2, FOX), 20.0, 30.0)
    print(live.waits)
try:
    load(None, ["thumbnails.renew=9"], {})
except ConfigError as error:
    print(error)
"""


def test_a_new_setting(copy: Path) -> None:
    assert carry_out("A setting", copy) == 2
    first, second, mistake = run(copy, SETTING).splitlines()
    assert (first, second) == ("True", "False")
    assert "'thumbnails.renew' is 9; must be " in mistake
    assert "Whether a subject that has a picture gets another" in reference(copy)


NETWORK = """
from streamer.dream.networks.registry import ARCHITECTURES
from streamer.settings_file import load

(name,) = load(None, ["network.name=squeezenet1_0"], {}).network.names
print(ARCHITECTURES[name].default_layer, len(ARCHITECTURES[name].build()))
"""


@pytest.mark.torch
def test_a_new_network(copy: Path) -> None:
    assert carry_out("A network", copy) == 2
    assert run(copy, NETWORK) == "fire6 14\n"
    assert "squeezenet1_0" in reference(copy)


OBJECTIVE = """
from streamer.dream.objectives.registry import OBJECTIVES
from streamer.messages.scenes import Target

print(OBJECTIVES[Target("", "quiet fire5", layer="fire5", objective="quiet").objective].__name__)
"""


@pytest.mark.torch
def test_a_new_kind_of_objective(copy: Path) -> None:
    assert carry_out("A kind of objective", copy) == 2
    assert run(copy, OBJECTIVE) == "Quiet\n"
