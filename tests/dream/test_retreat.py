from streamer.config import CanvasConfig, Config, NetworkConfig
from streamer.dream.worker.budget import MEMORY_S
from streamer.dream.worker.causes import Cause
from streamer.dream.worker.retreat import Retreat
from tests.fakes import HandClock

CONFIG = Config(canvas=CanvasConfig(width=160, height=90), network=NetworkConfig(name=("vgg16", "squeezenet1_1", "bundled")))


class Stage:
    def __init__(self, config=CONFIG):
        self.clock = HandClock(0.0)
        self.retreat = Retreat(config, self.clock)
        self.retreat.begun("vgg16 + squeezenet1_1 + bundled")

    def ends(self, cause, dreamt_s=1.0, device="cpu"):
        return self.retreat.ended(cause, dreamt_s, device)


def test_want_of_memory_takes_canvas_then_networks_one_at_a_time():
    stage = Stage()
    done = [stage.ends(Cause.MEMORY) for _ in range(6)]
    assert done == [
        "the canvas is one size smaller from now on",
        "the canvas is one size smaller from now on",
        "it goes on without bundled",
        "it goes on without squeezenet1_1",
        "",
        "",
    ]
    assert (stage.retreat.level, stage.retreat.config.network.name) == (2, ("vgg16",))
    assert stage.retreat.told == (
        "too little memory: a smaller canvas and no squeezenet1_1 and bundled; more is tried again in 10 min"
    )


def test_after_ten_minutes_the_latest_is_taken_back_then_the_one_before():
    stage = Stage()
    for _ in range(3):
        stage.ends(Cause.MEMORY)
    stage.clock.advance(MEMORY_S - 1)
    assert not stage.retreat.look()
    stage.clock.advance(1)
    assert stage.retreat.look(), "networks take another worker"
    assert stage.retreat.config == CONFIG
    assert not stage.retreat.look()
    for level in (1, 0):
        stage.clock.advance(MEMORY_S)
        assert not stage.retreat.look(), "a canvas grows in its worker"
        assert stage.retreat.level == level
    assert stage.retreat.told == ""
    stage.clock.advance(MEMORY_S)
    assert not stage.retreat.look()


def test_what_a_worker_did_itself_holds_for_the_next():
    stage = Stage()
    stage.retreat.stumbled(2)
    assert stage.retreat.level == 2
    stage.retreat.stumbled(-1)
    assert stage.retreat.level == 0, "a canvas larger than usual was too large; the usual one was not"


def test_three_failures_of_the_gpu_in_a_row_are_too_many():
    stage = Stage()
    assert [stage.ends(Cause.DEVICE, device="cuda") for _ in range(2)] == ["", ""]
    stage.ends(Cause.OTHER)
    assert [stage.ends(Cause.DEVICE, device="cuda") for _ in range(2)] == ["", ""]
    assert stage.ends(Cause.DEVICE, MEMORY_S, "cuda") == "", "it did well for long"
    assert stage.ends(Cause.DEVICE, device="cuda") == ""
    assert stage.retreat.config == CONFIG
    assert stage.ends(Cause.DEVICE, device="cuda") == "the CPU dreams from now on"
    assert stage.retreat.config.device == "cpu"
    assert stage.retreat.told.startswith("the GPU failed 3 times in a row")
    assert stage.ends(Cause.DEVICE) == ""


def test_other_ends_take_nothing():
    stage = Stage()
    assert [stage.ends(Cause.OTHER) for _ in range(9)] == [""] * 9
    assert (stage.retreat.level, stage.retreat.config, stage.retreat.told) == (0, CONFIG, "")


def test_one_network_is_never_left_out():
    stage = Stage(CONFIG.model_copy(update={"network": NetworkConfig(name="bundled")}))
    stage.retreat.begun("bundled")
    assert [stage.ends(Cause.MEMORY) for _ in range(4)][2:] == ["", ""]
    assert stage.retreat.config.network.name == "bundled"
