import pytest
from PIL import Image

from streamer.commands.script_parser import Cue, ScriptError, parse_script, reader
from streamer.messages.network_contents import LayerEntry
from streamer.messages.refused import Reason, Refused
from streamer.messages.scenes import Kind, Target
from streamer.requests.vocabulary import Vocabulary

VOLCANO, PIZZA, BUBBLE = Target("n09472597", "volcano"), Target("n07873807", "pizza"), Target("n09229709", "bubble")
KNOWN = {target.label: target for target in (VOLCANO, PIZZA, BUBBLE)}


def match(text: str) -> tuple[Target, ...]:
    try:
        return tuple(KNOWN[word.strip()] for word in text.split("+"))
    except KeyError as error:
        raise Refused(Reason.UNKNOWN_WORD, f"I don't know {error}", suggestions=("volcano", "bubble")) from None


@pytest.mark.parametrize(
    ("script", "cues"),
    [
        ("0 volcano + bubble; 12 pizza", [(0, (VOLCANO, BUBBLE)), (12, (PIZZA,))]),
        ("volcano", [(0, (VOLCANO,))]),
        ("volcano;\n 7.5 pizza;\n", [(0, (VOLCANO,)), (7.5, (PIZZA,))]),
        ("0s volcano; 0:05 pizza; 1:02.5 bubble", [(0, (VOLCANO,)), (5, (PIZZA,)), (62.5, (BUBBLE,))]),
    ],
)
def test_scripts_are_read(script: str, cues: list[tuple[float, tuple[Target, ...]]]) -> None:
    assert parse_script(script, 100, match) == tuple(Cue(start_s, targets) for start_s, targets in cues)


def test_what_is_guessed_or_left_out_is_logged_once_the_network_is_there(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    for layers, says in ((None, []), ((), ["'volcano bubble' is read as bubble (left out 'volcano'; join things with +)"])):
        parse_script("0 volcano vs pizza; 5 volcano bubble", 10, reader(Vocabulary.load(), layers))
        assert caplog.messages == says


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("", "the script is empty; write for example '0 jellyfish + ladybug; 12 pizza'"),
        (" ; ;\n", "the script is empty; write for example '0 jellyfish + ladybug; 12 pizza'"),
        (
            "0 volcano; pizza",
            "script, character 12, 'pizza': begins without a time; write seconds first, for example '12 pizza' or '1:05 pizza'",
        ),
        (
            "-3 volcano",
            "script, character 1, '-3 volcano': begins without a time; write seconds first, "
            "for example '12 pizza' or '1:05 pizza'",
        ),
        (
            "0 volcano; 1:75 pizza",
            "script, character 12, '1:75 pizza': begins without a time; write seconds first, "
            "for example '12 pizza' or '1:05 pizza'",
        ),
        ("0 volcano; 12", "script, character 12, '12': says when but not what to dream; write for example '12 pizza'"),
        ("5 volcano", "script, character 1, '5 volcano': the first subject must start at 0, not at 5 s"),
        (
            "0 volcano; 9 pizza; 9 bubble",
            "script, character 21, '9 bubble': begins at 9 s, not after the one before it (9 s)",
        ),
        (
            "0 volcano; 30 pizza",
            "script, character 12, '30 pizza': begins at 30 s, but the video ends at 30 s; give more --seconds",
        ),
        (
            "0 volcano;\n4 vulcano",
            "script, character 12, '4 vulcano': I don't know 'vulcano'; near: volcano, bubble",
        ),
    ],
)
def test_mistakes_name_their_place(script: str, says: str) -> None:
    with pytest.raises(ScriptError) as caught:
        parse_script(script, 30, match)
    assert str(caught.value) == says


def test_a_cue_may_be_of_any_kind(tmp_path):
    picture = tmp_path / "my flowers.png"
    Image.new("RGB", (20, 10)).save(picture)
    before = reader(Vocabulary.load())
    with_network = reader(Vocabulary.load(), [LayerEntry("fire5", 256, 8), LayerEntry("fire6", 384, 16)])
    script = f"0 volcano + layer FIRE5:3; 5 guide {picture} at fire6; 7 layer fire5 & pizza"
    cues = parse_script(script, 10, with_network)
    assert [target.label for target in cues[0].targets] == ["volcano", "layer fire5:3"]
    assert (cues[1].targets[0].guide, cues[1].targets[0].layer) == (str(picture), "fire6")
    assert [target.kind for target in cues[2].targets] == [Kind.LAYER, Kind.CLASS]
    assert len(parse_script(script, 10, before)) == 3


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("guide none.jpg", "there is no picture 'none.jpg'"),
        ("layer fire7", "this network has no layer 'fire7'; try layer fire5"),
        ("layer fire5:400", "layer fire5 has channels 0 to 255; there is no 400"),
    ],
)
def test_mistakes_in_other_kinds_name_their_place(words, says):
    read = reader(Vocabulary.load(), [LayerEntry("fire5", 256, 8)])
    with pytest.raises(ScriptError) as error:
        parse_script(f"0 volcano; 5 {words}", 10, read)
    assert str(error.value) == f"script, character 12, '5 {words}': {says}"
