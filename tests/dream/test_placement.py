"""Where workers run, with a hand-driven clock; tests/dream/remote uses a real cluster."""

import pytest

from streamer.config import Config, RendererConfig
from streamer.dream.worker.placement import Placement, PlacementLimits
from streamer.dream.worker.protocol import ClusterPlacement, LinkReport, PrepareMode
from streamer.messages.renderer_status import LinkStatus
from tests.fakes import HandClock

RAY = RendererConfig(where="ray")
ALONE = RendererConfig(where="ray", fallback="none")


class Stage:
    def __init__(self, settings=RAY):
        self.clock = HandClock(0.0)
        self.placement = Placement(settings, PlacementLimits(pause_s=3.0, pause_most_s=10.0), self.clock)

    def work(self, free_nodes=0):
        """Start a worker on the cluster that renders; return where."""
        cluster_placement = self.placement.next()
        assert cluster_placement is not None
        self.placement.begin(cluster_placement)
        self.placement.note_link(LinkReport("a", free_nodes, LinkStatus("10.0.0.2")))
        self.placement.dreams()
        return cluster_placement

    def stand_in(self):
        """Lose a cluster worker and start one here."""
        self.placement.lost(self.work(), "the node is gone")
        assert self.placement.next() is None
        self.placement.begin(None)
        self.placement.dreams()


def test_without_a_cluster_all_are_here():
    placement = Stage(RendererConfig()).placement
    placement.begin(None)
    assert (placement.next(), placement.link_status) == (None, None)
    assert placement.spare("cpu") == (None, PrepareMode.SPARE)
    assert placement.spare("cuda") == (None, PrepareMode.SPARE_LIGHT), "a GPU holds no second network"
    assert not placement.is_better(None)
    assert not placement.relieves(None)
    assert not placement.lost(None, "killed")


def test_the_spare_is_on_another_node_where_one_has_room():
    stage = Stage()
    stage.work(free_nodes=1)
    assert stage.placement.spare("cuda") == (ClusterPlacement(RAY, ("a",)), PrepareMode.SPARE)
    stage.placement.note_link(LinkReport("a", 0, LinkStatus("10.0.0.2")))
    assert stage.placement.spare("cuda") == (None, PrepareMode.SPARE_LIGHT)
    assert stage.placement.link_status == LinkStatus("10.0.0.2")


def test_a_spare_here_makes_room_for_one_on_a_node_that_joins():
    stage = Stage()
    stage.work()
    assert not stage.placement.is_better(None)
    stage.placement.note_link(LinkReport("a", 1, LinkStatus("10.0.0.2")))
    assert stage.placement.is_better(None)
    spare, _ = stage.placement.spare("cpu")
    assert not stage.placement.is_better(spare)
    assert not stage.placement.relieves(spare), "the one at work is well"


def test_a_spare_that_found_no_place_is_followed_by_one_here_for_a_while():
    stage = Stage()
    stage.work(free_nodes=1)
    spare, _ = stage.placement.spare("cpu")
    assert stage.placement.lost(spare, "no room")
    assert stage.placement.spare("cpu") == (None, PrepareMode.SPARE_LIGHT)
    assert stage.placement.link_status == LinkStatus("10.0.0.2"), "nothing is wrong with the one at work"
    assert not stage.placement.is_better(None)
    stage.clock.advance(3.0)
    assert stage.placement.is_better(None)


def test_this_machine_stands_in_until_the_cluster_has_a_place_again():
    stage = Stage()
    stage.stand_in()
    assert stage.placement.is_fallback
    assert stage.placement.link_status == LinkStatus("", "the node is gone")
    for pause_s in (3.0, 6.0, 10.0, 10.0):
        assert not stage.placement.is_better(None)
        assert stage.placement.spare("cpu") == (None, PrepareMode.SPARE)
        stage.clock.advance(pause_s)
        assert stage.placement.is_better(None)
        spare, prepare_mode = stage.placement.spare("cpu")
        assert (spare, prepare_mode) == (ClusterPlacement(RAY), PrepareMode.SPARE)
        assert stage.placement.relieves(spare)
        assert not stage.placement.is_better(spare)
        assert stage.placement.lost(spare, "no room")
    assert stage.placement.link_status == LinkStatus("", "no room")
    stage.clock.advance(10.0)
    stage.work()
    assert not stage.placement.is_fallback
    stage.placement.lost(stage.placement._at_work, "gone again")
    stage.clock.advance(3.0)
    assert stage.placement.next() is not None, "pauses are short again after rendering there"


def test_who_wants_nobody_to_dream_here_waits_for_the_cluster():
    stage = Stage(ALONE)
    stage.placement.lost(stage.work(), "the node is gone")
    for _ in range(5):
        cluster_placement = stage.placement.next()
        assert cluster_placement == ClusterPlacement(ALONE)
        stage.placement.begin(cluster_placement)
        stage.placement.lost(cluster_placement, "no cluster")
    assert stage.placement.link_status == LinkStatus("", "no cluster")
    stage.work()
    assert stage.placement.spare("cuda") == (ClusterPlacement(ALONE), PrepareMode.SPARE_LIGHT), (
        "it takes a node once it is needed"
    )


@pytest.mark.parametrize(("asked", "given"), [("cuda", "auto"), ("auto", "auto"), ("cpu", "cpu")])
def test_a_worker_here_makes_do_with_what_there_is(asked, given):
    config = Config(device=asked)
    assert Stage().placement.here(config).device == given
    assert Stage(RendererConfig()).placement.here(config) is config
