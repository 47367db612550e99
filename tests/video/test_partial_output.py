import errno
import os
from pathlib import Path

import pytest

from streamer.video.files.partial_output import beside, put_in_place, remove


def test_it_is_an_empty_folder_beside_its_place_or_in_it(tmp_path: Path) -> None:
    work_folder = beside(tmp_path / "a.mp4")
    assert (work_folder.parent, list(work_folder.iterdir())) == (tmp_path, [])
    remove(work_folder)
    remove(work_folder)
    assert not list(tmp_path.iterdir())
    assert beside(tmp_path / "new").parent == tmp_path
    (tmp_path / "there").mkdir()
    assert beside(tmp_path / "there").parent == tmp_path / "there"


def test_it_takes_the_place_of_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text("before")
    part = beside(tmp_path / "a.mp4") / "whole"
    part.write_text("after")
    put_in_place(part, tmp_path / "a.mp4")
    remove(part.parent)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.mp4", "after")]
    mask = os.umask(0)
    os.umask(mask)
    assert (tmp_path / "a.mp4").stat().st_mode & 0o777 == 0o666 & ~mask


def test_what_cannot_be_replaced_is_written_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A single file mounted into a container behaves like this."""

    def busy(*_: object) -> None:
        raise OSError(errno.EBUSY, "Device or resource busy")

    monkeypatch.setattr(os, "replace", busy)
    part = beside(tmp_path / "a.mp4") / "whole"
    part.write_text("after")
    with pytest.raises(OSError, match="busy"):
        put_in_place(part, tmp_path / "a.mp4")
    (tmp_path / "a.mp4").write_text("before")
    put_in_place(part, tmp_path / "a.mp4")
    remove(part.parent)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.mp4", "after")]
