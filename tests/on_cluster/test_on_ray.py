"""Renders and atlases on a real cluster of two one-CPU nodes: the same pixels as local work, even if workers or nodes die."""

from __future__ import annotations

import contextlib
import os
import re
import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from streamer.__main__ import app
from streamer.cluster import Cluster, connect
from streamer.commands.atlas_folder import AtlasFolder
from streamer.commands.on_ray import remote_tiles
from streamer.commands.resumable_work import ResumableWork
from streamer.dream.worker.protocol import Stop
from streamer.messages.network_contents import ClassEntry
from streamer.video.files.movie import MovieWriter
from tests import ray_tasks
from tests.commands.test_render_journal import Lived, scene
from tests.films import write_film
from tests.ray_cluster import STORE_BYTES, at_work
from tests.video.test_soundtrack import film as clicking

if TYPE_CHECKING:
    from ray.cluster_utils import Cluster as RayCluster

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore::DeprecationWarning")]
FAST = ["--set", "network.name=bundled", "--set", "device=cpu", "--set", "dream.views=[0.6]"]
SCRIPT = ["--script", "0 goldfish + umbrella; 0.5 pizza", "--size", "64x36", "--fps", "10", "--seconds", "1.6", "--seed", "3"]
GOLDFISH, UMBRELLA, PIZZA = "n01443537", "n04507155", "n07873807"
SMALL = ["--size", "40x32", "--iterations", "3"]
AGAIN = "a task on a node is repeated"


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Compute with one thread, like the tasks, which have one CPU each: pixels depend on it."""
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def connection(ray_cluster: RayCluster) -> Iterator[Cluster]:
    """Share one connection: with one for each call, the workers would end and load torch again."""
    with connect(ray_cluster.address) as connected:
        yield connected


@pytest.fixture
def far(connection: Cluster, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the words that make a call run on the cluster."""

    @contextlib.contextmanager
    def connected(address: str) -> Iterator[Cluster]:
        assert address == connection.address
        yield connection

    monkeypatch.setattr("streamer.commands.on_ray.node_pool.connect", connected)
    return ["--ray", connection.address]


def render(*words: str | Path) -> Result:
    return CliRunner().invoke(app, ["render", *FAST, *map(str, words)])


def atlas(folder: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["atlas", "-o", str(folder), *FAST, *SMALL, *words])


def done(answer: Result) -> str:
    assert answer.exit_code == 0, answer.output
    return answer.output


def files(path: Path) -> dict[str, bytes]:
    """Return the files' contents by name."""
    return {each.name: each.read_bytes() for each in sorted(path.iterdir())} if path.is_dir() else {"": path.read_bytes()}


def test_an_atlas_is_the_same_although_a_worker_is_killed(
    far: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["goldfish", "umbrella", "pizza", "lion", "orange", "candle"]
    done(atlas(tmp_path / "here", *names))
    put, killed = AtlasFolder.put, list[int]()

    def kills(self: AtlasFolder, entry: ClassEntry, image: np.ndarray, seconds: float) -> None:
        put(self, entry, image, seconds)
        if not killed:
            killed.extend(at_work(far[1], "dream_slowly")[:1])
            for pid in killed:
                os.kill(pid, signal.SIGKILL)

    monkeypatch.setattr(AtlasFolder, "put", kills)
    monkeypatch.setattr("streamer.commands.on_ray.node.dream_whole", ray_tasks.dream_slowly)
    told = done(atlas(tmp_path / "there", *far, *names))
    assert killed
    assert told.count(AGAIN) == 1, told
    assert f"2 nodes of '{far[1]}': 2 tasks at once, each with 1 CPU" in told
    assert re.search(r"6 classes, 3 iterations at 40x32 each, 2 at once: about \d+ s", told)
    assert files(tmp_path / "there" / "pictures") == files(tmp_path / "here" / "pictures")
    assert files(tmp_path / "there" / "thumbnails") == files(tmp_path / "here" / "thumbnails")
    assert "6 of 6 classes are there already" in done(atlas(tmp_path / "there", *names)), "it was made by the same recipe"


def test_a_node_that_is_gone_costs_only_what_it_was_at(
    far: list[str],
    ray_cluster: RayCluster,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = ["goldfish", "umbrella", "pizza", "lion", "orange", "candle", "teapot"]
    done(atlas(tmp_path / "here", *names))
    gone, put = [ray_cluster.add_node(num_cpus=1, object_store_memory=STORE_BYTES)], AtlasFolder.put

    def ends(self: AtlasFolder, entry: ClassEntry, image: np.ndarray, seconds: float) -> None:
        put(self, entry, image, seconds)
        while gone:
            ray_cluster.remove_node(gone.pop(), allow_graceful=False)

    monkeypatch.setattr(AtlasFolder, "put", ends)
    monkeypatch.setattr("streamer.commands.on_ray.node.dream_whole", ray_tasks.dream_slowly)
    try:
        told = done(atlas(tmp_path / "there", *far, *names))
    finally:
        while gone:
            ray_cluster.remove_node(gone.pop())
    assert "3 tasks at once" in told
    assert files(tmp_path / "there" / "pictures") == files(tmp_path / "here" / "pictures")


def test_a_class_that_fails_three_times_is_reported_and_the_others_are_rendered(
    far: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamer.commands.on_ray.node.dream_whole", ray_tasks.fail_on_umbrellas)
    answer = atlas(tmp_path, *far, "goldfish", "umbrella", "pizza")
    assert answer.exit_code == 1, answer.output
    assert answer.output.count(AGAIN) == 2
    assert "umbrella: it failed 3 times on the cluster: rain" in answer.output
    assert answer.output.splitlines()[-1] == "zoomdream: 1 of 3 classes could not be rendered; the same call tries them again"
    assert set(files(tmp_path / "pictures")) == {f"{GOLDFISH}.png", f"{PIZZA}.png"}


def test_ctrl_c_leaves_what_is_done_of_an_atlas(far: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        put = AtlasFolder.put

        def interrupted(self: AtlasFolder, *args: object) -> None:
            put(self, *args)  # type: ignore[arg-type]
            raise KeyboardInterrupt

        patch.setattr(AtlasFolder, "put", interrupted)
        answer = atlas(tmp_path, *far, "goldfish", "umbrella", "pizza")
    assert answer.exit_code == 130, answer.output
    assert "1 of 3 classes are done; the same call continues" in answer.output
    assert "1 of 3 classes are there already" in done(atlas(tmp_path, *far, "goldfish", "umbrella", "pizza"))
    assert len(files(tmp_path / "pictures")) == 3


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Return a folder with two pictures and a file that is not a picture."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, size in (("a", (71, 53)), ("c", (50, 64))):
        coarse = np.random.default_rng(1).integers(60, 200, (4, 6, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize(size).save(folder / f"{name}.png")
    (folder / "b.png").write_bytes(b"no picture")
    return folder


@pytest.mark.parametrize(
    ("ending", "words"),
    [
        (".png", ["--class", "goldfish", "--iterations", "5", "--octaves", "2", "--progress"]),
        (".gif", ["--layer", "relu3_2", "--guide", "{photos}/a.png", "--iterations", "4"]),
    ],
)
def test_pictures_strips_and_their_films_are_the_same(
    ending: str, words: list[str], far: list[str], photos: Path, tmp_path: Path
) -> None:
    words = [word.format(photos=photos) for word in words]
    for where, more in (("here", []), ("there", far)):
        answer = render(photos, *words, "--seed", "1", "-o", tmp_path / where / f"*{ending}", *more)
        assert answer.exit_code == 1, answer.output
        assert answer.stderr.splitlines()[-1] == "zoomdream: 1 of 3 pictures could not be rendered"
        assert "b.png" in answer.stderr
    assert files(tmp_path / "there") == files(tmp_path / "here")
    assert set(files(tmp_path / "here")) == {f"a{ending}", f"c{ending}"}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        pytest.param("a.gif", SCRIPT, id="script"),
        pytest.param("a", ["--video", "in.mp4", "--class", "goldfish", "--iterations", "1", "--seed", "3"], id="film"),
    ],
)
def test_work_stopped_on_the_cluster_resumes_there_with_the_same_pictures(
    name: str,
    words: list[str],
    far: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("streamer.commands.on_ray.remote_sessions.FLOW_S", 0.05)
    monkeypatch.setattr("streamer.commands.on_ray.remote_films.FLOW_S", 0.05)
    clicking(tmp_path / "in.mp4", "aac", seconds=1.6)
    done(render(*words, "-o", tmp_path / "here" / name))
    output = tmp_path / "there" / name
    with pytest.MonkeyPatch.context() as patch:
        look: Callable[..., None] = ResumableWork.save_or_stop

        def watched(work: ResumableWork, movie: MovieWriter, parts: Mapping[str, object], at: int, *more: object) -> None:
            work._again.stops.asked = signal.SIGINT if at > 3 else None
            look(work, movie, parts, at, *more)

        patch.setattr(ResumableWork, "save_or_stop", watched)
        answer = render(*words, "-o", output, *far)
    assert answer.exit_code == 130, answer.output
    assert re.search(r"stopped after \d+ of 16", answer.stderr), answer.stderr
    refused = render("--resume", *words, "-o", output)
    assert refused.exit_code == 2
    assert "was started with other --ray" in refused.stderr
    told = done(render("--resume", *words, "-o", output, *far))
    assert f"continuing '{output}' after" in told
    assert files(output) == files(tmp_path / "here" / name)


def test_a_journal_is_replayed_on_the_cluster(far: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lived = Lived(tmp_path / "journals", [(1002.0, scene(0, "goldfish")), (1005.0, Stop())])
    monkeypatch.setattr("streamer.commands.on_ray.remote_replay.ONCE", 5)
    for where, more in (("here", []), ("there", far)):
        again = ["render", "--journal", str(lived.path), "-o", str(tmp_path / where), *more]
        told = done(CliRunner().invoke(app, again))
        assert re.search(r"(\d+) of \1 pictures compared have the same pixels", told), told
    assert files(tmp_path / "there") == files(tmp_path / "here")


def test_a_film_in_pieces_is_whole_and_fades(far: list[str], tmp_path: Path) -> None:
    write_film(tmp_path / "in.mp4", [60 + number for number in range(90)])
    words = ["--video", tmp_path / "in.mp4", "--class", "goldfish", "--iterations", "1", "--seed", "3"]
    done(render(*words, "-o", tmp_path / "here"))
    done(render(*words, "-o", tmp_path / "there", *far, "--ray-segment", "4"))
    here, there = (
        [np.asarray(Image.open(file), float) for file in sorted((tmp_path / name).iterdir())] for name in ("here", "there")
    )
    assert len(here) == len(there) == 90
    apart = [np.abs(one - other).mean() for one, other in zip(here, there, strict=True)]
    assert max(apart[:35]) == 0, "the first piece is the same until the second comes in"
    assert 0 < max(apart[35:]) < 30


def test_a_picture_by_tiles_is_the_same(far: list[str], photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sent, send = list[object](), remote_tiles.pack_tile
    monkeypatch.setattr(remote_tiles, "pack_tile", lambda tile: sent.append(tile) or send(tile))
    words = ["--layer", "conv3_2", "--iterations", "2", "--seed", "1", "--size", "160x112", "--set", "dream.tile_px=64"]
    words += ["--set", "dream.views=[1.0]"]
    done(render(photos / "a.png", *words, "-o", tmp_path / "here.png"))
    done(render(photos / "a.png", *words, "-o", tmp_path / "there.png", *far, "--ray-tiles"))
    assert files(tmp_path / "there.png") == files(tmp_path / "here.png")
    assert sent
