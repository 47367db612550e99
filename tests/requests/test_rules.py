import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.clean import clean_text
from streamer.config import QueueConfig
from streamer.messages.queue_rules import BlockKind
from streamer.messages.refused import Reason, Refused
from streamer.requests.blocks import Blocks, comparable, comparable_word, family_unsafe, sensitive_groups
from streamer.requests.rules import SETTINGS, Rulebook
from streamer.requests.schema import QueueError
from streamer.requests.store import Store

VOLCANO, REVOLVER = "n09472597", "n04086273"


@pytest.fixture
def book(vocabulary, tmp_path):
    """Yield a function that reopens the rules of one file."""
    stores = []

    def open_book(**config):
        for store in stores:
            store.close()
        stores.append(Store(tmp_path / "queue.sqlite3"))
        return Rulebook(QueueConfig(**config), stores[-1], vocabulary.classes_of)

    yield open_book
    for store in stores:
        store.close()


def refusal(call, *args):
    with pytest.raises(Refused) as caught:
        call(*args)
    return caught.value.reason, str(caught.value)


def test_every_setting_but_those_of_the_operator_and_blocks_is_a_rule(book):
    told = book().told()
    others = {"path", "wander_among", "blocked_words", "blocked_users", "blocked_classes"}
    assert {*SETTINGS, *others} == set(QueueConfig.model_fields)
    assert tuple(told.settings) == SETTINGS
    assert told.settings["hold_s"] == 30.0
    assert told.changed == ()


def test_a_change_goes_before_the_config_until_it_is_reset(book):
    rules = book(hold_s=30.0)
    rules.change({"hold_s": 60, "order": "votes"})
    assert rules.now.config.hold_s == 60.0
    rules = book(hold_s=45.0, capacity=7)
    assert (rules.now.config.hold_s, rules.now.config.order, rules.now.config.capacity) == (60.0, "votes", 7)
    assert rules.told().changed == ("order", "hold_s")
    rules.reset()
    assert rules.now.config == QueueConfig(hold_s=45.0, capacity=7)
    assert book(hold_s=45.0).now.config.hold_s == 45.0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hold_s": 0}, "hold_s is 0; must be 1 to 3600"),
        ({"hold_s": "60"}, "hold_s is 60; must be a number, 1 to 3600"),
        ({"hold_s": float("nan")}, "hold_s is nan; must be 1 to 3600"),
        ({"open": "no"}, "open is no; must be true or false"),
        ({"open": None}, "open is None; must be true or false"),
        ({"per_user": True}, "per_user is True; must be a whole number, 1 to 1000"),
        ({"order": "worst"}, "order is worst; must be fifo, random or votes"),
        (
            {"hold_s": 60, "capacity": 0, "order": 1},
            "capacity is 0; must be 1 to 10000; order is 1; must be fifo, random or votes",
        ),
    ],
)
def test_mistakes_are_refused_and_change_nothing(book, settings, message):
    rules = book()
    assert refusal(rules.change, settings) == (Reason.BAD_INPUT, message)
    assert rules.told().changed == ()
    assert book().told().changed == ()


@pytest.mark.parametrize("name", ["path", "wander_among", "blocked_words", "colour"])
def test_other_names_are_no_rules(book, name):
    reason, message = refusal(book().change, {name: "x"})
    assert (reason, message.partition(";")[0]) == (Reason.BAD_INPUT, f"there is no rule '{name}'")


def test_blocks_are_kept(book):
    rules = book()
    rules.block(BlockKind.WORD, "  Bad\u200b  Word ")
    rules.block(BlockKind.USER, "@Mallory")
    rules.block(BlockKind.CLASS, "volcano")
    rules = book()
    told = rules.told().blocked
    assert (told.words, told.users) == (("bad word",), ("mallory",))
    assert [(target.wnid, target.label) for target in told.classes] == [(VOLCANO, "volcano")]
    rules.reset()
    assert rules.told().blocked == told
    rules.reset(blocks=True)
    assert rules.now.blocks == Blocks() == book().now.blocks


def test_a_word_for_several_classes_blocks_all_of_them(book):
    rules = book()
    rules.block(BlockKind.CLASS, "snake")
    labels = [target.label for target in rules.told().blocked.classes]
    assert len(labels) > 10
    assert "sea snake" in labels
    rules.unblock(BlockKind.CLASS, "sea snake")
    assert "sea snake" not in [target.label for target in book().told().blocked.classes]


def test_what_the_config_blocks_can_be_lifted(book):
    config = {"blocked_words": ("bad", "worse"), "blocked_users": ("Mallory",), "blocked_classes": ("volcano", REVOLVER)}
    rules = book(**config)
    assert rules.now.blocks == Blocks(frozenset(["bad", "worse"]), frozenset(["mallory"]), frozenset([VOLCANO, REVOLVER]))
    rules.unblock(BlockKind.WORD, "BAD")
    rules.unblock(BlockKind.CLASS, "revolver")
    rules = book(**config)
    assert (rules.now.blocks.words, rules.now.blocks.wnids) == (frozenset(["worse"]), frozenset([VOLCANO]))
    rules.block(BlockKind.WORD, "bad")
    assert book(**config).now.blocks.words == frozenset(["bad", "worse"])


def test_family_safe(book):
    rules = book()
    assert rules.now.blocks.wnids == frozenset()
    rules.change({"family_safe": True})
    assert rules.now.blocks.wnids == family_unsafe()
    rules.unblock(BlockKind.CLASS, REVOLVER)
    assert book().now.blocks.wnids == family_unsafe() - {REVOLVER}
    rules = book()
    rules.change({"family_safe": False})
    assert rules.now.blocks.wnids == frozenset()


def test_the_family_safe_list_names_classes_as_they_are_called(class_index):
    listed = [target for group in sensitive_groups() for target in group.targets]
    assert len({target.wnid for target in listed}) == len(listed) > 30
    assert all(class_index.entries[class_index.index[target.wnid]].label == target.label for target in listed)
    assert all(group.why for group in sensitive_groups())


def test_what_cannot_be_blocked(book):
    rules = book()
    assert refusal(rules.block, BlockKind.WORD, "\u200b ")[0] is Reason.BAD_INPUT
    assert refusal(rules.block, BlockKind.WORD, "_")[0] is Reason.BAD_INPUT
    assert refusal(rules.block, BlockKind.USER, "@")[0] is Reason.BAD_INPUT
    assert refusal(rules.block, BlockKind.CLASS, "volcanno")[0] is Reason.UNKNOWN_WORD
    assert refusal(rules.block, BlockKind.CLASS, "!")[0] is Reason.BAD_INPUT
    assert refusal(rules.unblock, BlockKind.WORD, "bad") == (Reason.NOT_FOUND, "the word 'bad' is not blocked")


def test_a_class_in_the_config_that_there_is_not(book):
    with pytest.raises(QueueError, match=r"'queue.blocked_classes' holds 'volcanno', which is no class: .*; try volcano"):
        book(blocked_classes=("volcanno",))


def test_what_another_version_wrote_is_left_out(book, tmp_path, caplog):
    rules = book()
    rules.change({"hold_s": 60.0})
    with rules._store.transaction() as cursor:
        cursor.execute("INSERT INTO rules VALUES ('gravity', '9.81')")
        cursor.execute("INSERT INTO rules VALUES ('capacity', ?)", (json.dumps("many"),))
        cursor.execute("INSERT INTO rules VALUES ('per_user', '{')")
        cursor.execute("INSERT INTO blocks VALUES ('planet', 'mars', 1), ('class', 'n99999999', 1), ('word', 'bad', 1)")
    rules = book()
    assert rules.told().changed == ("hold_s",)
    assert rules.told().blocked.words == ("bad",)
    assert len(caplog.records) == 5


def test_a_disk_that_fails_changes_them_for_now(book, caplog):
    rules = book()
    rules._store._file.execute("PRAGMA query_only = ON")
    rules.change({"hold_s": 60.0})
    rules.block(BlockKind.WORD, "bad")
    assert rules.now.config.hold_s == 60.0
    assert rules.now.blocks.words == frozenset(["bad"])
    (record,) = caplog.records
    assert (record.levelname, record.getMessage()) == (
        "ERROR",
        f"{rules._store.trouble}; what happens meanwhile is written as soon as it can be",
    )
    rules._store.retry_writes()
    rules._store.close()
    again = book().now
    assert (again.config.hold_s, again.blocks.words) == (60.0, frozenset(["bad"]))


@given(st.text(st.characters(categories=None), max_size=60))
def test_comparing_is_settled(text):
    assert comparable(comparable(clean_text(text))) == comparable(clean_text(text))


@given(st.text(st.characters(categories=None), max_size=60), st.text(st.characters(categories=None), max_size=60))
def test_a_blocked_text_finds_itself_in_any_case(before, word):
    word = clean_text(word)
    if plain := comparable_word(word):
        blocks = Blocks(words=frozenset([plain]))
        assert blocks.word_in(word)
        assert blocks.word_in(f"x {word} y")
        blocks.word_in(clean_text(before))


def test_the_docs_show_the_family_safe_list():
    told = (Path(__file__).parents[2] / "docs" / "requests.md").read_text(encoding="utf-8")
    for group in sensitive_groups():
        assert f"- **{group.why}** {', '.join(target.label for target in group.targets)}.\n" in told


def test_the_docs_name_every_rule():
    told = (Path(__file__).parents[2] / "docs" / "requests.md").read_text(encoding="utf-8")
    assert not [name for name in SETTINGS if f"`{name}" not in told and f"queue.{name}" not in told]


def test_another_config_counts_at_once_but_not_before_what_moderators_changed(book):
    rules = book(hold_s=30.0, blocked_words=("old", "both"), blocked_classes=("volcano",))
    rules.change({"hold_s": 60})
    rules.block(BlockKind.WORD, "mine")
    rules.unblock(BlockKind.WORD, "both")
    hidden = rules.configure(QueueConfig(hold_s=45.0, capacity=7, blocked_words=("new", "both"), blocked_classes=("revolver",)))
    assert hidden == ("hold_s",)
    now = rules.now
    assert (now.config.hold_s, now.config.capacity) == (60.0, 7)
    assert now.blocks.words == {"new", "mine"}
    assert now.blocks.wnids == {REVOLVER}
    assert rules.configure(QueueConfig(hold_s=45.0, capacity=8)) == ()
    rules.reset()
    assert rules.now.config.hold_s == 45.0


def test_a_config_that_blocks_what_is_no_class_changes_nothing(book):
    rules = book(capacity=7)
    before = rules.now
    with pytest.raises(QueueError, match=r"'queue\.blocked_classes' holds 'floob', which is no class"):
        rules.configure(QueueConfig(capacity=9, blocked_classes=("floob",)))
    assert rules.now is before
