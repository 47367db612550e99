"""Which emoji ask for a class; all others are decoration."""

import unicodedata

import pytest
import regex

from shared.clean import clean_text
from streamer.messages.refused import Reason, Refused
from streamer.requests import emoji
from streamer.requests.class_index import shipped_classes
from streamer.requests.spelling import fold, key
from streamer.requests.vocabulary import Vocabulary

SHELF = shipped_classes()
ALL = Vocabulary(SHELF)

CHATTED = """
😂 ❤️ 🤣 👍 😭 🙏 😘 🥰 😍 😊 🎉 😁 💕 🥺 😅 🔥 ☺️ 🤦 ♥️ 🤷 🙄 😆 🤗 😉 🎂
🤔 👏 🙂 😳 🥳 😎 👌 💜 😔 💪 ✨ 💖 👀 😋 😏 😢 👉 💗 😩 💯 🌹 💞 🎈 💙 😃
😡 💐 😜 🙈 🤞 😄 🤤 🙌 🤪 ❣️ 😀 💋 💀 👇 💔 😌 💓 🤩 🙃 😬 😱 😴 🤭 😐 🌞
😒 😇 🌸 😈 🎶 ✌️ 🎊 🥵 😞 💚 ☀️ 🖤 💰 😚 👑 🎁 💥 🙋 ☹️ 🚀 ⚽ 📷 💩 ✅ 👋
"""
"""A hundred emoji that are common in chats."""
COMMON = CHATTED.split()
THINGS = {"🎈": "balloon", "⚽": "soccer ball", "📷": ("Polaroid camera", "reflex camera")}
"""Classes that some of them ask for; the others ask for nothing."""


def labels(text, vocabulary=ALL):
    return [target.label for target in vocabulary.match(text, peek=True).targets]


def test_there_are_a_hundred_different_ones():
    assert len({emoji.plain(each) for each in COMMON}) == 100
    assert THINGS.keys() <= set(COMMON)


@pytest.mark.parametrize("common", COMMON)
def test_common_emoji_are_decoration_unless_they_are_a_thing(common):
    wanted = THINGS.get(common, ())
    wanted = (wanted,) if isinstance(wanted, str) else wanted
    for text in (f"teapot {common}", f"teapot{common * 3}", f"teapot + {common}"):
        first, *others = labels(text)
        assert first == "teapot"
        assert len(others) == bool(wanted)
        assert set(others) <= set(wanted)
    assert labels(f"{common}teapot")[-1] == "teapot"
    match = ALL.match(f"teapot {common}", peek=True)
    assert match.exact
    assert wanted or not match.note, "decoration is not worth a word"


@pytest.mark.parametrize(
    "joined",
    [
        *("👨‍👩‍👧‍👦", "🏳️‍🌈", "🏴‍☠️", "👩🏽‍🚀", "🧔🏿‍♂️", "👍🏽", "👋🏿"),
        *("❤️‍🔥", "👁️‍🗨️", "🐦‍🔥", "🧑‍🌾", "😶‍🌫️", "👩🏻‍❤️‍💋‍👨🏿", "🧑‍🦽‍➡️"),
        *("🇳🇴", "🇯🇪", "🇳🇪🇩🇪", "🇳", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "1️⃣", "#️⃣", "*️⃣", "🔟", "©️", "™️", "🅱️", "㊙️", "⬆️", "°", "♪", "░"),
    ],
)
def test_joined_coloured_and_boxed_emoji_are_one_and_ask_for_nothing(joined):
    assert labels(f"teapot {joined}") == ["teapot"]
    assert labels(f"{joined}teapot") == ["teapot"]
    assert labels(f"teapot{joined}volcano") == ["teapot", "volcano"]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("🌋", ["volcano"]),
        ("🌋🍕", ["volcano", "pizza"]),
        ("🍕 + 🌋", ["pizza", "volcano"]),
        ("pizza 🌋 bubble", ["pizza", "volcano", "bubble"]),
        ("🐻‍❄️", ["polar bear"]),
        ("🐻‍❄", ["polar bear"]),
        ("polar bear 🐻", ["polar bear"]),
        ("🐼", ["giant panda"]),
        ("☂️☂☔", ["umbrella"]),
        ("🦁🕸️", ["lion", "spider web"]),
        ("tree frog 🐸", ["tree frog"]),
        ("🐸 tree frog", ["tree frog"]),
        ("tree 🐸 frog", ["tree frog"]),
        ("volcano🌋volcano", ["volcano"]),
        ("volcano without 🍕", ["volcano"]),
        ("volcano without 🔥 bubble", ["volcano", "bubble"]),
    ],
)
def test_things_are_asked_for_once(text, wanted):
    assert labels(text) == wanted


@pytest.mark.parametrize("text", ["frog 🐸", "🐸 frog", "🐸🐸", "🐸 + 🐸", "frogs 🐸🐸🐸", "🐸 frog 🐸"])
def test_the_same_thing_said_twice_is_one(text):
    assert len(labels(text)) == 1
    assert labels(text)[0] in ("tree frog", "tailed frog", "bullfrog")


def test_an_emoji_narrows_what_the_words_mean():
    assert {ALL.match("dog 🐩").targets[0].label for _ in range(6)} == {"toy poodle", "miniature poodle", "standard poodle"}
    assert {len(ALL.match("🐩 poodle 🐶").targets) for _ in range(3)} == {1}


def test_emoji_the_network_has_not_learnt_are_left_out_and_reported(tiny):
    match = tiny.match("teapot 🌋 😭")
    assert [target.label for target in match.targets] == ["teapot"]
    assert match.note == "left out '🌋'"
    assert labels("goldfish 🐡", tiny) == ["goldfish"]


@pytest.mark.parametrize("text", ["😭", "😭🎉", "🚀", "🇳🇴 1️⃣", "👍🏽"])
def test_decoration_alone_is_refused_with_examples(text):
    with pytest.raises(Refused) as caught:
        ALL.match(text)
    assert caught.value.reason is Reason.UNKNOWN_WORD
    assert str(caught.value).startswith(f"I don't know how to dream '{ONE.match(text)[0]}'; try king penguin")
    assert caught.value.suggestions


ONE = regex.compile(emoji.ONE)


def test_every_emoji_of_the_table_is_one_and_asks_for_what_it_says():
    assert len(SHELF.emoji) > 300
    for each, word in SHELF.emoji.items():
        assert ONE.fullmatch(each), each
        meant = SHELF.meaning(fold(word))
        assert meant, word
        for text in (each, each + "\ufe0f"):
            (target,) = ALL.match(text, peek=True).targets
            assert SHELF.index[target.wnid] in meant, each


ELSE = frozenset("👂🪁🪡🐁🐭⛏📓🛴🛀🔈🛜🪽")
"""Emoji that share a class's name but not its meaning: ear (of corn), kite (the bird), (computer) mouse and so on."""


@pytest.mark.slow
def test_whatever_is_called_like_a_class_is_in_the_table():
    names = {known for entry in SHELF.entries for known in entry.keys}
    for each in map(chr, range(0x2190, 0x1FC00)):
        if regex.match(r"\p{Extended_Pictographic}", each) and each not in ELSE:
            name = fold(unicodedata.name(each, "").removesuffix(" FACE"))
            assert key(name) not in names or each in SHELF.emoji, (each, name)


@pytest.mark.slow
def test_no_other_emoji_asks_for_anything():
    others = [each for each in map(chr, range(0xA1, 0x1FC00)) if ONE.fullmatch(clean_text(each)) and each not in SHELF.emoji]
    assert len(others) > 3000
    for each in others:
        assert labels(f"teapot {each}") == ["teapot"], (each, unicodedata.name(each, "?"))
