"""Small files are written completely or not at all."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from streamer.atomic_files import write_atomically


def test_a_file_takes_the_place_of_the_one_before_and_of_an_unfinished_one(tmp_path: Path) -> None:
    file = tmp_path / "a.webp"
    (tmp_path / ".a.webp.part").write_bytes(b"left by a program that was killed")
    write_atomically(file, b"first")
    write_atomically(file, b"second")
    assert file.read_bytes() == b"second"
    assert [each.name for each in tmp_path.iterdir()] == ["a.webp"]


def test_what_cannot_be_put_in_place_changes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "a.webp"
    (folder / "inside").mkdir(parents=True)
    with pytest.raises(OSError, match=r"a\.webp"):
        write_atomically(folder, b"data")
    assert [each.name for each in tmp_path.iterdir()] == ["a.webp"]


def test_several_may_write_one_at_the_same_time(tmp_path: Path) -> None:
    file, datas = tmp_path / "weights", [bytes([number]) * 1_000_000 for number in range(8)]
    with ThreadPoolExecutor(len(datas)) as pool:
        list(pool.map(lambda data: write_atomically(file, data, alone=False), datas))
    assert file.read_bytes() in datas
    assert [each.name for each in tmp_path.iterdir()] == ["weights"]
