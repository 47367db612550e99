"""A run of the real dream on a hand-driven clock, replayed by the command line."""

import dataclasses
import datetime
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from streamer.__main__ import app
from streamer.commands.render_journal import settings
from streamer.config import CanvasConfig, Config, DreamConfig, JournalConfig, NetworkConfig, VideoConfig
from streamer.dream.worker.dream_loop import DreamLoop
from streamer.dream.worker.frame_slots import STATE_SLOT
from streamer.dream.worker.protocol import FreeSlot, KeyframeReady, Resume, Stop
from streamer.dream.worker.step_scheduler import StepScheduler
from streamer.dream.worker.worker_setup import build_dream
from streamer.dream_state import DreamState
from streamer.events import DreamStarted
from streamer.journal_reader import RecordedKeyframe, RecordedRun, read_journal
from streamer.journal_writer import Journal
from streamer.messages.keyframes import Keyframe
from streamer.messages.motion import Motion
from streamer.messages.scenes import Scene, arrange
from streamer.requests.vocabulary import Vocabulary
from streamer.snapshot import Snapshot, pack, unpack
from tests.disks import full_disk
from tests.dream.test_dream_loop import FakeRing, Scripted
from tests.fakes import HandClock

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
CONFIG = Config(
    device="cpu",
    network=NetworkConfig(name="bundled"),
    canvas=CanvasConfig(width=64),
    video=VideoConfig(width=96, height=54, fps=10, captions=False),
    dream=DreamConfig(views=(0.6,), steps_per_keyframe=2),
    journal=JournalConfig(),
)


def scene(number: int, words: str, user: str = "") -> Scene:
    return Scene(number, arrange(Vocabulary.load().match(words).targets), user)


class Lived:
    """A live run on a hand-driven clock, with its journal."""

    def __init__(self, folder: Path, script: list[tuple[float, object]], before: "Lived | None" = None) -> None:
        """Run the script; with ``before``, continue from that run's snapshot."""
        self.clock, frame_slots = HandClock(1000.0), FakeRing()
        threads = torch.get_num_threads()
        dream = build_dream(CONFIG, 3, lambda what: None)
        inbox = Scripted(self.clock, script)
        self.kept: tuple[Keyframe, DreamState] | None = None
        resume, snapshot = None, b""
        if before is not None:
            assert before.kept is not None
            found = unpack(pack(before.snapshot))
            resume, snapshot = Resume(found.picture, found.pose, 1000.0, kept=found.kept), pack(found)
        written = Journal(folder, CONFIG, 3, "0.1", snapshot=snapshot, clock=self.clock)
        step, numbers = dream.dreamer.step, iter(range(10_000))

        def stepping(dt_s: float, camera_s: float | None = None) -> None:
            self.clock.advance(0.13)
            step(dt_s, camera_s)

        dream.dreamer.step = stepping  # type: ignore[method-assign]

        def send(report: object) -> None:
            if isinstance(report, KeyframeReady):
                picture = frame_slots.slots.pop(report.slot)
                inbox.put(FreeSlot(report.slot))
                keyframe = Keyframe(picture, report.pose, report.time_s, report.scene, next(numbers), report.steps)
                written.keyframe(keyframe, report.events)
                if (at := report.kept) is not None:
                    arrays = frame_slots.slots.pop(STATE_SLOT)
                    inbox.put(FreeSlot(STATE_SLOT))
                    self.kept = keyframe, DreamState(at.network, at.algorithm, at.pose, arrays, at.numbers)

        scheduler = StepScheduler(CONFIG.dream, dream.dreamer.size, frame_s=0.1)
        DreamLoop(dream, scheduler, frame_slots, inbox, send, motion=Motion(), resume=resume, clock=self.clock).run()
        written.close()
        torch.set_num_threads(threads)
        assert written.path is not None
        self.path = written.path

    @property
    def snapshot(self) -> Snapshot:
        """The snapshot of the run's last moment."""
        assert self.kept is not None
        keyframe, kept = self.kept
        return Snapshot(
            keyframe.image, keyframe.pose, keyframe.scene, keyframe.scene, 2.5, False, Motion(), Motion(), "noise", kept
        )


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    """Run for eight seconds: a goldfish, then a pizza for ann from the fourth second on."""
    script = [(1002.0, scene(0, "goldfish")), (1006.0, scene(1, "pizza", "ann")), (1010.0, Stop())]
    return Lived(tmp_path_factory.mktemp("journals"), script)


@pytest.fixture(scope="module")
def journal(lived: Lived) -> Path:
    """Return that run's journal."""
    return lived.path


@pytest.mark.parametrize("damage", ["", "damaged", "gone"])
def test_a_run_that_went_on_from_a_snapshot_is_replayed_from_there(lived: Lived, tmp_path: Path, damage: str) -> None:
    script = [(1000.0, scene(1, "pizza", "ann")), (1003.0, scene(2, "goldfish")), (1006.0, Stop())]
    journals = tmp_path / "journals"
    second = Lived(journals, script, before=lived)
    past_run = read_journal(second.path)
    assert (past_run.begun.resumed, past_run.begun.kept) == (True, 0)
    assert past_run.snapshot is not None
    if damage == "damaged":
        past_run.snapshot.write_bytes(past_run.snapshot.read_bytes()[:-1])
    elif damage:
        past_run.snapshot.unlink()
    answer = CliRunner().invoke(app, ["render", "--journal", str(second.path), "-o", str(tmp_path / "again")])
    assert answer.exit_code == 0, answer.output
    if damage:
        assert "similar, not identical: the snapshot that it continued is missing" in answer.output
        return
    found = re.search(r"\((\d+) of (\d+) pictures compared have the same pixels\)", answer.output)
    assert found is not None
    assert found[1] == found[2]
    assert int(found[2]) >= 4


@pytest.fixture
def replay(journal: Path, tmp_path: Path) -> Callable[..., tuple[np.ndarray, str]]:
    """Return a function that replays the journal to (frames, H, W, 3) and the command's output."""

    def call(*more: str) -> tuple[np.ndarray, str]:
        output = tmp_path / "-".join(re.sub(r"\W", "", part) for part in ("a", *more))
        answer = CliRunner().invoke(app, ["render", "--journal", str(journal), "-o", str(output), *more])
        assert answer.exit_code == 0, answer.output
        return np.stack([np.asarray(Image.open(path).convert("RGB")) for path in sorted(output.iterdir())]), answer.output

    return call


def test_a_run_comes_out_with_the_same_pixels(replay: Callable[..., tuple[np.ndarray, str]]) -> None:
    frames, said = replay()
    assert frames.shape[1:] == (54, 96, 3)
    assert abs(len(frames) - 80) <= 3
    found = re.search(r"\((\d+) of (\d+) pictures compared have the same pixels\)", said)
    assert found is not None
    assert found[1] == found[2]
    assert int(found[2]) >= 6


def test_a_part_of_a_run_can_be_rendered_exactly(replay: Callable[..., tuple[np.ndarray, str]]) -> None:
    part, said = replay("--from", "+5", "--to", "+7", "--exact")
    assert len(part) == 21
    assert "have the same pixels" in said
    bare, _ = replay("--set", "video.flash_limiter=false")
    part, _ = replay("--from", "+5", "--to", "+7", "--set", "video.flash_limiter=false")
    assert np.array_equal(part, bare[30:51])


def test_a_part_after_a_lead_is_alike(replay: Callable[..., tuple[np.ndarray, str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamer.commands.render_journal.LEAD_S", 1.0)
    part, said = replay("--from", "+5", "--to", "+7")
    assert len(part) == 21
    assert "similar, not identical: it starts with what was on air" in said


def test_an_unwritable_output_is_reported_before_anything_is_rendered(
    journal: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamer.commands.render_journal.OfflineDream", lambda config: pytest.fail("it dreams"))
    with full_disk():
        answer = CliRunner().invoke(app, ["render", "--journal", str(journal), "-o", str(tmp_path / "a.mp4")])
    assert answer.exit_code == 1, answer.output
    assert answer.stderr.splitlines()[-1] == f"zoomdream: cannot write '{tmp_path / 'a.mp4'}': File too large"
    assert not list(tmp_path.iterdir())


def test_it_comes_larger(replay: Callable[..., tuple[np.ndarray, str]]) -> None:
    frames, said = replay("--size", "192x108", "--to", "+4")
    assert frames.shape[1:] == (108, 192, 3)
    assert "the canvas has another size" in said
    detail = np.abs(np.diff(frames[-1].astype(int), axis=1)).mean()
    small, _ = replay("--size", "192x108", "--to", "+4", "--set", "canvas.width=64")
    assert detail > 1.1 * np.abs(np.diff(small[-1].astype(int), axis=1)).mean(), "rendered larger, not scaled up"


def test_captions_are_drawn_as_they_were(replay: Callable[..., tuple[np.ndarray, str]]) -> None:
    large = ("--size", "320x180", "--set", "canvas.width=64", "--from", "+6.5", "--to", "+7.5")
    without, _ = replay(*large)
    captioned, _ = replay(*large, "--set", "video.captions=true")
    assert not np.array_equal(without[-1], captioned[-1])


def test_other_settings_are_reported(replay: Callable[..., tuple[np.ndarray, str]]) -> None:
    _, said = replay("--to", "+3", "--set", "zoom.speed=1.5", "--seed", "9")
    assert "similar, not identical: another seed; other settings of zoom" in said


def test_a_journal_lists_scenes_with_their_times(journal: Path) -> None:
    answer = CliRunner().invoke(app, ["journal", str(journal)])
    first, goldfish, pizza = answer.output.splitlines()
    assert first.startswith(f"{journal}: from ")
    assert first.endswith("for 0:00:07, bundled on cpu, canvas 64x36, seed 3")
    assert goldfish.endswith("+0:00:02  goldfish")
    assert re.search(r"\+0:00:0[567]  pizza  for ann$", pizza)
    answer = CliRunner().invoke(app, ["journal", str(journal.parent)])
    assert answer.output.strip() == f"{journal}  0:00:07  2 scenes"


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (["render", "--journal", "nowhere"], "there is no journal 'nowhere'"),
        (["render", "--journal", "{journal}", "--script", "pizza"], "a journal brings its own settings and scenes"),
        (["render", "--script", "pizza", "--from", "1"], "--from, --to and --exact go with --journal FILE"),
        (["render", "--journal", "{journal}", "--from", "soon"], "--from is 'soon'; must be a time of day"),
        (["render", "--journal", "{journal}", "--to", "+90"], "--to is +90; the run lasted from"),
        (["render", "--journal", "{journal}", "--size", "9"], "--size is '9'; must be WIDTHxHEIGHT"),
        (["render", "--journal", "{journal}", "--set", "video.fps=0"], "--set video.fps=0: 'video.fps' is 0; must be"),
        (["journal", "nowhere"], "there is no journal 'nowhere'"),
        (["journal", "{folder}"], "there is no journal in '{folder}'; journal.folder says where a stream keeps them"),
    ],
)
def test_a_wrong_call_ends_with_2_and_one_line(
    call: list[str], says: str, journal: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = {"journal": str(journal), "folder": str(tmp_path)}
    answer = CliRunner().invoke(app, [part.format(**names) for part in call])
    assert (answer.exit_code, answer.stdout) == (2, ""), answer.output
    (line,) = answer.stderr.splitlines()
    assert line.startswith(f"zoomdream: {says.format(**names)}")
    assert not list(tmp_path.iterdir()), "nothing half-made is left"


def test_a_replay_uses_the_same_networks_that_auto_chose() -> None:
    begun = DreamStarted("squeezenet1_1_caffe + bundled", "cpu", 1, (36, 64), False)
    now = datetime.datetime.now(datetime.UTC)
    past_run = RecordedRun(
        Path("run.jsonl"), "0.1", now, 1, {"network": {"name": "auto"}}, (RecordedKeyframe(0, (begun,)),), True
    )
    assert settings(past_run, None, []).network.names == ("squeezenet1_1_caffe", "bundled")
    alone = dataclasses.replace(past_run, keyframes=(RecordedKeyframe(0, (dataclasses.replace(begun, network="bundled"),)),))
    assert settings(alone, None, []).network.names == ("bundled",)
