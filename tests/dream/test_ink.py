"""The ink algorithm: two values, few flips a step by the gradient's sign, connected ink, and subjects that grow."""

import cv2
import numpy as np
import pytest
import torch

from streamer import zoom
from streamer.config import Config, DreamConfig, InkConfig, ZoomConfig
from streamer.dream.algorithms.dreamer_factory import make_dreamer
from streamer.dream.algorithms.ink import InkDreamer, pixels_to_flip
from streamer.dream.algorithms.ink_start import dark_mask, disc_mask, otsu_threshold, text_mask
from streamer.dream.interface import DreamError
from streamer.dream.objectives.scene import SceneObjective
from streamer.messages.motion import Motion, Pose
from streamer.messages.scenes import Region, Scene, Target, arrange
from tests.fakes import tiny_ensemble, tiny_network

pytestmark = pytest.mark.usefixtures("precision")

A, B, C = (Target(f"n0000000{i}", name) for i, name in enumerate(("alpha", "beta", "gamma"), 1))
SIZE = (54, 72)
SCENE = Scene(1, arrange([A]))
STILL = Motion(1.0, 0.0)
CPU = torch.device("cpu")


def drawing(
    seed: int = 1,
    *,
    size: tuple[int, int] = SIZE,
    scene: Scene | None = SCENE,
    moving: Motion = STILL,
    start: np.ndarray | None = None,
    ink_start: str = "auto",
    dream: DreamConfig | None = None,
    **ink: object,
) -> InkDreamer:
    config = Config(
        dream=dream or DreamConfig(algorithm="ink"),
        zoom=ZoomConfig(speed=moving.speed, rotation=moving.rotation),
        ink=InkConfig.model_validate({"start": ink_start, **ink}),
    )
    dreamer = make_dreamer(tiny_ensemble(), config, size, CPU, seed, start)
    assert isinstance(dreamer, InkDreamer)
    if scene is not None:
        dreamer.scene(scene)
    return dreamer


@pytest.mark.parametrize("layer", ["", "conv2", "conv1"])
def test_each_step_keeps_the_rules(layer: str) -> None:
    target = Target("", f"layer {layer}", layer=layer, channels=(1,) if layer == "conv1" else ()) if layer else A
    dreamer = drawing(scene=Scene(1, arrange([target])), flips=7, reach_px=0)
    for _ in range(30):
        before = dreamer.ink.clone()
        dreamer.step(0.1)
        blackened, whitened = dreamer.ink & ~before, before & ~dreamer.ink
        flips = int((blackened | whitened).sum())
        assert 1 <= flips <= 7
        assert bool((dreamer.uphill[blackened] < 0).all()), "white turns black only where the picture is to be darker"
        assert bool((dreamer.uphill[whitened] > 0).all()), "black turns white only where it is to be lighter"
        willing = torch.where(before, dreamer.uphill > 0, dreamer.uphill < 0)
        rest = dreamer.uphill.abs()[willing & (before == dreamer.ink)]
        assert flips < 7 or float(rest.max()) <= float(dreamer.uphill.abs()[before != dreamer.ink].min()), "steepest first"
        picture = dreamer.picture()
        assert picture.shape == (*SIZE, 3)
        assert picture.dtype == np.uint8
        assert set(np.unique(picture)) == {0, 255}


def test_the_network_is_shown_two_greys_close_together() -> None:
    dreamer = drawing(white=3.0, black=-1.0)
    dreamer.step(0.1)
    for channel, mean in zip(dreamer.seen(tiny_network())[0], tiny_network().mean.flatten(), strict=True):
        assert torch.unique(channel - mean).tolist() == pytest.approx([-1.0, 3.0], abs=1e-4)


def linked(ink: np.ndarray, start: np.ndarray, reach_px: int) -> np.ndarray:
    """Return the ink connected to the start by gaps of at most ``reach_px``."""
    _, parts = cv2.connectedComponents(cv2.dilate(ink.astype(np.uint8), np.ones((reach_px + 1, reach_px + 1), np.uint8)))
    home = np.unique(parts[start])
    return ink & np.isin(parts, home[home > 0])


def test_the_drawing_grows_from_its_disc() -> None:
    dreamer = drawing(flips=4, reach_px=2)
    start = dreamer.ink.numpy().copy()
    grown = start.copy()
    assert 60 <= start.sum() <= 130, "a disc with a radius of 5.5"
    assert start[SIZE[0] // 2, SIZE[1] // 2]
    for _ in range(100):
        before = dreamer.ink.numpy()
        dreamer.step(0.1)
        fresh = dreamer.ink.numpy() & ~before
        assert not (fresh & ~cv2.dilate(before.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)).any()
        grown |= dreamer.ink.numpy()
    assert grown.sum() > start.sum() + 50
    assert not (grown & ~linked(grown, start, 2)).any(), "all ink ever drawn hangs together with the start"


def score(dreamer: InkDreamer, region: Region) -> float:
    """Return how well the drawing shows a region's target."""
    network = tiny_network()
    return SceneObjective(network).score(dreamer.seen(network), region)


def test_what_is_asked_for_grows_in_its_half() -> None:
    scene = Scene(1, arrange([A, B]))
    # The view has the size that is scored: a random network answers differently at other sizes.
    dream = DreamConfig(algorithm="ink", views=(SIZE[0] / 32,), view_jitter=0.0, jitter_px=0)
    dreamer = drawing(scene=scene, white=60.0, black=-60.0, dream=dream)
    assert [bool(half.any()) for half in dreamer.ink.split(27)] == [True, True], "each subject begins with a disc of its own"
    scores = [score(dreamer, region) for region in scene.regions]
    for _ in range(40):
        dreamer.step(0.1)
    for region, before in zip(scene.regions, scores, strict=True):
        assert score(dreamer, region) > before + 0.05


def test_one_seed_gives_one_drawing() -> None:
    def drawn(seed: int) -> np.ndarray:
        dreamer = drawing(seed, moving=Motion(1.5, 20.0), fade_s=0.3)
        for _ in range(8):
            dreamer.step(0.1)
        dreamer.bump()
        dreamer.twist()
        dreamer.step(0.1)
        return dreamer.picture()

    assert np.array_equal(drawn(7), drawn(7))
    assert not np.array_equal(drawn(7), drawn(8))


def test_the_camera_follows_its_path_and_the_sheet_in_small_leaps() -> None:
    dreamer = drawing(moving=Motion(1.02, 0.5))
    leaps = set()
    for _ in range(50):
        dreamer.step(0.1)
        leaps.add(zoom.kept(dreamer.pose))
    due = zoom.advance(Pose(), Motion(1.02, 0.5), 5.0)
    assert dreamer.pose.log_zoom == pytest.approx(due.log_zoom)
    assert dreamer.pose.rotation == pytest.approx(due.rotation)
    assert 3 <= len(leaps) <= 7


@pytest.mark.parametrize("speed", [1.1, 0.9])
def test_a_zoom_keeps_fine_lines(speed: float) -> None:
    dreamer = drawing(size=(90, 90))
    dreamer._ink = torch.from_numpy(np.abs(np.add.outer(np.arange(90) * 0.7, -np.arange(90)) + 12) < 0.7)
    dreamer.motion(Motion(speed, 0.0))
    for _ in range(20):
        dreamer._move(0.1)
    parts, _ = cv2.connectedComponents(dreamer.ink.numpy()[20:70, 20:70].astype(np.uint8))
    assert parts == 2, "one paper, one line in one piece"


def test_a_zoom_makes_no_ink_younger() -> None:
    dreamer = drawing(start=(np.indices((*SIZE, 3)).sum(0) // 9 % 2 * 255).astype(np.uint8))
    dreamer._age_s = torch.where(dreamer.ink, 5.0, 0.0)
    dreamer.motion(Motion(1.1, 5.0))
    dreamer._move(1.0)
    inside = dreamer.ink.clone()
    inside[:3], inside[-3:], inside[:, :3], inside[:, -3:] = False, False, False, False
    assert float(dreamer._age_s[inside].min()) == 5.0


def test_without_a_scene_nothing_grows() -> None:
    dreamer = drawing(scene=None)
    dreamer.step(0.1)
    assert not bool(dreamer.ink.any())


def test_old_ink_bleaches_and_makes_room() -> None:
    dreamer = drawing(fade_s=1.0, flips=1)
    first = dreamer.ink.clone()
    for _ in range(9):
        dreamer.step(0.1)
    assert int((first & dreamer.ink).sum()) >= int(first.sum()) - 9, "it stands for its time"
    for _ in range(30):
        dreamer.step(0.1)
    assert int((first & dreamer.ink).sum()) < 0.2 * int(first.sum())


def test_quick_steps_turn_over_less_and_slow_ones_let_no_ink_age() -> None:
    quick, slow = drawing(flips=20, reach_px=0), drawing(flips=5, fade_s=2.0)
    before = quick.ink.clone()
    quick.step(0.01)
    assert int((before ^ quick.ink).sum()) == 2
    all_at_once = drawing(flips=20, reach_px=0, step_s=0.0)
    all_at_once.step(0.01)
    assert int((before ^ all_at_once.ink).sum()) == 20
    first = slow.ink.clone()
    for _ in range(5):
        slow.step(10.0)
    assert int((first & slow.ink).sum()) > 0.5 * int(first.sum())


def test_a_blank_sheet_gets_new_ink() -> None:
    dreamer = drawing()
    dreamer.restore(np.full((*SIZE, 3), 255, np.uint8), Pose(1.0, 0.5))
    assert not bool(dreamer.ink.any())
    dreamer.step(0.1)
    assert bool(dreamer.ink.any())


def test_going_on_from_a_picture() -> None:
    one = drawing()
    for _ in range(5):
        one.step(0.1)
    other = drawing(2)
    other.restore(one.picture(), Pose(0.3, 0.1))
    assert np.array_equal(other.picture(), one.picture())
    assert other.pose == Pose(0.3, 0.1)
    other.step(0.1)
    other.resize((40, 90))
    assert other.size == (40, 90)
    other.step(0.1)
    assert set(np.unique(other.picture())) == {0, 255}


def test_a_restored_colour_picture_is_washed_off_while_a_drawing_grows() -> None:
    dreamer = drawing(scene=None, wash_s=1.0, fade_s=0.0, flips=5, radius_px=2.0)
    coloured = np.random.default_rng(1).integers(1, 255, (*SIZE, 3), np.uint8)
    dreamer.restore(coloured, Pose())
    first = int(dreamer.ink.sum())
    assert first > 1000, "its dark parts are ink at first"
    dreamer.scene(SCENE)
    for _ in range(5):
        dreamer.step(0.1)
    assert 0.3 * first < int(dreamer.ink.sum()) < 0.8 * first
    for _ in range(8):
        dreamer.step(0.1)
    assert 0 < int(dreamer.ink.sum()) < 0.2 * first, "a disc to grow from is left"


def test_a_change_of_scene_takes_the_old_one_away() -> None:
    dreamer = drawing(white=60.0, black=-60.0)
    for _ in range(40):
        dreamer.step(0.1)
    region = SCENE.regions[0]
    before = score(dreamer, region)
    dreamer.scene(Scene(2, arrange([C])))
    for _ in range(40):
        dreamer.step(0.1)
    assert score(dreamer, region) < before


def test_the_old_drawing_is_washed_off_and_the_new_one_grows_from_a_disc() -> None:
    stripes = np.zeros((*SIZE, 3), np.uint8)
    stripes[:, ::2] = 255
    dreamer = drawing(start=stripes, wash_s=2.0, flips=20, reach_px=2)
    for _ in range(5):
        dreamer.step(0.1)
    assert float(dreamer.ink.float().mean()) > 0.4, "what it starts from is not washed off"
    dreamer.scene(Scene(2, arrange([A])))
    dreamer.step(0.1)
    assert float(dreamer.ink.float().mean()) > 0.4, "the same again is no change"
    dreamer.scene(Scene(3, arrange([B])))
    spot = torch.from_numpy(disc_mask(SIZE, (0.5, 0.5), 5.5))
    new = spot.clone()
    for _ in range(21):
        dreamer.step(0.1)
        new |= dreamer._fresh()
    assert float(dreamer._age_s[dreamer.ink].max()) <= 2.11, "none is older than the change"
    assert not (new.numpy() & ~linked(new.numpy(), spot.numpy(), 2)).any()
    left = int(dreamer.ink.sum())
    for _ in range(5):
        dreamer.step(0.1)
    assert int(dreamer.ink.sum()) > left - 5 * 20, "then the washing is over"


def test_an_unknown_class_leaves_the_drawing_as_it_is() -> None:
    dreamer = drawing()
    with pytest.raises(DreamError, match="tiny does not know 'delta'"):
        dreamer.scene(Scene(2, arrange([Target("n00000009", "delta")])))
    dreamer.step(0.1)


def test_a_bump_and_a_twist_change_some_of_it() -> None:
    dreamer = drawing(start=(np.indices((*SIZE, 3)).sum(0) // 9 % 2 * 255).astype(np.uint8))
    for wake in (dreamer.bump, dreamer.twist):
        before = dreamer.ink.clone()
        wake()
        assert 0.02 < float((before ^ dreamer.ink).float().mean()) < 0.5


def test_starts() -> None:
    image = np.full((30, 40, 3), 200, np.uint8)
    image[:, :15] = 90
    assert drawing(start=image).ink[:, :26].all()
    assert not drawing(start=image).ink[:, 28:].any()
    assert not drawing(start=image, threshold=50.0, scene=None).ink.any()
    assert bool(drawing(text="hi", scene=None).ink.any())
    assert not drawing(text="hi", start=image, scene=None).ink[:, 60:].any(), "the picture goes first"
    assert not drawing(text="hi", start=image, scene=None, ink_start="disc").ink.any()


def test_a_disc_is_round_and_always_there() -> None:
    spot = disc_mask((40, 60), (0.5, 0.5), 5.5)
    assert 85 <= spot.sum() <= 101
    assert np.array_equal(spot[15:26, 25:36], spot[15:26, 25:36].T)
    assert disc_mask((40, 60), (1.0, 0.0), 0.1).sum() == 1


def test_letters_fit_the_sheet() -> None:
    sheet = text_mask((50, 120), "dream\nink")
    assert 0.02 < sheet.mean() < 0.5
    assert not sheet[[0, -1]].any()
    assert not sheet[:, [0, -1]].any()


def test_a_picture_is_parted_between_its_heaps() -> None:
    grey = np.array([10.0, 20.0, 200.0, 210.0])
    assert 20 < otsu_threshold(grey) <= 200
    assert dark_mask(np.full((8, 8, 3), 77, np.uint8), (4, 4), None).sum() in (0, 16), "one grey: all or nothing"


def test_bars_beside_a_picture_to_start_from_are_paper() -> None:
    image = np.full((40, 40, 3), 200, np.uint8)
    image[:, :20] = 60
    ink = dark_mask(image, (40, 80), 128.0, "pad")
    assert not ink[:, :20].any()
    assert ink[:, 20:40].all()
    assert not ink[:, 40:].any()
    assert dark_mask(image, (40, 80), 128.0)[:, :40].all(), "cut"


def test_turning_over_takes_the_steepest_within_reach() -> None:
    ink = torch.zeros(5, 9, dtype=torch.bool)
    ink[2, 1] = True
    uphill = torch.full((5, 9), -1.0)
    uphill[2, 8], uphill[2, 3], uphill[2, 1] = -9.0, -5.0, 2.0
    assert pixels_to_flip(ink, uphill, 2, 2).nonzero().tolist() == [[2, 1], [2, 3]]
    assert pixels_to_flip(ink, uphill, 2, 0).nonzero().tolist() == [[2, 3], [2, 8]]
    assert not pixels_to_flip(ink, torch.zeros(5, 9), 50, 0).any(), "no gradient, no change"


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        ({"black": 3.0}, "black: must be below white; they are 3 and -3"),
        ({"black": 3.0, "white": 2.0}, "black: must be below white; they are 3 and 2"),
        ({"start": "text"}, "text: must say something while start is text"),
        ({"paper": "white"}, "must be a colour such as '#1a2b3c'"),
    ],
)
def test_contradictions_are_refused(settings: dict[str, object], rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        InkConfig.model_validate(settings)
