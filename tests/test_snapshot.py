"""Snapshots: written and read back, even after damage to the file; and how a start uses them."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from streamer import snapshot as files
from streamer.config import CanvasConfig, Config, SourceConfig, VideoConfig
from streamer.dream_state import DreamState
from streamer.messages.motion import Motion, Pose
from streamer.messages.scenes import Region, Scene, Target
from streamer.snapshot import Snapshot, SnapshotError, pack, read, unpack, write
from streamer.snapshot_writer import AGAIN_S, EVERY_S, FIRST_S, SnapshotWriter, as_keyframe, load_resumable, source_fingerprint
from tests.fakes import HandClock
from tests.patience import PATIENCE_S

RNG = np.random.default_rng(3)
SCENE = Scene(4, (Region(Target("n01443537", "goldfish"), (0.0, 0.0, 1.0, 0.5), 0.5),), "änn", 12)
KEPT = DreamState(
    "tiny",
    "default",
    Pose(6.9, 0.5),
    {"momentum": RNG.normal(size=(3, 36, 64)).astype(np.float16), "chance": RNG.integers(0, 255, 5056).astype(np.uint8)},
    {"steps": 77, "noise": {"bit_generator": "PCG64", "state": {"state": 2**127 + 1, "inc": 3}}},
)
SNAPSHOT = Snapshot(
    RNG.integers(0, 255, (36, 64, 3)).astype(np.uint8),
    Pose(7.0, -0.5),
    SCENE,
    Scene(5, SCENE.regions),
    12.5,
    True,
    Motion(1.2, -3.0),
    Motion(1.05, 0.25),
    source_fingerprint(Config()),
    KEPT,
    taken_s=1_790_000_000.0,
)


def test_what_is_packed_is_unpacked() -> None:
    found = unpack(pack(SNAPSHOT))
    for field in fields(Snapshot):
        if field.name not in ("picture", "kept", "source_picture"):
            assert getattr(found, field.name) == getattr(SNAPSHOT, field.name)
    assert np.array_equal(found.picture, SNAPSHOT.picture)
    assert found.kept is not None
    assert (found.kept.network, found.kept.algorithm, found.kept.pose) == ("tiny", "default", Pose(6.9, 0.5))
    assert found.kept.numbers == KEPT.numbers
    assert {name: (array.dtype, array.tolist()) for name, array in found.kept.arrays.items()} == {
        name: (array.dtype, array.tolist()) for name, array in KEPT.arrays.items()
    }
    assert found.source_picture is None
    found.picture[0, 0, 0] = 1
    source_picture = unpack(pack(replace(SNAPSHOT, source_picture=SNAPSHOT.picture[::-1], kept=None)))
    assert source_picture.source_picture is not None
    assert np.array_equal(source_picture.source_picture, SNAPSHOT.picture[::-1])
    assert source_picture.kept is None


def test_a_file_takes_the_place_of_the_one_before_at_once(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.snapshot"
    assert read(path) is None
    write(path, pack(SNAPSHOT))
    write(path, pack(replace(SNAPSHOT, on_air_s=99.0)))
    found = read(path)
    assert found is not None
    assert found.on_air_s == 99.0
    assert [file.name for file in path.parent.iterdir()] == ["a.snapshot"]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_what_cannot_be_written_leaves_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    path = tmp_path / "a.snapshot"
    write(path, b"before")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(*((files.os, "fsync") if call == "fsync" else (Path, "replace")), full)
    with pytest.raises(OSError, match="No space"):
        write(path, pack(SNAPSHOT))
    assert path.read_bytes() == b"before"
    assert [file.name for file in tmp_path.iterdir()] == ["a.snapshot"]


def test_what_would_be_too_large_has_no_momentum(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST_BYTES", 2**20 + SNAPSHOT.picture.nbytes + 100)
    assert unpack(pack(SNAPSHOT)).kept is None


def test_any_flipped_byte_and_any_end_is_found_out() -> None:
    data = pack(SNAPSHOT)
    for place in [*range(0, 400, 7), *range(400, len(data), 1999), len(data) - 1]:
        broken = bytearray(data)
        broken[place] ^= 0x40
        with pytest.raises(SnapshotError):
            unpack(bytes(broken))
    for end in (0, 1, 50, 300, len(data) // 2, len(data) - 1):
        with pytest.raises(SnapshotError):
            unpack(data[:end])


def forged(about: object = None, arrays: bytes | None = None, **first: object) -> bytes:
    """Return the content of a file with a correct checksum, whatever else it contains."""
    _, second, packed = pack(SNAPSHOT).split(b"\n", 2)
    rest = (second if about is None else json.dumps(about).encode()) + b"\n" + (packed if arrays is None else arrays)
    told = {"zoomdream": "snapshot", "version": 1, "sha256": hashlib.sha256(rest).hexdigest(), **first}
    return json.dumps(told).encode() + b"\n" + rest


def about(**changes: object) -> dict[str, object]:
    told: dict[str, object] = json.loads(pack(SNAPSHOT).split(b"\n", 2)[1])
    return told | changes


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "a is not a snapshot of zoomdream"),
        (b"\x80\x04\x95pickle", "a is not a snapshot of zoomdream"),
        (b"[" * 20_000, "a is not a snapshot of zoomdream"),
        (b'{"zoomdream":"journal","version":1}\n', "a is not a snapshot of zoomdream"),
        (forged(version=2), "a has version 2, and this program reads version 1"),
        (forged(version=0), "a has version 0"),
        (forged(sha256="0"), "a is damaged"),
        (forged(about=[]), "a is invalid"),
        (forged(about={}), "a is invalid: KeyError"),
        (forged(arrays=b""), "a is invalid"),
        (forged(arrays=b"\xff" * 100), "a is invalid"),
        (forged(about(pose=[float("nan"), 0])), "the camera's pose is not finite"),
        (forged(about(motion=[0, 0])), "the camera cannot move like that"),
        (forged(about(scene={"id": 1})), "a is invalid"),
        (forged(about(kept=7)), "a is invalid"),
        (forged(arrays=files.save({"picture": np.zeros((4, 4), np.uint8)})), "a picture of uint8"),
        (forged(arrays=files.save({"picture": np.zeros((4, 4, 3), np.float32)})), "a picture of float32"),
        (forged(arrays=files.save({"picture": np.zeros((0, 4, 3), np.uint8)})), "a picture of"),
        (forged(arrays=files.save({"momentum": np.zeros((4, 4, 3), np.uint8)})), "KeyError: 'picture'"),
    ],
)
def test_what_is_none_says_why(data: bytes, says: str) -> None:
    with pytest.raises(SnapshotError) as caught:
        unpack(data, "a")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


CONFIG = Config(canvas=CanvasConfig(width=64, height=36))


def kept_at(path: Path, snapshot: Snapshot = SNAPSHOT, config: Config = CONFIG) -> Snapshot | None:
    write(path, pack(snapshot))
    return load_resumable(path, config)


def test_a_start_takes_it_as_it_is_where_it_fits(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    found = kept_at(tmp_path / "a")
    assert found is not None
    assert found.kept is not None
    keyframe = as_keyframe(found, 5.0)
    assert (keyframe.number, keyframe.steps, keyframe.time_s, keyframe.scene) == (0, 0, 5.0, SCENE)
    assert caplog.text.count("the dream resumes from 2026-") == 1
    assert load_resumable(tmp_path / "none", CONFIG) is None
    assert len(caplog.records) == 1


@pytest.mark.logs("its picture is scaled from 64x36 to ")
@pytest.mark.parametrize("canvas", [(36, 64), (40, 50), (72, 64)])
def test_a_picture_of_another_shape_or_too_large_is_resampled(tmp_path: Path, canvas: tuple[int, int]) -> None:
    config = Config(canvas=CanvasConfig(width=canvas[0], height=canvas[1]))
    found = kept_at(tmp_path / "a", replace(SNAPSHOT, source_picture=SNAPSHOT.picture), config)
    assert found is not None
    assert found.picture.shape == (canvas[1], canvas[0], 3)
    assert found.source_picture is not None
    assert found.source_picture.shape == found.picture.shape
    assert found.kept is None


def test_a_smaller_one_of_the_same_shape_is_left_to_the_worker(tmp_path: Path) -> None:
    found = kept_at(tmp_path / "a", config=Config(video=VideoConfig(width=960, height=540)))
    assert found is not None
    assert found.picture.shape == (36, 64, 3)
    assert found.kept is not None


def test_of_another_source_nothing_is_taken(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    config = CONFIG.model_copy(update={"source": SourceConfig(kind="image", path="flowers.jpg")})
    assert kept_at(tmp_path / "a", config=config) is None
    assert "had another source: a new one starts" in caplog.text
    assert source_fingerprint(config) != source_fingerprint(
        config.model_copy(update={"source": SourceConfig(kind="image", path="b.jpg")})
    )


@pytest.mark.logs("cannot be read: Is a directory; the dream starts over", "larger than any snapshot; the dream starts over")
def test_an_unreadable_snapshot_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_resumable(tmp_path, CONFIG) is None
    write(tmp_path / "a", pack(SNAPSHOT))
    monkeypatch.setattr(files, "MOST_BYTES", 1000)
    assert load_resumable(tmp_path / "a", CONFIG) is None


def test_it_is_written_soon_each_minute_and_at_the_end(tmp_path: Path) -> None:
    clock, path, taken = HandClock(0.0), tmp_path / "a", [None, SNAPSHOT]
    snapshots = SnapshotWriter(path, lambda: taken[-1], clock)

    def written_after(seconds: float) -> bool:
        path.unlink(missing_ok=True)
        clock.advance(seconds)
        snapshots.write_if_due()
        return path.exists()

    taken.reverse()
    assert not written_after(100.0), "nothing is dreamed yet"
    taken.reverse()
    assert not written_after(1.0)
    assert not written_after(FIRST_S - 0.1)
    assert written_after(0.1)
    assert not written_after(EVERY_S - 0.1)
    assert written_after(0.1)
    path.unlink()
    assert snapshots.close(PATIENCE_S)
    assert path.exists()


def test_a_failed_write_is_logged_once_and_tried_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    clock, blocked = HandClock(0.0), tmp_path / "file"
    blocked.write_text("")
    snapshots = SnapshotWriter(blocked / "a", lambda: SNAPSHOT, clock)
    snapshots.write_if_due()
    for _ in range(3):
        clock.advance(AGAIN_S)
        snapshots.write_if_due()
        assert snapshots.trouble == f"a restart would not resume this dream: '{blocked / 'a'}' cannot be written: File exists"
    blocked.unlink()
    clock.advance(AGAIN_S)
    snapshots.write_if_due()
    assert snapshots.trouble == ""
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert read(blocked / "a") is not None
