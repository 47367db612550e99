"""A small atlas of the bundled network: made, continued after a kill, estimated."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from streamer.__main__ import app
from streamer.commands.atlas import RECENT, AtlasPace
from streamer.commands.contact_sheet import Cell, SheetSection, contact_sheet
from streamer.media.thumbnail import SIDE_PX

ROOT = Path(__file__).resolve().parents[2]
GOLDFISH, UMBRELLA, PIZZA = "n01443537", "n04507155", "n07873807"
FAST = ["--network", "bundled", "--set", "device=cpu", "--set", "dream.views=[0.6]", "--size", "40x32", "--iterations", "2"]


def call(folder: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["atlas", "-o", str(folder), *FAST, *words])


def made(folder: Path, *words: str) -> str:
    answer = call(folder, *words)
    assert answer.exit_code == 0, answer.output
    return answer.output


def pictures(folder: Path) -> dict[str, int]:
    """Return which classes have pictures, and when each was written."""
    return {file.stem: file.stat().st_mtime_ns for file in (folder / "pictures").iterdir()}


@pytest.mark.torch
def test_classes_become_pictures_thumbnails_and_a_sheet(tmp_path: Path) -> None:
    told = made(tmp_path, "goldfish", "umbrella")
    assert re.search(r"2 classes, 2 iterations at 40x32 each: about \d+ s", told)
    assert re.search(r"2 classes took \d+ s; \d+ s were estimated", told)
    assert set(pictures(tmp_path)) == {GOLDFISH, UMBRELLA}
    with Image.open(tmp_path / "pictures" / f"{GOLDFISH}.png") as image:
        assert (image.size, image.format) == ((40, 32), "PNG")
        goldfish = np.asarray(image)
    with Image.open(tmp_path / "pictures" / f"{UMBRELLA}.png") as image:
        assert not np.array_equal(goldfish, np.asarray(image))
    with Image.open(tmp_path / "thumbnails" / f"{GOLDFISH}.webp") as image:
        assert (image.size, image.format) == ((SIDE_PX, SIDE_PX), "WEBP")
    sheet = (tmp_path / "index.html").read_text()
    assert "2 of the 200 classes that it knows. bundled, 2 iterations at 40x32, seed 1, dream.views=[0.6]" in sheet
    assert re.findall(r"<h2>([^<]+) <small>1</small>", sheet) == ["Fish and sea life", "Clothes and accessories"]
    assert sheet.index(f"pictures/{GOLDFISH}.png") < sheet.index(f"pictures/{UMBRELLA}.png")


@pytest.mark.torch
def test_what_is_there_is_not_made_again_and_the_same_call_gives_the_same(tmp_path: Path) -> None:
    made(tmp_path, "goldfish", "umbrella")
    before = pictures(tmp_path)
    told = made(tmp_path, "goldfish", "umbrella", "pizza")
    assert "2 of 3 classes are there already" in told
    after = pictures(tmp_path)
    assert set(after) == {GOLDFISH, UMBRELLA, PIZZA}
    assert {wnid: after[wnid] for wnid in before} == before
    first = (tmp_path / "pictures" / f"{PIZZA}.png").read_bytes()
    (tmp_path / "pictures" / f"{PIZZA}.png").unlink()
    made(tmp_path, "pizza")
    assert (tmp_path / "pictures" / f"{PIZZA}.png").read_bytes() == first
    assert "took" not in made(tmp_path, "pizza")


@pytest.mark.torch
def test_a_killed_atlas_continues_with_the_missing_classes(tmp_path: Path) -> None:
    names = ["goldfish", "umbrella", "pizza", "lion", "orange", "candle"]
    slow = ["--iterations", "40", *names]
    command = [sys.executable, "-m", "streamer", "atlas", "-o", str(tmp_path), *FAST, *slow]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as killed:
        assert killed.stdout is not None
        line = killed.stdout.readline()
        killed.kill()
    assert line.startswith("6 classes, 40 iterations at 40x32 each: about"), line
    (tmp_path / "pictures" / ".n00000001.png.part").write_bytes(b"half")
    before = pictures(tmp_path)
    told = made(tmp_path, *slow)
    found = re.match(r"(\d) of 6 classes are there already", told)
    assert found is not None, told
    assert 1 <= int(found[1]) < 6
    after = pictures(tmp_path)
    assert len(after) == 6
    assert all(after[wnid] == when for wnid, when in before.items() if not wnid.startswith(".")), "finished is finished"


@pytest.mark.torch
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ["--iterations", "3"],
            "was started with iterations 2, not iterations 3; name another folder, or use the same options",
        ),
        (["--seed", "2", "--format", "jpg"], "was started with seed 1, format png, not seed 2, format jpg"),
        (
            ["--set", "dream.views=[0.7]"],
            "was started with settings {'dream.views': [0.6]}, not settings {'dream.views': [0.7]}",
        ),
    ],
)
def test_a_folder_holds_pictures_of_one_making(tmp_path: Path, words: list[str], says: str) -> None:
    made(tmp_path, "goldfish")
    answer = call(tmp_path, "goldfish", *words)
    assert answer.exit_code == 2
    assert says in answer.output


@pytest.mark.torch
def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "holiday.jpg").write_bytes(b"mine")
    answer = call(tmp_path, "goldfish")
    assert answer.exit_code == 2
    assert "holds pictures of something else; name another folder" in answer.output
    other = tmp_path / "other"
    made(other, "goldfish")
    (other / "atlas.json").write_text("{")
    answer = call(other, "goldfish")
    assert answer.exit_code == 2
    assert "is damaged" in answer.output


@pytest.mark.torch
def test_an_unwritable_output_is_reported_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    answer = call(tmp_path / "file", "goldfish")
    assert answer.exit_code == 2
    assert "cannot write" in answer.output


@pytest.mark.torch
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--size", "8x8"], "--size is 8x8; must be 16x16 to 7680x4320"),
        (["--size", "large"], "--size is 'large'; must be WIDTHxHEIGHT"),
        (["--format", "tiff"], "--format is 'tiff'; must be png, jpg, webp"),
        (["gooldfisch"], "there is no class 'gooldfisch'"),
        (["--set", "source={kind: camera}"], "the settings have a camera as source"),
        (["--network", "vgg61"], "'network.name' is vgg61"),
    ],
)
def test_mistakes_are_reported_before_a_network_is_loaded(
    tmp_path: Path, words: list[str], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamer.commands.atlas.StillDream", lambda config: pytest.fail("loaded"))
    answer = call(tmp_path / "atlas", *words)
    assert answer.exit_code == 2
    assert says in answer.output
    assert not (tmp_path / "atlas").exists()


@pytest.mark.torch
def test_a_class_the_network_does_not_know_is_refused(tmp_path: Path) -> None:
    answer = call(tmp_path, "volcano")
    assert answer.exit_code == 2
    assert "bundled knows nothing of 'volcano'" in answer.output


@pytest.mark.torch
def test_ctrl_c_says_how_far_it_came_and_leaves_a_sheet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from streamer.commands.atlas_folder import AtlasFolder

    put = AtlasFolder.put

    def interrupted(self: AtlasFolder, *args: object) -> None:
        put(self, *args)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    monkeypatch.setattr(AtlasFolder, "put", interrupted)
    answer = call(tmp_path, "goldfish", "umbrella")
    assert answer.exit_code == 130
    assert "1 of 2 classes are done; the same call continues" in answer.output
    assert f"{GOLDFISH}.png" in (tmp_path / "index.html").read_text()
    assert list(json.loads((tmp_path / "atlas.json").read_text())["seconds"]) == [GOLDFISH]


def test_what_is_left_is_learnt_from_what_was_done() -> None:
    pace = AtlasPace()
    assert pace.left_s(10) is None
    assert pace.left_s(10, 0.25, 1.0) == pytest.approx(39.0)
    pace.learn(9.0)
    assert pace.left_s(8) == pytest.approx(72.0)
    for seconds in (2.0, 4.0):
        pace.learn(seconds)
    assert pace.left_s(8) == pytest.approx(24.0), "the first, which sets up what all use, is left out"
    assert pace.left_s(8, 0.5, 100.0) == pytest.approx(22.5)
    for _ in range(RECENT):
        pace.learn(6.0)
    assert pace.left_s(2) == pytest.approx(12.0), "the machine has more to do now"
    later = AtlasPace([3.0, 5.0])
    assert later.left_s(1) == pytest.approx(4.0)
    later.learn(9.0)
    assert later.left_s(2) == pytest.approx(18.0), "what the machine does now counts"


def test_a_sheet_is_text_whatever_the_labels_are() -> None:
    nasty = '<script>"&'
    sheet = contact_sheet("What a <b> dreams", nasty, [SheetSection(nasty, (Cell(nasty, 'a "b".png', "t/ä.webp"),))]).decode()
    assert "<script>" not in sheet
    assert 'href="a%20%22b%22.png"' in sheet
    assert 'src="t/%C3%A4.webp"' in sheet
    assert sheet.count("&lt;script&gt;&quot;&amp;") == 3
