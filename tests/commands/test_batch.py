from pathlib import Path

import pytest

from streamer.commands import CommandError
from streamer.commands.batch import Job, jobs, left_out


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    for name in ("b.JPG", "a.png", "notes.txt", ".hidden.png", "more/a.jpg"):
        (folder / name).touch()
    return folder


def test_one_picture_goes_to_the_file_named(photos: Path, tmp_path: Path) -> None:
    assert jobs([photos / "a.png"], tmp_path / "out.jpg") == (Job(photos / "a.png", tmp_path / "out.jpg"),)


def test_without_a_picture_there_is_one_dream(tmp_path: Path) -> None:
    assert jobs([], tmp_path / "out.png") == (Job(None, tmp_path / "out.png"),)
    assert jobs([], tmp_path / "out") == (Job(None, tmp_path / "out" / "dream.png"),)


def test_a_folders_pictures_go_to_a_folder_under_their_names(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert jobs([photos], out) == (Job(photos / "a.png", out / "a.png"), Job(photos / "b.JPG", out / "b.png"))


def test_a_pattern_says_name_and_kind(photos: Path, tmp_path: Path) -> None:
    found = jobs([photos], tmp_path / "dreamt_*.jpg")
    assert [job.output.name for job in found] == ["dreamt_a.jpg", "dreamt_b.jpg"]


def test_pictures_of_one_name_do_not_replace_each_other(photos: Path, tmp_path: Path) -> None:
    found = jobs([photos / "a.png", photos / "more" / "a.jpg", photos / "a.png"], tmp_path / "out")
    assert [(job.source.parent.name, job.output.name) for job in found] == [("photos", "a.png"), ("more", "a_2.png")]


def test_a_folder_takes_every_kind_that_can_be_read(photos: Path, tmp_path: Path) -> None:
    for name in ("c.avif", "d.jfif", "e.JP2", "f.qoi", "g.tga", "h.ppm"):
        (photos / name).touch()
    assert [job.source.name for job in jobs([photos], tmp_path / "out")] == [
        *("a.png", "b.JPG", "c.avif", "d.jfif", "e.JP2", "f.qoi", "g.tga", "h.ppm")
    ]


def test_files_left_out_are_reported_once_for_each_folder(photos: Path) -> None:
    (photos / "c.cr2").touch()
    assert left_out([photos, photos / "a.png", photos / "more", photos]) == (
        f"passed over in '{photos}': c.cr2 (kinds that cannot be read), 1 folder, 1 other file",
    )


def test_a_folder_of_kinds_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a.nef").touch()
    with pytest.raises(CommandError, match=r"there are no pictures in '.*raw'; passed over in '.*raw': a\.nef"):
        jobs([tmp_path / "raw"], tmp_path / "out")


@pytest.mark.parametrize(
    ("sources", "output", "says"),
    [
        (["photos"], "out.png", "2 pictures do not fit into"),
        (["photos/c.png"], "out.png", "there is no picture"),
        (["empty"], "out", "there are no pictures in"),
        (["photos/a.png"], "photos", "would be replaced by its own dream"),
        (["photos/a.png"], "photos/a.png", "would be replaced by its own dream"),
    ],
)
def test_what_cannot_be_meant_is_refused(photos: Path, tmp_path: Path, sources: list[str], output: str, says: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(CommandError, match=says) as caught:
        jobs([tmp_path / source for source in sources], tmp_path / output)
    assert caught.value.code == 2
