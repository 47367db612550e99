"""When GIFs are made, how often, and what happens on errors."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from streamer.messages.album_entry import AlbumEntry
from streamer.messages.refused import Reason, Refused
from streamer.video.album import gifs as module
from streamer.video.album.album_files import write_clip
from streamer.video.album.album_folder import AlbumFolder, FileKind, new_id
from streamer.video.album.clip_buffer import ClipBuffer
from streamer.video.album.gifs import WAITING, Gifs
from tests.patience import PATIENCE_S
from tests.video.studio import SPEC, encode


def add(folder: AlbumFolder, clip: Callable[[Path], object] = lambda path: path.write_bytes(b"clip")) -> str:
    """Save a dream with this clip, and return its ID."""
    files: dict[FileKind, Callable[[Path], object]] = {
        "picture": lambda path: path.write_bytes(b"picture"),
        "small": lambda path: path.write_bytes(b"small"),
        "clip": clip,
    }
    dream = AlbumEntry(new_id(), "volcano", (), "Mara", 1000.0, (72, 128), 3.0)
    folder.add(dream, files)
    return dream.id


@pytest.fixture
def folder(tmp_path: Path) -> AlbumFolder:
    return AlbumFolder(tmp_path, 100, 10_000_000)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Fake GIFs, and return the list of clips that they are made from."""
    found: list[Path] = []

    def make(clip: Path, path: Path, look: Callable[[], None]) -> None:
        path.write_bytes(b"GIF of " + clip.read_bytes())
        found.append(clip)

    monkeypatch.setattr(module, "write_gif", make)
    monkeypatch.setattr(module, "_lower_priority", lambda: None)  # the tests' own thread keeps its priority
    monkeypatch.setattr(module, "WAIT_S", 0.0)
    return found


def test_one_is_made_once_however_often_it_is_asked_for(folder: AlbumFolder, made: list[Path]) -> None:
    gifs, dream_id = Gifs(folder), add(folder)
    assert [gifs.get(dream_id) for _ in range(3)] == [None] * 3
    for _ in range(3):
        gifs.make()
    path = gifs.get(dream_id)
    assert path is not None
    assert path.read_bytes() == b"GIF of clip"
    assert len(made) == 1
    assert Gifs(folder).get(dream_id) == path, "and it is there after a restart"


def test_only_some_may_wait(folder: AlbumFolder, made: list[Path]) -> None:
    gifs, ids = Gifs(folder), [add(folder) for _ in range(WAITING + 1)]
    assert [gifs.get(dream_id) for dream_id in ids[:-1]] == [None] * WAITING
    with pytest.raises(Refused) as caught:
        gifs.get(ids[-1])
    assert (caught.value.reason, caught.value.retry_s) == (Reason.LIMIT, module.RETRY_S)
    gifs.make()
    assert gifs.get(ids[-1]) is None, "there is room again"
    for _ in range(WAITING):
        gifs.make()
    assert [clip.stem for clip in made] == ids, "in the order in which they were asked for"


def test_one_of_what_was_removed_meanwhile_is_no_fault(folder: AlbumFolder, made: list[Path]) -> None:
    gifs, dream_id = Gifs(folder), add(folder)
    gifs.get(dream_id)
    folder.remove(dream_id)
    gifs.make()
    assert not list(folder.path.iterdir())


@pytest.mark.logs("a clip cannot be converted to a GIF")
def test_one_that_fails_can_be_asked_for_again(folder: AlbumFolder, made: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(clip: Path, path: Path, look: Callable[[], None]) -> None:
        raise OSError("the disk is full")

    gifs, dream_id = Gifs(folder), add(folder)
    with monkeypatch.context() as broken:
        broken.setattr(module, "write_gif", fail)
        assert gifs.get(dream_id) is None
        gifs.make()
    assert gifs.get(dream_id) is None
    gifs.make()
    assert gifs.get(dream_id) is not None


def test_one_at_hand_is_given_up_at_the_end(folder: AlbumFolder, made: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    gifs, dream_id = Gifs(folder), add(folder)
    begun, ended = threading.Event(), []

    def make(clip: Path, path: Path, look: Callable[[], None]) -> None:
        path.write_bytes(b"half")
        begun.set()
        try:
            while True:
                look()
        finally:
            ended.append(clip)

    monkeypatch.setattr(module, "write_gif", make)
    gifs.get(dream_id)
    gifs.start()
    assert begun.wait(PATIENCE_S)
    assert gifs.stop(PATIENCE_S)
    assert len(ended) == 1
    assert not [file for file in folder.path.iterdir() if file.suffix in (".gif", ".part")]


def test_a_real_virtual_camera(folder: AlbumFolder) -> None:
    ring = ClipBuffer(SPEC, 2.0)
    encode(ring, range(30))
    cut = ring.cut(0, 29, 2.0)
    assert cut is not None
    gifs, dream_id = Gifs(folder), add(folder, lambda path: write_clip(cut, path))
    assert gifs.get(dream_id) is None
    thread = threading.Thread(target=gifs.make)  # a thread that may lower its priority
    thread.start()
    thread.join(PATIENCE_S)
    path = gifs.get(dream_id)
    assert path is not None
    with Image.open(path) as gif:
        assert (gif.format, gif.n_frames) == ("GIF", 20)
