"""The settings that workers start with after a switch is requested; test_renderer.py uses real processes."""

from streamer.config import Config, DreamConfig, NetworkConfig
from streamer.dream.worker.protocol import Ready
from streamer.dream.worker.settings_switch import SettingsSwitch, SpareAction, can_dream, described, shares_state
from streamer.events import UNTUNED, Tuned
from streamer.messages.network_contents import LayerEntry
from streamer.messages.scenes import Scene, Target, arrange

FIRST = Config()
INK = Config(dream=DreamConfig(algorithm="ink"))
DEEP = Config(dream=DreamConfig(algorithm="deepdream"), network=NetworkConfig(name="googlenet"))
ONE, TWO, THREE = (Tuned((("dream.contrast", float(number)),)) for number in (1, 2, 3))


def test_nothing_is_done_unasked():
    switch = SettingsSwitch(FIRST)
    assert switch.next_action() == (SpareAction.NOTHING, None)
    assert switch.begin(ONE) is None
    assert not switch.tune(TWO)
    assert (switch.status, switch.next_config, switch.tried) == (("", "", 0), FIRST, False)


def test_a_spare_is_prepared_and_takes_over_with_the_latest_settings():
    switch = SettingsSwitch(FIRST)
    switch.ask(INK, ONE)
    assert switch.status[0] == "the best network, ink"
    assert switch.next_action() == (SpareAction.PREPARE, None)
    assert switch.next_action() == (SpareAction.NOTHING, None)
    assert (switch.next_config, switch.at_work) == (INK, FIRST)
    assert switch.tune(TWO), "the old one is left alone"
    assert switch.begin(UNTUNED) == TWO
    assert (switch.at_work, switch.tried, switch.status[0]) == (INK, True, "the best network, ink")
    switch.reached()
    assert (switch.tried, switch.status) == (False, ("", "", 0))
    assert not switch.tune(THREE)


def test_one_that_cannot_be_prepared_is_given_up():
    switch = SettingsSwitch(FIRST)
    switch.ask(DEEP, ONE)
    switch.next_action()
    assert switch.fail("no weights") is None, "nobody had begun"
    assert (switch.status, switch.next_config, switch.coming) == (("", "no weights", 1), FIRST, False)
    switch.ask(INK, ONE)
    switch.next_action()
    switch.begin(UNTUNED)
    switch.reached()
    assert switch.status == ("", "", 1)


def test_one_that_shows_nothing_is_gone_back_from():
    switch = SettingsSwitch(FIRST)
    switch.ask(DEEP, TWO)
    switch.next_action()
    switch.begin(ONE)
    assert switch.fail("it died") == ONE
    assert (switch.next_config, switch.at_work, switch.tried) == (FIRST, FIRST, False)


def test_who_changes_their_mind_is_heard():
    switch = SettingsSwitch(FIRST)
    switch.ask(DEEP, ONE)
    switch.next_action()
    switch.ask(INK, TWO)
    assert switch.next_action() == (SpareAction.PREPARE, None)
    assert switch.next_config is INK
    switch.ask(Config(), THREE)  # no change
    assert switch.next_action() == (SpareAction.STAY, THREE)
    assert (switch.next_config, switch.status[0]) == (FIRST, "")
    assert switch.begin(ONE) is None


def test_what_is_asked_for_while_the_spare_takes_over_is_prepared_next():
    switch = SettingsSwitch(FIRST)
    switch.ask(DEEP, ONE)
    switch.next_action()
    switch.ask(INK, TWO)  # before ``next_action``
    assert switch.begin(UNTUNED) == TWO
    assert switch.at_work is DEEP
    assert switch.next_action() == (SpareAction.PREPARE, None)
    assert switch.next_config is INK
    assert switch.begin(TWO) == TWO
    assert switch.fail("it died") == UNTUNED, "no picture has come since"
    assert switch.next_config is FIRST


def test_momentum_is_of_use_to_the_same_network_and_algorithm_only():
    assert shares_state(FIRST, Config(dream=DreamConfig(tile_px=640)))
    assert not shares_state(FIRST, INK)
    assert not shares_state(FIRST, DEEP)
    assert described(DEEP) == "googlenet, deepdream"


def test_a_scene_needs_networks_that_know_all_of_its_targets():
    ready = Ready("fake", "cpu", ("n1", "n2"), (LayerEntry("fire5", 8, 4),))

    def scene(*targets):
        return Scene(1, arrange(targets))

    assert can_dream(ready, scene(Target("n1", "a"), Target("", "layer fire5", "fire5")))
    assert not can_dream(ready, scene(Target("n1", "a"), Target("n3", "c")))
    assert not can_dream(ready, scene(Target("", "layer conv1", "conv1")))
