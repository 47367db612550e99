from streamer.config import CanvasConfig, Config, NetworkConfig
from streamer.dream.worker.causes import Cause
from streamer.dream.worker.degradation import Degradation
from streamer.dream.worker.step_scheduler import MEMORY_RETRY_S
from tests.fakes import HandClock

CONFIG = Config(canvas=CanvasConfig(width=160, height=90), network=NetworkConfig(name=("vgg16", "squeezenet1_1", "bundled")))


class Stage:
    def __init__(self, config=CONFIG):
        self.clock = HandClock(0.0)
        self.degradation = Degradation(config, self.clock)
        self.degradation.worker_started("vgg16 + squeezenet1_1 + bundled")

    def ends(self, cause, dreamt_s=1.0, device="cpu"):
        return self.degradation.worker_failed(cause, dreamt_s, device)


def test_want_of_memory_takes_canvas_then_networks_one_at_a_time():
    stage = Stage()
    done = [stage.ends(Cause.MEMORY) for _ in range(6)]
    assert done == [
        "the canvas is one size smaller from now on",
        "the canvas is one size smaller from now on",
        "continuing without bundled",
        "continuing without squeezenet1_1",
        "",
        "",
    ]
    assert (stage.degradation.level, stage.degradation.config.network.name) == (2, ("vgg16",))
    assert stage.degradation.summary == (
        "too little memory: a smaller canvas and no squeezenet1_1 and bundled; next attempt with more in 10 min"
    )


def test_after_ten_minutes_the_latest_is_taken_back_then_the_one_before():
    stage = Stage()
    for _ in range(3):
        stage.ends(Cause.MEMORY)
    stage.clock.advance(MEMORY_RETRY_S - 1)
    assert not stage.degradation.undo_if_due()
    stage.clock.advance(1)
    assert stage.degradation.undo_if_due(), "networks take another worker"
    assert stage.degradation.config == CONFIG
    assert not stage.degradation.undo_if_due()
    for level in (1, 0):
        stage.clock.advance(MEMORY_RETRY_S)
        assert not stage.degradation.undo_if_due(), "a canvas grows in its worker"
        assert stage.degradation.level == level
    assert stage.degradation.summary == ""
    stage.clock.advance(MEMORY_RETRY_S)
    assert not stage.degradation.undo_if_due()


def test_what_a_worker_did_itself_holds_for_the_next():
    stage = Stage()
    stage.degradation.canvas_shrunk(2)
    assert stage.degradation.level == 2
    stage.degradation.canvas_shrunk(-1)
    assert stage.degradation.level == 0, "a canvas larger than usual was too large; the usual one was not"


def test_three_failures_of_the_gpu_in_a_row_are_too_many():
    stage = Stage()
    assert [stage.ends(Cause.DEVICE, device="cuda") for _ in range(2)] == ["", ""]
    stage.ends(Cause.OTHER)
    assert [stage.ends(Cause.DEVICE, device="cuda") for _ in range(2)] == ["", ""]
    assert stage.ends(Cause.DEVICE, MEMORY_RETRY_S, "cuda") == "", "it did well for long"
    assert stage.ends(Cause.DEVICE, device="cuda") == ""
    assert stage.degradation.config == CONFIG
    assert stage.ends(Cause.DEVICE, device="cuda") == "the CPU renders from now on"
    assert stage.degradation.config.device == "cpu"
    assert stage.degradation.summary.startswith("the GPU failed 3 times in a row")
    assert stage.ends(Cause.DEVICE) == ""


def test_other_ends_take_nothing():
    stage = Stage()
    assert [stage.ends(Cause.OTHER) for _ in range(9)] == [""] * 9
    assert (stage.degradation.level, stage.degradation.config, stage.degradation.summary) == (0, CONFIG, "")


def test_one_network_is_never_left_out():
    stage = Stage(CONFIG.model_copy(update={"network": NetworkConfig(name="bundled")}))
    stage.degradation.worker_started("bundled")
    assert [stage.ends(Cause.MEMORY) for _ in range(4)][2:] == ["", ""]
    assert stage.degradation.config.network.name == "bundled"
