"""The grammar of requests: classes, layers and guide pictures."""

import pytest

from shared.role import Role
from streamer.messages.network_contents import LayerEntry
from streamer.messages.refused import Reason, Refused
from streamer.messages.scenes import Kind, Target
from streamer.requests.subjects import (
    MODERATOR,
    OPERATOR,
    VIEWER,
    ClassWords,
    GuideSubject,
    LayerSubject,
    Subjects,
    guide_target,
    layer_target,
    parse,
    rights_of,
)

LAYERS = (
    LayerEntry("conv1", 64, 2),
    LayerEntry("fire5", 256, 8),
    LayerEntry("fire5.squeeze", 32, 8),
    LayerEntry("fire6", 384, 16),
    LayerEntry("inception4c", 512, 16),
)
FIRE5 = Target("", "layer fire5", "fire5")
FLOWERS = Target("", "guide flowers", "", (), "flowers.jpg")


@pytest.fixture
def subjects(vocabulary):
    return Subjects(vocabulary, LAYERS)


def labels(match):
    return [target.label for target in match.targets]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("volcano + bubble", [ClassWords("volcano + bubble")]),
        ("layer fire5", [LayerSubject("layer fire5", "fire5", None)]),
        ("volcano + layer fire5:3,17-20, pizza", ["volcano", ("fire5", "3,17-20"), "pizza"]),
        ("layer fire 5 channels 3, 4 and black and gold garden spider", [("fire 5", "3, 4"), "black and gold garden spider"]),
        ("layer conv1 & layer fire6 and volcano", [("conv1", None), ("fire6", None), "volcano"]),
        ("Layer inception_4c/output: 7", [("inception_4c/output", "7")]),
        ("guide flowers.jpg at fire6 + volcano", [("flowers.jpg", "fire6", "guide"), "volcano"]),
        ("guide my black and white cats.JPEG", [("my black and white cats.JPEG", "", "guide")]),
        ("guide 'a + b, c' at conv1", [("a + b, c", "conv1", "guide")]),
        ('guide "../pictures/a.b/flowers" and guide b.png', [("../pictures/a.b/flowers", "", "guide"), ("b.png", "", "guide")]),
        ("guide dog", ["guide dog"]),
        ("volcano plus layer fire5", ["volcano", ("fire5", None)]),
        ("volcano vs. layer fire5 vs layer fire6", ["volcano", ("fire5", None), ("fire6", None)]),
        ("layer fire5:3,17-20 with bow and arrow", [("fire5", "3,17-20"), "bow and arrow"]),
        ("layer fire5 - volcano - bubble", [("fire5", None), "volcano - bubble"]),
        ("layer fire5: 3 - 5 versus volcano", [("fire5", "3 - 5"), "volcano"]),
        ("guide a.jpg at fire6 plus volcano", [("a.jpg", "fire6", "guide"), "volcano"]),
        ("guide vs and plus.jpg with volcano", [("vs and plus.jpg", "", "guide"), "volcano"]),
        ("+ , layer", ["layer"]),
        ("layer:", ["layer:"]),
        ("layers + volcano", ["layers + volcano"]),
        ("", []),
    ],
)
def test_a_line_comes_apart(text, parts):
    said = []
    for part in parse(text):
        if isinstance(part, GuideSubject):
            said.append((part.file, part.layer, "guide"))
        elif isinstance(part, LayerSubject):
            said.append((part.name, part.channels))
        else:
            said.append(part.said)
    expected = []
    for part in parts:
        if isinstance(part, ClassWords):
            part = part.said
        elif isinstance(part, LayerSubject):
            part = (part.name, part.channels)
        expected.append(part)
    assert said == expected


@pytest.mark.parametrize("name", ["fire5", "FIRE5", "fire 5", " Fire_5 ", "fire-5"])
def test_names_of_layers_are_forgiven(subjects, name):
    assert subjects.match(f"layer {name}", MODERATOR).targets == (FIRE5,)


@pytest.mark.parametrize("name", ["inception_4c/output", "mixed4c", "Inception 4c", "inception4c"])
def test_deepdreams_and_lucids_names_are_known(subjects, name):
    assert labels(subjects.match(f"layer {name}", MODERATOR)) == ["layer inception4c"]


def test_kinds_mix(subjects):
    match = subjects.match("volcano + layer fire5:20,17-19,3 + guide flowers.jpg at Fire 6", OPERATOR)
    assert labels(match) == ["volcano", "layer fire5:3,17-20", "guide flowers"]
    assert [target.kind for target in match.targets] == [Kind.CLASS, Kind.CHANNELS, Kind.GUIDE]
    assert match.targets[1].channels == (3, 17, 18, 19, 20)
    assert (match.targets[2].guide, match.targets[2].layer) == ("flowers.jpg", "fire6")


def test_a_label_asks_for_what_it_names(subjects):
    target = layer_target("fire5", [9, 3, 4])
    assert target.label == "layer fire5:3-4,9"
    assert subjects.match(target.label, MODERATOR).targets == (target,)


def test_class_words_are_understood_as_ever(subjects, vocabulary):
    for text in ("volcano", "the big dogs and a pizza", "black and gold garden spider", "layer cake"):
        assert subjects.match(text, peek=True) == vocabulary.match(text, peek=True)


def test_more_than_four_are_cut(subjects):
    match = subjects.match("layer conv1 + layer fire5 + layer fire6 + volcano + bubble + layer conv1:1", MODERATOR)
    assert labels(match) == ["layer conv1", "layer fire5", "layer fire6", "volcano"]
    assert "only the first 4 fit" in match.note


def test_what_is_named_twice_counts_once(subjects):
    assert labels(subjects.match("layer fire5 + layer FIRE 5 + volcano", MODERATOR)) == ["layer fire5", "volcano"]


@pytest.mark.parametrize(
    ("text", "rights", "reason", "says"),
    [
        (
            "layer fire5",
            VIEWER,
            Reason.FORBIDDEN,
            "layers are for moderators to choose; ask for a thing, for example: king penguin",
        ),
        ("volcano + layer fire55", VIEWER, Reason.FORBIDDEN, "layers are for moderators"),
        ("guide flowers.jpg", VIEWER, Reason.FORBIDDEN, "guide pictures are set by the operator"),
        ("guide /etc/secret.png at fire5", MODERATOR, Reason.FORBIDDEN, "guide pictures are set by the operator"),
        ("layer fire7", MODERATOR, Reason.UNKNOWN_WORD, "this network has no layer 'fire7'; try layer fire"),
        ("layer xyz9", MODERATOR, Reason.UNKNOWN_WORD, "this network has no layer 'xyz9'; try layer conv1"),
        ("layer fire5:256", MODERATOR, Reason.BAD_INPUT, "layer fire5 has channels 0 to 255; there is no 256"),
        ("layer fire5:9-3", MODERATOR, Reason.BAD_INPUT, "channels 9-3 run backwards; write 3-9"),
        ("layer fire5:", MODERATOR, Reason.BAD_INPUT, "'' is not a list of channels; write for example: layer fire5:3,17-20"),
        ("layer fire5:a", MODERATOR, Reason.BAD_INPUT, "'a' is not a list of channels"),
        ("layer fire5:3-", MODERATOR, Reason.BAD_INPUT, "'3-' is not a list of channels"),
        ("layer fire5:3 4", MODERATOR, Reason.BAD_INPUT, "'3 4' is not a list of channels"),
        ("guide a.jpg at fire9", OPERATOR, Reason.UNKNOWN_WORD, "this network has no layer 'fire9'"),
    ],
)
def test_refusals_say_why(subjects, text, rights, reason, says):
    with pytest.raises(Refused) as refused:
        subjects.match(text, rights)
    assert refused.value.reason is reason
    assert str(refused.value).startswith(says)


def test_near_layers_are_offered_as_one_would_ask_for_them(subjects):
    with pytest.raises(Refused) as refused:
        subjects.match("layer fire7", MODERATOR)
    assert set(refused.value.suggestions[:2]) == {"layer fire5", "layer fire6"}


def test_without_a_network_any_layer_passes(vocabulary):
    anything = Subjects(vocabulary, None)
    assert anything.match("layer Inception4c:900", OPERATOR).targets == (layer_target("Inception4c", [900]),)
    assert anything.match("guide a.png at x", OPERATOR).targets == (guide_target("a.png", "x"),)


def test_while_the_network_loads_layers_are_refused(vocabulary):
    with pytest.raises(Refused) as refused:
        Subjects(vocabulary, ()).match("layer fire5", MODERATOR)
    assert refused.value.reason is Reason.LOADING


@pytest.mark.parametrize(
    ("target", "there"),
    [
        (FIRE5, True),
        (layer_target("fire5", [255]), True),
        (layer_target("fire5", [256]), False),
        (layer_target("fire9"), False),
        (FLOWERS, True),
        (guide_target("flowers.jpg", "fire9"), False),
        (Target("n09472597", "volcano"), True),
    ],
)
def test_only_what_the_network_has_stands_in(subjects, target, there):
    assert subjects.nearest_available(target) == (target if there else None)


def test_roles_have_rights():
    assert [rights_of(role) for role in Role] == [VIEWER, VIEWER, VIEWER, MODERATOR, MODERATOR]
    assert not any(rights_of(role).guides for role in Role)
