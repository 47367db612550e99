import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from streamer import __version__
from streamer.__main__ import app
from streamer.commands.classes import IMAGENET

HEAVY = ("torch", "av", "cv2", "aiohttp", "PIL", "numpy")


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.delenv("ZOOMDREAM_WEB_TOKEN", raising=False)
    return CliRunner()


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    code = f"import sys, streamer.__main__; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_help_names_every_command(runner: CliRunner) -> None:
    answer = runner.invoke(app, ["--help"])
    assert answer.exit_code == 0
    for command in ("run", "render", "atlas", "classes", "check", "fetch", "say", "fit-prior"):
        assert f" {command} " in answer.stdout


def test_the_version_is_printed(runner: CliRunner) -> None:
    answer = runner.invoke(app, ["--version"])
    assert answer.exit_code == 0
    assert answer.stdout == f"zoomdream {__version__}\n"


def test_steps_are_called_iterations(runner: CliRunner) -> None:
    answer = runner.invoke(app, ["render", "photo.jpg", "--class", "goldfish", "--steps", "30"])
    assert answer.exit_code == 2
    assert answer.stderr.splitlines() == ["zoomdream: --steps is called --iterations: --iterations 30"]
    assert "--steps" not in runner.invoke(app, ["render", "--help"], env={"COLUMNS": "200"}).stdout


def test_every_mistake_in_a_config_is_reported(runner: CliRunner, tmp_path: Path) -> None:
    config = tmp_path / "live.yaml"
    config.write_text("video:\n  fps: 0\nvidio: {}\n")
    answer = runner.invoke(app, ["run", str(config), "--set", "zoom.speed=fast"])
    assert answer.exit_code == 2
    first, second, third = answer.stderr.splitlines()
    assert first.startswith(f"zoomdream: {config}:2: 'video.fps' is 0; must be 1 to 120")
    assert second.startswith(f"zoomdream: {config}:3: unknown key 'vidio'; did you mean 'video'?")
    assert third.startswith("zoomdream: --set zoom.speed=fast: 'zoom.speed' is fast; must be a number")


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (["run", "nowhere.yaml"], "nowhere.yaml: no such file"),
        (["run", "--log-level", "loud"], "--log-level is 'loud'; must be debug, info, warning or error"),
        (
            ["render", "--script", "volcano", "--size", "big"],
            "--size is 'big'; must be WIDTHxHEIGHT in pixels, for example 640x360",
        ),
        (
            ["render", "--script", "volcano", "--size", "33x32"],
            "--set video.width=33: 'video.width' is 33; must be even, 32 to 7680",
        ),
        (["say", "!skip"], "'!skip' is not understood; say for example \"!dream jellyfish\""),
        (["say", "volcano", "--url", "ftp://here"], "'ftp://here' is not an address such as http://127.0.0.1:8080"),
        pytest.param(
            ["fit-prior", "photos", "-o", "prior.txt"], "'prior.txt' must end in .safetensors", marks=pytest.mark.torch
        ),
        pytest.param(
            ["fit-prior", "no.jpg", "-o", "prior.safetensors"], "there is no picture 'no.jpg'", marks=pytest.mark.torch
        ),
    ],
)
def test_a_wrong_call_ends_with_2_and_one_line(runner: CliRunner, call: list[str], says: str) -> None:
    answer = runner.invoke(app, call)
    assert (answer.exit_code, answer.stdout) == (2, "")
    (line,) = answer.stderr.splitlines()
    assert line.startswith(f"zoomdream: {says}")


def test_classes_lists_everything(runner: CliRunner) -> None:
    answer = runner.invoke(app, ["classes"])
    assert answer.exit_code == 0
    assert answer.stdout.splitlines()[-1] == (
        "1000 classes: networks trained on ImageNet know all, the bundled one by itself 200"
    )
    lines = {words[0]: line for line in answer.stdout.splitlines() if (words := line.split())}
    assert lines["volcano"].rstrip().endswith(IMAGENET)
    assert lines["goldfish"].rstrip().endswith(" all")


def test_classes_prints_what_a_word_would_match(runner: CliRunner) -> None:
    answer = runner.invoke(app, ["classes", "goldfish + vulcano"])
    assert answer.exit_code == 0
    assert answer.stdout.startswith("'goldfish + vulcano' dreams: goldfish + volcano (")
    assert "known to networks trained on ImageNet, not to the bundled one by itself: volcano\n" in answer.stdout


def test_a_word_that_means_nothing_ends_with_1_and_near_matches(runner: CliRunner) -> None:
    answer = runner.invoke(app, ["classes", "qwxyzzy"])
    assert answer.exit_code == 1
    assert answer.stderr.startswith("zoomdream: ")
    assert len(answer.stderr.splitlines()) == 1


@pytest.mark.torch
def test_check_looks_at_everything(runner: CliRunner, tmp_path: Path) -> None:
    queue = f"queue.path={tmp_path / 'queue.sqlite3'}"
    call = ["check", "--set", queue, "--set", "web.port=0", "--set", "network.name=bundled", "--set", "device=cpu"]
    answer = runner.invoke(app, call)
    assert answer.exit_code == 0, answer.output
    for topic in ("config", "settings", "versions", "device", "network", "encoder", "port", "queue", "sound", "files", "fonts"):
        assert f" {topic} " in answer.stdout
    live, at_start = (line for line in answer.stdout.splitlines() if " settings " in line)
    assert "zoom, " in live
    assert "queue (all but path)" in live
    assert "video (captions, residual_flow, frame_counter, flash_limiter, slate_s, slate_text)" in live
    assert "network, canvas, " in at_start
    assert at_start.endswith("journal, log, snapshot, thumbnails, controls (all but crossfade_s), outputs")


@pytest.mark.torch
def test_check_names_what_would_stop_the_stream(runner: CliRunner, tmp_path: Path) -> None:
    weights = tmp_path / "broken.safetensors"
    weights.write_bytes(b"broken")
    settings = [f"queue.path={tmp_path / 'queue.sqlite3'}", "web.port=0", f"network.weights={weights}"]
    settings += ["network.name=squeezenet1_1", "source.kind=image", f"source.path={tmp_path / 'none.png'}"]
    settings += [f"outputs=[{{kind: file, path: {weights / 'a.mp4'}}}]"]
    answer = runner.invoke(app, ["check", *(part for setting in settings for part in ("--set", setting))])
    assert answer.exit_code == 1
    assert answer.stderr.splitlines() == ["zoomdream: 3 things cannot work as set: ✗ above"]
    assert answer.stdout.count("✗") == 3
    assert "✗ outputs   file: " in answer.stdout
    assert str(weights) in answer.stdout
    assert "none.png" in answer.stdout


@pytest.mark.torch
def test_check_looks_at_weights_although_others_are_still_to_come(runner: CliRunner, tmp_path: Path) -> None:
    missing = tmp_path / "missing.pth"
    settings = [f"queue.path={tmp_path / 'queue.sqlite3'}", "web.port=0", "network.name=[resnet50, squeezenet1_1]"]
    settings += [f"network.weights={{squeezenet1_1: {missing}}}"]
    answer = runner.invoke(app, ["check", *(part for setting in settings for part in ("--set", setting))])
    assert answer.exit_code == 1
    assert f"✗ network   {missing}: there is no such file" in answer.stdout


def test_check_reports_the_mistakes_in_a_config(runner: CliRunner) -> None:
    answer = runner.invoke(app, ["check", "--set", "video.fps=0"])
    assert answer.exit_code == 2
    assert "✗ config" in answer.stdout
