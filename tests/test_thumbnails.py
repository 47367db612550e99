"""Pictures of classes: which ones are taken from the stream, when, and how many are kept."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from streamer import thumbnails
from streamer.assets import asset
from streamer.commands.classes import bundled_wnids
from streamer.config import ThumbnailsConfig
from streamer.media.thumbnail import SIDE_PX
from streamer.messages.keyframes import Keyframe, SourcePicture
from streamer.messages.motion import Pose
from streamer.messages.scenes import Scene, Target, arrange
from streamer.thumbnails import Thumbnails, alone, shipped
from tests.patience import PATIENCE_S

VOLCANO, FOX = Target("n09472597", "volcano"), Target("n02119022", "red fox")
"""Classes that ship without pictures."""
RED, BLUE = (200, 30, 30), (30, 30, 200)


def keyframe(scene: Scene, time_s: float, colour: tuple[int, int, int] = RED, *, rides: bool = False) -> Keyframe:
    image = np.full((36, 64, 3), colour, np.uint8)
    source_picture = SourcePicture(image, 0, time_s) if rides else None
    return Keyframe(image, Pose(), time_s, scene, 0, 1, source_picture=source_picture)


def scene(number: int, *targets: Target) -> Scene:
    return Scene(number, arrange(targets))


class Stream:
    """Turns keyframes into thumbnails; writes them when the test says so."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self.thumbnails = Thumbnails(folder, ThumbnailsConfig.model_validate(settings))

    def dream(self, what: Scene, *times_s: float, colour: tuple[int, int, int] = RED, rides: bool = False) -> None:
        for time_s in times_s:
            self.thumbnails.keyframe(keyframe(what, time_s, colour, rides=rides))

    def write(self) -> None:
        self.thumbnails._write_next()

    @property
    def waits(self) -> bool:
        return not self.thumbnails._waiting.empty()


@pytest.fixture
def stream(tmp_path: Path) -> Callable[..., Stream]:
    return lambda **settings: Stream(tmp_path / "thumbnails", **settings)


def colour_of(file: Path) -> np.ndarray:
    with Image.open(file) as image:
        assert image.size == (SIDE_PX, SIDE_PX)
        return np.asarray(image.convert("RGB"), np.int16)[SIDE_PX // 2, SIDE_PX // 2]


def test_a_subject_dreamed_alone_for_a_while_gets_a_picture(stream: Callable[..., Stream], tmp_path: Path) -> None:
    live = stream(after_s=10.0)
    live.dream(scene(1, FOX), 100.0, 105.0, 109.9)
    assert not live.waits
    live.dream(scene(1, FOX), 110.0, 111.0, colour=BLUE)
    live.write()
    picture = live.thumbnails.of(FOX.wnid)
    assert picture is not None
    assert picture.file == tmp_path / "thumbnails" / "n02119022.webp"
    assert np.abs(colour_of(picture.file) - BLUE).max() < 16
    assert live.thumbnails.all()[FOX.wnid] == picture
    live.dream(scene(1, FOX), 130.0)
    assert not live.waits, "one for each time on air"


def test_another_time_on_air_gives_another_picture(stream: Callable[..., Stream]) -> None:
    live = stream(after_s=10.0)
    live.dream(scene(1, FOX), 0.0, 10.0)
    live.write()
    first = live.thumbnails.of(FOX.wnid)
    assert first is not None
    os.utime(first.file, (1, 1))
    live.dream(scene(2, VOLCANO), 20.0, 25.0)
    live.dream(scene(3, FOX), 30.0, 40.0, colour=BLUE)
    live.write()
    second = live.thumbnails.of(FOX.wnid)
    assert second is not None
    assert second.version != 1000
    assert np.abs(colour_of(second.file) - BLUE).max() < 16
    assert live.thumbnails.of(VOLCANO.wnid) is None, "it left too soon"


@pytest.mark.parametrize(
    "targets",
    [(FOX, VOLCANO), (Target("", "layer fire5", "fire5"),), (Target("", "guide", "fire5", guide="flowers.jpg"),)],
)
def test_what_is_not_a_class_alone_gets_none(stream: Callable[..., Stream], targets: tuple[Target, ...]) -> None:
    live = stream(after_s=1.0)
    live.dream(scene(1, *targets), 0.0, 5.0)
    assert not live.waits


def test_a_class_that_fills_all_parts_is_alone() -> None:
    assert alone(Scene(1, (*arrange([FOX]), *arrange([FOX])))) == FOX.wnid
    assert alone(scene(1, FOX, VOLCANO)) is None
    assert alone(Scene(0, ())) is None


def test_nothing_is_kept_of_a_camera_nor_where_it_is_switched_off(stream: Callable[..., Stream]) -> None:
    live = stream(after_s=1.0)
    live.dream(scene(1, FOX), 0.0, 5.0, rides=True)
    assert not live.waits
    off = stream(after_s=1.0, enabled=False)
    off.dream(scene(1, FOX), 0.0, 5.0)
    assert not off.waits


def test_shipped_pictures_stay(stream: Callable[..., Stream], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ours = thumbnails.Thumbnail(tmp_path / "shipped.webp", 7)
    monkeypatch.setattr(thumbnails, "shipped", lambda: {FOX.wnid: ours})
    live = stream(after_s=1.0)
    live.dream(scene(1, FOX), 0.0, 5.0)
    assert not live.waits
    assert live.thumbnails.of(FOX.wnid) == ours


def test_the_oldest_make_room_by_number_and_by_size(stream: Callable[..., Stream], tmp_path: Path) -> None:
    folder = tmp_path / "thumbnails"
    folder.mkdir()
    for number in range(1, 6):
        file = folder / f"n0000000{number}.webp"
        file.write_bytes(bytes(300_000))
        os.utime(file, (number, number))
    (folder / "notes.txt").write_text("somebody's")
    by_number = stream(after_s=1.0, keep=3)
    by_number.dream(scene(1, FOX), 0.0, 5.0)
    by_number.write()
    assert set(by_number.thumbnails.all()) - set(shipped()) == {"n00000004", "n00000005", FOX.wnid}
    by_size = stream(after_s=1.0, max_mb=1)
    for number in range(1, 6):
        (folder / f"n0000000{number}.webp").write_bytes(bytes(300_000))
        os.utime(folder / f"n0000000{number}.webp", (number, number))
    by_size.dream(scene(2, VOLCANO), 0.0, 5.0)
    by_size.write()
    kept = {"n00000003.webp", "n00000004.webp", "n00000005.webp", "n02119022.webp", "n09472597.webp"}
    assert {file.name for file in folder.iterdir()} == kept | {"notes.txt"}


def test_what_a_killed_program_left_is_removed_and_what_it_finished_is_there(
    stream: Callable[..., Stream], tmp_path: Path
) -> None:
    folder = tmp_path / "thumbnails"
    folder.mkdir()
    (folder / ".n02119022.webp.part").write_bytes(b"half")
    (folder / "n09472597.webp").write_bytes(b"whole")
    live = stream()
    assert live.thumbnails.of(VOLCANO.wnid) is not None
    assert [file.name for file in folder.iterdir()] == ["n09472597.webp"]


@pytest.mark.logs("cannot be saved in")
def test_an_unwritable_folder_is_reported_and_the_next_picture_is_tried(stream: Callable[..., Stream], tmp_path: Path) -> None:
    (tmp_path / "thumbnails").write_text("no folder")
    live = stream(after_s=1.0)
    live.dream(scene(1, FOX), 0.0, 5.0)
    live.write()
    assert "cannot be saved in" in live.thumbnails.trouble
    (tmp_path / "thumbnails").unlink()
    live.dream(scene(2, VOLCANO), 10.0, 15.0)
    live.write()
    assert live.thumbnails.trouble == ""
    assert live.thumbnails.of(VOLCANO.wnid) is not None


def test_a_second_picture_does_not_wait_behind_another(stream: Callable[..., Stream]) -> None:
    live = stream(after_s=1.0)
    live.dream(scene(1, FOX), 0.0, 5.0)
    live.dream(scene(2, VOLCANO), 10.0, 15.0)
    live.write()
    assert not live.waits
    assert live.thumbnails.of(FOX.wnid) is not None


def test_its_thread_writes_and_ends(stream: Callable[..., Stream]) -> None:
    live = stream(after_s=1.0)
    live.thumbnails.start()
    live.dream(scene(1, FOX), 0.0, 5.0)
    assert live.thumbnails.close(PATIENCE_S)
    assert stream().thumbnails.of(FOX.wnid) is not None


def test_what_ships_shows_all_that_the_bundled_network_knows_in_two_megabytes() -> None:
    there = shipped()
    assert set(there) == bundled_wnids()
    for picture in there.values():
        with Image.open(picture.file) as image:
            assert (image.format, image.size) == ("WEBP", (SIDE_PX, SIDE_PX))
    assert sum(picture.file.stat().st_size for picture in there.values()) < 2_000_000


def test_what_ships_is_the_atlas_that_the_document_makes() -> None:
    recipe = json.loads(asset("thumbnails/atlas.json").read_text())["recipe"]
    assert (recipe["network"], recipe["classes"]) == ("bundled", 200)
    call = f"--size {recipe['size']} --iterations {recipe['iterations']}"
    settings = "".join(
        f' --set "{key}={json.dumps(value, separators=(",", ":"))}"' for key, value in recipe["settings"].items()
    )
    document = (Path(__file__).resolve().parents[1] / "docs" / "atlas.md").read_text()
    assert f"zoomdream atlas -o made --network bundled {call}{settings} --set device=cpu" in document
