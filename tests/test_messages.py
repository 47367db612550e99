import pytest

from streamer.messages.scenes import MAX_TARGETS, Layout, Region, Scene, Target, arrange

NAMES = ("volcano", "bubble", "pizza", "fox")


def targets(count: int) -> list[Target]:
    return [Target(f"n{i:08d}", NAMES[i]) for i in range(count)]


def placed(count: int, layout: Layout) -> dict[tuple[float, float, float, float], str]:
    return {region.box: region.target.label for region in arrange(targets(count), layout)}


WHOLE = (0.0, 0.0, 1.0, 1.0)
TOP, BOTTOM = (0.0, 0.0, 1.0, 0.5), (0.0, 0.5, 1.0, 1.0)
LEFT, RIGHT = (0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0)
NW, NE, SE, SW = (0.0, 0.0, 0.5, 0.5), (0.5, 0.0, 1.0, 0.5), (0.5, 0.5, 1.0, 1.0), (0.0, 0.5, 0.5, 1.0)


@pytest.mark.parametrize(
    ("count", "layout", "expected"),
    [
        (1, Layout.AUTO, {WHOLE: "volcano"}),
        (2, Layout.AUTO, {TOP: "volcano", BOTTOM: "bubble"}),
        (3, Layout.AUTO, {NW: "volcano", NE: "bubble", SE: "pizza", SW: "volcano"}),
        (4, Layout.AUTO, {NW: "volcano", NE: "bubble", SE: "pizza", SW: "fox"}),
        (1, Layout.TOP_BOTTOM, {TOP: "volcano", BOTTOM: "volcano"}),
        (2, Layout.WHOLE, {WHOLE: "volcano"}),
        (2, Layout.LEFT_RIGHT, {LEFT: "volcano", RIGHT: "bubble"}),
        (3, Layout.LEFT_RIGHT, {LEFT: "volcano", RIGHT: "bubble"}),
        (2, Layout.QUARTERS, {NW: "volcano", SE: "volcano", NE: "bubble", SW: "bubble"}),
    ],
)
def test_arrange(count, layout, expected):
    assert placed(count, layout) == expected


@pytest.mark.parametrize("layout", list(Layout))
@pytest.mark.parametrize("count", range(1, MAX_TARGETS + 1))
def test_regions_cover_the_picture_once(count, layout):
    boxes = [region.box for region in arrange(targets(count), layout)]
    assert sum((x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in boxes) == 1
    for x, y in [(0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)]:
        assert sum(x0 <= x < x1 and y0 <= y < y1 for x0, y0, x1, y1 in boxes) == 1


@pytest.mark.parametrize("count", [0, MAX_TARGETS + 1])
def test_a_scene_has_one_to_four_targets(count):
    with pytest.raises(ValueError, match=f"a scene has 1 to 4 targets, not {count}"):
        arrange([Target("n00000001", "volcano")] * count)


def test_a_title_names_each_subject_once_in_order():
    scene = Scene(1, arrange(targets(2), Layout.QUARTERS))
    assert scene.title == "volcano + bubble"
    assert Scene(2, (Region(targets(1)[0], WHOLE),)).title == "volcano"
