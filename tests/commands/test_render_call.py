"""The calls of ``zoomdream render``: what each subcommand takes, and that the old form means the same."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer
import typer.core
from typer.testing import CliRunner, Result

from streamer.__main__ import app
from streamer.commands import render_work
from streamer.commands.on_ray.options import RayCall
from streamer.commands.render_facts import RenderCall
from streamer.commands.render_options import FITS
from streamer.commands.render_work import CallValues, RenderRun
from streamer.commands.style_files import STYLES
from tests.test_docs import calls

WIDE = {"COLUMNS": "250", "TERM": "dumb"}
CLUSTER = ["--ray", "auto", "--ray-gpus", "0.5"]


class Renders:
    """Records what would be rendered, after all options are read and before the work starts."""

    def __init__(self) -> None:
        self.kinds: list[str] = []
        self.calls: list[RenderCall] = []
        self.rest: list[tuple[CallValues, Path, RenderRun]] = []

    def work(
        self, kind: str, call: RenderCall, values: CallValues, settings: Any, output: Path, run: RenderRun, stops: Any
    ) -> None:
        self.kinds.append(kind)
        self.calls.append(call)
        self.rest.append((values, output, run))

    def journal(self, journal: Path, call: RenderCall, values: CallValues, output: Path, run: RenderRun, stops: Any) -> None:
        assert journal == call.journal
        self.work("journal", call, values, None, output, run, stops)


@pytest.fixture
def renders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Renders:
    monkeypatch.chdir(tmp_path)
    renders = Renders()
    monkeypatch.setattr(render_work, "_render", renders.work)
    monkeypatch.setattr(render_work, "_render_journal", renders.journal)
    return renders


def render(*words: str) -> Result:
    return CliRunner().invoke(app, ["render", *words], env=WIDE)


@pytest.mark.parametrize(
    ("kind", "new", "old"),
    [
        ("script", ["script", "0 jellyfish; 12 pizza"], ["--script", "0 jellyfish; 12 pizza"]),
        (
            "script",
            ["script", "goldfish", "--image", "a.png", "--size", "64x36", "--fit", "pad", "--captions", "--seed", "1"],
            ["a.png", "--script", "goldfish", "--size", "64x36", "--fit", "pad", "--captions", "--seed", "1"],
        ),
        (
            "script",
            ["script", "goldfish", "--style", "ink", "--seconds", "9", "--fps", "12", "--resume", *CLUSTER],
            ["--script", "goldfish", "--style", "ink", "--seconds", "9", "--fps", "12", "--resume", *CLUSTER],
        ),
        ("picture", ["pictures", "a.png", "--class", "goldfish"], ["a.png", "--class", "goldfish"]),
        ("picture", ["pictures", "./film", "--class", "goldfish"], ["./film", "--class", "goldfish"]),
        ("picture", ["pictures", "--class", "goldfish", "--size", "64x40"], ["--class", "goldfish", "--size", "64x40"]),
        (
            "picture",
            ["pictures", "a.png", "b", "--config", "look.yaml", "--layer", "fire5", "--octaves", "3", "-o", "dreams"],
            ["look.yaml", "a.png", "b", "--layer", "fire5", "--octaves", "3", "-o", "dreams"],
        ),
        (
            "picture",
            ["pictures", "a.png", "--guide", "b.png", "--iterations", "7", "--progress", "--fresh", *CLUSTER, "--ray-tiles"],
            ["a.png", "--guide", "b.png", "--iterations", "7", "--progress", "--fresh", *CLUSTER, "--ray-tiles"],
        ),
        ("film", ["film", "in.mp4", "--class", "goldfish"], ["--video", "in.mp4", "--class", "goldfish"]),
        (
            "film",
            ["film", "in.mp4", "--layer", "fire5", "--track", "2", "--seconds", "5", *CLUSTER, "--ray-segment", "9"],
            ["--video", "in.mp4", "--layer", "fire5", "--track", "2", "--seconds", "5", *CLUSTER, "--ray-segment", "9"],
        ),
        ("film", ["film", "./journal", "--class", "goldfish"], ["--video", "./journal", "--class", "goldfish"]),
        ("journal", ["journal", "a.jsonl"], ["--journal", "a.jsonl"]),
        (
            "journal",
            ["journal", "a.jsonl", "--from", "20:15", "--to", "20:17", "--exact", "--size", "96x54", "--fps", "5"],
            ["--journal", "a.jsonl", "--from", "20:15", "--to", "20:17", "--exact", "--size", "96x54", "--fps", "5"],
        ),
    ],
)  # fmt: skip
def test_both_forms_render_the_same(kind: str, new: list[str], old: list[str], renders: Renders) -> None:
    Path("look.yaml").write_text("zoom: {speed: 1.1}\n")
    for words in (new, old):
        answer = render(*words)
        assert answer.exit_code == 0, answer.output
    assert renders.kinds == [kind, kind]
    # In the old form, the picture that a script starts from is one of the files.
    first, second = (replace(call, files=call.files + call.image, image=()) for call in renders.calls)
    assert first == second
    assert renders.rest[0] == renders.rest[1]


@pytest.mark.parametrize(
    ("kind", "words", "output"),
    [
        ("script", ["script", "goldfish"], "dream.mp4"),
        ("picture", ["pictures", "a.png", "--class", "goldfish"], "dream.png"),
        ("film", ["film", "in.mp4", "--class", "goldfish"], "dream.mp4"),
        ("journal", ["journal", "a.jsonl"], "dream.mp4"),
    ],
)
def test_each_sub_command_has_a_usual_output(kind: str, words: list[str], output: str, renders: Renders) -> None:
    assert render(*words).exit_code == 0
    assert renders.kinds == [kind]
    assert renders.rest[0][1:] == (Path(output), RenderRun(None))


def test_a_cluster_is_part_of_the_call(renders: Renders) -> None:
    assert render("film", "in.mp4", "--class", "goldfish", *CLUSTER, "--ray-segment", "9").exit_code == 0
    assert renders.rest[0][2].ray == RayCall("auto", 0.5, segment_s=9.0)
    answer = render("film", "in.mp4", "--class", "goldfish", "--ray-segment", "9")
    assert (answer.exit_code, answer.stderr) == (2, "zoomdream: --ray-segment goes with --ray ADDRESS\n")


OPTIONS = {
    "script": {"--image", "--config", "--style", "--fit", "--seconds", "--fps", "--captions", "--resume", "--fresh"},
    "pictures": {"--class", "--layer", "--guide", "--octaves", "--iterations", "--progress", "--fps", "--fit", "--ray-tiles"},
    "film": {"--class", "--layer", "--guide", "--iterations", "--seconds", "--track", "--fit", "--ray-segment"},
    "journal": {"--from", "--to", "--exact", "--size", "--fps", "--seed", "--ray"},
    "resume": {"--ray", "--ray-gpus", "--ray-cpus", "--ray-tiles", "--log-level"},
}
ALL = set().union(*OPTIONS.values()) | {"--script", "--video", "--journal"}
COMMON = {"--config", "--style", "--resume", "--fresh", "--size", "--seed", "--ray", "--ray-gpus", "--ray-cpus", "--log-level"}


@pytest.mark.parametrize("name", OPTIONS)
def test_the_help_of_a_sub_command_has_its_own_options_only(name: str) -> None:
    answer = render(name, "--help")
    assert answer.exit_code == 0
    shown = {word for word in answer.stdout.split() if word.startswith("--")}
    assert shown >= OPTIONS[name]
    assert not shown & (ALL - OPTIONS[name] - COMMON)


@pytest.mark.parametrize("name", OPTIONS)
def test_the_parser_refuses_the_options_of_others(name: str, renders: Renders) -> None:
    foreign = sorted(ALL - OPTIONS[name] - COMMON)
    assert foreign
    for option in foreign:
        answer = render(name, "a.mp4", option)
        assert answer.exit_code == 2
        assert f"No such option: {option}" in answer.stderr
        assert f"render {name} [OPTIONS]" in answer.stderr
    assert not renders.kinds


def test_the_help_names_the_sub_commands_and_not_the_old_form() -> None:
    answer = render("--help")
    assert answer.exit_code == 0
    for name in OPTIONS:
        assert f" {name} " in answer.stdout
    assert "--list-styles" in answer.stdout
    assert "old-form" not in answer.stdout
    assert "--script" not in answer.stdout
    bare = render()
    assert bare.exit_code == 2
    assert " pictures " in bare.output


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["script"], "Missing argument 'SCRIPT'"),
        (["film", "--class", "goldfish"], "Missing argument 'FILE'"),
        (["film", "a.mp4", "b.mp4"], "unexpected extra argument"),
        (["journal"], "Missing argument 'FILE'"),
        (["resume"], "Missing argument 'FILE'"),
        (["script", "goldfish", "--seconds", "0"], "Invalid value for '--seconds'"),
    ],
)
def test_the_parser_refuses_a_call_without_its_input(words: list[str], says: str, renders: Renders) -> None:
    answer = render(*words)
    assert answer.exit_code == 2
    assert says in answer.stderr
    assert not renders.kinds


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["pictures", "look.yaml", "--class", "goldfish"], "'look.yaml' is a config, not a picture: say --config look.yaml"),
        (["pictures", "--config", "a.png", "--class", "goldfish"], "--config is 'a.png'; must be a .yaml or .yml file"),
        (["script", "goldfish", "--config", "a.yaml", "--style", "ink"], "either --style, or the config 'a.yaml'"),
        (["script", "goldfish", "--fit", "pad"], "--fit goes with a picture or a film; this starts from noise, of any shape"),
        (["film", "a.mp4", "--fit", "cover"], "--fit is 'cover'; must be crop, pad or stretch"),
        (["pictures", "a.png", "--resume", "--fresh"], "either --resume or --fresh"),
        (["journal", "a.jsonl", "--size", "9"], "--size is '9'; must be WIDTHxHEIGHT"),
    ],
)
def test_a_wrong_value_ends_with_2_and_one_line(words: list[str], says: str, renders: Renders) -> None:
    answer = render(*words)
    assert answer.exit_code == 2
    (line,) = answer.stderr.splitlines()
    assert line.startswith(f"zoomdream: {says}")
    assert not renders.kinds


def test_an_old_pictures_call_gets_a_hint_where_a_folder_has_that_name(renders: Renders) -> None:
    assert render("pictures", "--class", "goldfish").stderr == ""
    Path("pictures").mkdir()
    answer = render("pictures", "--class", "goldfish")
    assert "this starts from noise; for the 'pictures' here, say ./pictures" in answer.stderr
    assert render("pictures", "./pictures", "--class", "goldfish").stderr == ""
    assert render("./pictures", "--class", "goldfish").stderr == ""
    assert [values.images for values, *_ in renders.rest] == [(), (), (Path("pictures"),), (Path("pictures"),)]


def test_mistakes_in_the_old_form_name_the_command_as_it_was_called(renders: Renders) -> None:
    answer = render("a.png", "--clas", "goldfish")
    assert answer.exit_code == 2
    assert "render --help" in answer.stderr
    assert "old-form" not in answer.stderr
    assert "No such option: --clas" in answer.stderr
    assert not renders.kinds


def test_the_ways_to_fit_are_those_of_the_settings() -> None:
    assert FITS == ("crop", "pad", "stretch")


DOCUMENTED = [
    *((f"style {style.name}", f"zoomdream render {style.call}") for style in STYLES),
    *((where, call) for where, line in calls() for call in re.findall(r"zoomdream render (?!\[CONFIG\])\S[^#|]*", line)),
]
"""Every render in the documents, the configs' comments and the styles, except the note on the old form."""


def test_documented_calls_are_of_the_new_form() -> None:
    program = typer.main.get_command(app)
    assert isinstance(program, typer.core.TyperGroup)
    group = program.commands["render"]
    assert isinstance(group, typer.core.TyperGroup)
    for where, call in DOCUMENTED:
        name, *words = shlex.split(call)[2:]
        if name == "--list-styles":
            continue
        assert name in OPTIONS, f"{where}: {call}"
        if words:  # else the text only names the subcommand
            group.commands[name].make_context(name, words)
    assert len(DOCUMENTED) > 50
