"""What is on disk after restarts, crashes and a lack of space."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from streamer.messages.album_entry import AlbumEntry
from streamer.messages.scenes import Target
from streamer.video.album.album_folder import ID, AlbumFolder, FileKind, new_id

KEEP, MOST = 100, 1_000_000


def dream(number: int, clip_s: float = 8.0) -> AlbumEntry:
    targets = (Target("n09472597", "volcano"), Target("", "layer fire5:3", layer="fire5", channels=(3,)))
    return AlbumEntry(new_id(), "volcano + layer fire5:3", targets, "Mäx <b>", 1000.0 + number, (72, 128), clip_s, "Jo")


def files(size: int = 100, clip: bool = True) -> dict[FileKind, Callable[[Path], object]]:
    kinds: tuple[FileKind, ...] = ("picture", "small", "clip") if clip else ("picture", "small")
    return {kind: lambda path: path.write_bytes(b"x" * size) for kind in kinds}


def kept(folder: Path, keep: int = KEEP, most: int = MOST) -> list[AlbumEntry]:
    """Return the entries that a program starting now finds in the folder."""
    return list(AlbumFolder(folder, keep, most).entries)


def test_ids_are_of_their_form_and_never_alike() -> None:
    ids = {new_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(ID.fullmatch(each) for each in ids)


def test_what_is_kept_is_found_again_newest_first(tmp_path: Path) -> None:
    path = tmp_path / "not" / "there yet"
    folder = AlbumFolder(path, KEEP, MOST)
    assert folder.entries == ()
    assert not path.exists()
    old, new, still = dream(1), dream(3), dream(2, clip_s=0.0)
    for each in (old, new):
        folder.add(each, files())
    folder.add(still, files(clip=False))
    assert folder.entries == (still, new, old)
    assert kept(path) == [new, still, old]
    assert folder.find(old.id) == old
    assert folder.find("nothing") is None
    assert {file.name for file in path.iterdir() if file.name.startswith(still.id)} == {
        f"{still.id}.json", f"{still.id}.jpg", f"{still.id}.small.jpg"
    }  # fmt: skip


def test_the_oldest_go_by_number(tmp_path: Path) -> None:
    folder = AlbumFolder(tmp_path, 2, MOST)
    dreams = [dream(number) for number in range(4)]
    for each in dreams:
        folder.add(each, files())
    assert list(folder.entries) == dreams[:1:-1]
    assert {file.name.partition(".")[0] for file in tmp_path.iterdir()} == {each.id for each in dreams[2:]}
    assert kept(tmp_path, keep=1) == [dreams[3]]
    assert kept(tmp_path) == [dreams[3]], "and they are gone for good"


def test_the_oldest_go_by_size_with_the_gifs_that_were_made(tmp_path: Path) -> None:
    folder = AlbumFolder(tmp_path, KEEP, 1000)
    dreams = [dream(number) for number in range(3)]
    for each in dreams:
        folder.add(each, files(100))
    assert len(folder.entries) == 3
    assert folder.add_file(dreams[2].id, "gif", lambda path: path.write_bytes(b"x" * 200))
    assert list(folder.entries) == [dreams[2], dreams[1]]
    assert kept(tmp_path, most=800) == [dreams[2], dreams[1]]
    assert kept(tmp_path, most=799) == [dreams[2]], "the GIF counts after a restart, too"


def test_the_newest_stays_however_large(tmp_path: Path) -> None:
    folder = AlbumFolder(tmp_path, KEEP, 100)
    for number in range(2):
        folder.add(dream(number), files(100))
    assert [each.at_s for each in folder.entries] == [1001.0]


def test_what_is_removed_is_gone_with_all_its_files(tmp_path: Path) -> None:
    folder = AlbumFolder(tmp_path, KEEP, MOST)
    one = dream(1)
    folder.add(one, files())
    changes = folder.changes
    assert folder.remove(one.id)
    assert not folder.remove(one.id)
    assert folder.changes == changes + 1
    assert not list(tmp_path.iterdir())
    assert not folder.add_file(one.id, "gif", lambda path: path.write_bytes(b"late"))
    assert not list(tmp_path.iterdir()), "a GIF that comes too late goes, too"


def test_what_fails_half_way_leaves_nothing(tmp_path: Path) -> None:
    def fail(path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError("the disk is full")

    folder = AlbumFolder(tmp_path, KEEP, MOST)
    with pytest.raises(OSError, match="the disk is full"):
        folder.add(dream(1), {**files(), "clip": fail})
    assert folder.entries == ()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "spoil", ["entry gone", "picture cut", "clip gone", "entry cut", "entry nonsense", "entry newer", "entry list"]
)
def test_after_a_crash_a_dream_is_whole_or_not_there(tmp_path: Path, spoil: str, caplog: pytest.LogCaptureFixture) -> None:
    folder = AlbumFolder(tmp_path, KEEP, MOST)
    whole, broken = dream(1), dream(2)
    folder.add(whole, files())
    folder.add(broken, files())
    entry = tmp_path / f"{broken.id}.json"
    match spoil:
        case "entry gone":
            entry.unlink()
        case "picture cut":
            (tmp_path / f"{broken.id}.jpg").write_bytes(b"")
        case "clip gone":
            (tmp_path / f"{broken.id}.mp4").unlink()
        case "entry cut":
            entry.write_bytes(entry.read_bytes()[:40])
        case "entry nonsense":
            entry.write_bytes(json.dumps(json.loads(entry.read_text()) | {"targets": [{"label": 5}]}).encode())
        case "entry newer":
            entry.write_bytes(json.dumps(json.loads(entry.read_text()) | {"version": 99}).encode())
        case "entry list":
            entry.write_bytes(b"[1]")
    (tmp_path / ".zoomdream.abc.part").write_bytes(b"half")
    (tmp_path / "notes.txt").write_text("somebody else's")
    with caplog.at_level(logging.WARNING):
        assert kept(tmp_path) == [whole]
    assert ("is left out" in caplog.text) == (spoil != "entry gone")
    assert {file.name.partition(".")[0] for file in tmp_path.iterdir()} == {whole.id, "notes"}


def test_names_in_entries_lead_nowhere_else(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Only names in the form of an ID are read, so no entry can contain a path."""
    (tmp_path / "..etc.json").write_text("{}")
    (tmp_path / "AAAAAAAAAAAA.json").write_text("{}")
    assert kept(tmp_path) == []
    assert caplog.text == ""
    with pytest.raises(AssertionError):
        AlbumFolder(tmp_path, KEEP, MOST).file("../../../etc", "picture")


def test_an_unreadable_folder_is_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "dreams"
    file.write_text("a file")
    assert kept(file) == kept(file / "below") == kept(tmp_path / "nothing") == []
    assert caplog.text == ""
    assert kept(tmp_path / ("x" * 300)) == []
    assert "cannot be read: File name too long" in caplog.text


def test_a_dream_that_cannot_be_deleted_is_hidden_and_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = AlbumFolder(tmp_path, KEEP, MOST)
    one = dream(1)
    folder.add(one, files())
    (tmp_path / f"{one.id}.gif").mkdir()  # deleting a file fails there
    assert folder.remove(one.id)
    assert folder.entries == ()
    assert "it is hidden until the next start" in caplog.text
