"""The parts of work on a cluster, without a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from streamer.cluster import ClusterError
from streamer.cluster_nodes import Node
from streamer.commands.on_ray.node import Stretch
from streamer.commands.on_ray.node_pool import TaskResources, share_of
from streamer.commands.on_ray.options import RayCall, ray_call
from streamer.commands.on_ray.segments import FADE_S, OVERLAP_S, FilmSegment, Spool, blended, cut, joined
from streamer.commands.on_ray.stretches import FIRST, Stretches, StretchPace
from streamer.config import Config
from streamer.messages.keyframes import SourcePicture

SIZE = (4, 6)


def film(count: int, fps: int = 10) -> Iterator[SourcePicture]:
    """Yield pictures whose brightness is their number."""
    return (SourcePicture(np.full((*SIZE, 3), number, np.uint8), number, number / fps) for number in range(count))


def pieces_of(count: int, piece_s: float, folder: Path) -> list[FilmSegment]:
    return list(cut(film(count), piece_s, SIZE, folder))


def numbers(piece: FilmSegment) -> list[int]:
    return [number for number, _ in piece.pictures.about]


def test_pieces_overlap_by_what_leads_to_each(tmp_path: Path) -> None:
    first, second, last = pieces = pieces_of(130, 5.0, tmp_path)
    lead = round(10 * OVERLAP_S)
    assert numbers(first) == list(range(50))
    assert numbers(second) == list(range(50 - lead, 100))
    assert numbers(last) == list(range(100 - lead, 130))
    assert [piece.last for piece in pieces] == [False, False, True]


@pytest.mark.parametrize("count", [1, 30, 50, 51])
def test_a_film_that_ends_before_a_piece_has_pictures_of_its_own_has_none_of_it(count: int, tmp_path: Path) -> None:
    pieces = pieces_of(count, 5.0, tmp_path)
    assert len(pieces) == (2 if count > 50 else 1)
    assert pieces[-1].last
    assert numbers(pieces[-1])[-1] == count - 1
    for piece in pieces:
        piece.pictures.remove()
    assert not list(tmp_path.iterdir())


def test_joined_every_picture_is_there_once_and_pieces_fade(tmp_path: Path) -> None:
    def dreamt() -> Iterator[tuple[FilmSegment, Spool]]:
        for piece in cut(film(130), 5.0, SIZE, tmp_path):
            made = Spool(tmp_path / f"made-{piece.number}", SIZE)
            for picture in piece.pictures:
                made.add(SourcePicture(np.full((*SIZE, 3), 100 * piece.number, np.uint8), picture.number, picture.time_s))
            piece.pictures.remove()
            yield piece, made

    found = list(joined(dreamt()))
    assert [each.number for each in found] == list(range(130))
    levels = [int(each.rendered.image[0, 0, 0]) for each in found]
    fade = round(10 * FADE_S)
    assert levels[: 50 - fade + 1] == [0] * (46)
    assert levels[50 - fade : 50] == [0, 20, 40, 60, 80]
    assert levels[50 : 100 - fade] == [100] * 45
    assert set(levels[100:]) == {200}
    resting = [each.number for each in found if not each.can_checkpoint]
    assert resting == [*range(45, 49), *range(95, 99)], "while something of an earlier piece is held"
    assert not list(tmp_path.iterdir())


def test_a_fade_goes_from_one_to_the_other() -> None:
    before, after = np.full((1, 1, 3), 10, np.uint8), np.full((1, 1, 3), 21, np.uint8)
    assert [int(blended(before, after, share)[0, 0, 0]) for share in (-1.0, 0.0, 0.5, 1.0, 2.0)] == [10, 10, 16, 21, 21]


class Known:
    """A finished task."""

    def __init__(self, stretch: Stretch[int]) -> None:
        self._stretch = stretch

    def result(self) -> Stretch[int]:
        return self._stretch


def test_items_come_in_stretches_and_can_be_resumed_between_them() -> None:
    asked: list[tuple[bytes | None, int]] = []

    def ask(state: bytes | None, count: int) -> Known | None:
        asked.append((state, count))
        begins = 0 if state is None else int(state)
        if begins >= 7:
            return None
        ends = min(7, begins + count)
        return Known(Stretch(tuple(range(begins, ends)), str(ends).encode(), 0.5 * (ends - begins)))

    items = Stretches(ask, StretchPace(1.5, 1))  # type: ignore[arg-type]
    assert items.can_checkpoint
    assert [next(items) for _ in range(FIRST)] == [0, 1]
    assert items.can_checkpoint
    assert asked == [(None, FIRST), (b"2", 3)], "the next is asked for while the first is taken"
    again = Stretches(ask, StretchPace(1.5, 1))  # type: ignore[arg-type]
    again._state = items._state
    next(items)
    assert not items.can_checkpoint
    assert list(items) == [3, 4, 5, 6]
    assert not items.more()
    assert list(again) == [2, 3, 4, 5, 6], "from where it rested"


def test_a_stretch_holds_no_more_than_fits() -> None:
    assert StretchPace(60.0, 40 << 20, one_s=0.001).items() == 1
    pace = StretchPace(60.0, 1)
    assert pace.items() == FIRST
    pace.learn(2, 12.0)
    assert pace.items() == 10


CPU, GPU = Node("a", "a", "a", True, 4, 0), Node("b", "b", "b", True, 8, 2)


@pytest.mark.parametrize(
    ("call", "device", "nodes", "share"),
    [
        (RayCall("x", cpus=3), "auto", (CPU,), TaskResources(3, 0.0)),
        (RayCall("x"), "auto", (CPU, GPU), TaskResources(1, 0.25)),
        (RayCall("x", gpus=2), "cuda", (GPU,), TaskResources(1, 2)),
        (RayCall("x", cpus=2), "cpu", (GPU,), TaskResources(2, 0.0)),
        (RayCall("x", cpus=2, tiles=True), "auto", (GPU,), TaskResources(2, 0.0)),
    ],
)
def test_what_a_task_gets(call: RayCall, device: str, nodes: tuple[Node, ...], share: TaskResources) -> None:
    config = Config.model_validate({"device": device})
    assert share_of(call, config, nodes, 0.25, lambda line: pytest.fail(line)) == share


def test_fewer_threads_than_here_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamer.commands.on_ray.node_pool.threads", lambda: 16)
    told: list[str] = []
    assert share_of(RayCall("x"), Config(), (CPU,), 0.25, told.append) == TaskResources(4, 0.0)
    assert told == ["with 4 threads each, for no node has the 16 CPUs that would be used here: pixels may differ"]


def test_a_gpu_that_no_node_has_is_refused() -> None:
    with pytest.raises(ClusterError, match="'device' is cuda, and no node of 'x' has a GPU; take --set device=cpu"):
        share_of(RayCall("x"), Config.model_validate({"device": "cuda"}), (CPU,), 0.25, lambda line: None)


def test_options_of_a_cluster_need_one() -> None:
    assert ray_call("", None, None) is None
    assert ray_call("auto", 0.5, 2, 9.0) == RayCall("auto", 0.5, 2, 9.0)
    with pytest.raises(ValueError, match="--ray-tiles goes with --ray ADDRESS"):
        ray_call("", None, None, tiles=True)
