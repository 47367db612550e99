"""What ``zoomdream classes --layers`` lists, without any weights."""

import io

import pytest
from rich.console import Console
from typer.testing import CliRunner

from streamer.__main__ import app
from streamer.commands import WRONG_CALL, CommandError, layer_list
from streamer.config import CanvasConfig, Config, NetworkConfig


def listed(word="", network=None, **canvas):
    told, shown = [], Console(file=io.StringIO(), width=100)
    config = Config(device="cpu", network=NetworkConfig(name="squeezenet1_1"), canvas=CanvasConfig(**canvas))
    layer_list.command(config, word, network, shown, told.append)
    return shown.file.getvalue().splitlines(), told


def test_all_layers_with_their_sizes():
    lines, told = listed(width=480, height=270)
    assert lines[0].split() == ["ask", "for", "channels", "map", "at", "480x270", "pixels", "apart"]
    assert lines[1].split() == ["layer", "conv1", "64", "239x134", "2"]
    assert ["layer", "fire5", "256", "59x33", "8"] in [line.split() for line in lines]
    assert sum("*" in line for line in lines) == 1
    assert told[-1].startswith("38 of 38 layers of squeezenet1_1")


def test_some_layers_by_a_word():
    lines, told = listed("Layer FIRE9")
    assert [line.split()[1] for line in lines[1:]] == ["fire9.squeeze", "fire9.expand1", "fire9.expand3", "fire9"]
    assert told[-1].startswith("4 of 38")


def test_what_would_be_understood():
    lines, told = listed("inception_4c/output:3,5-6", "googlenet", width=64, height=96)
    assert told[0] == "'inception_4c/output:3,5-6' dreams: layer inception4c:3,5-6"
    assert lines[1].split() == ["layer", "inception4c", "*", "512", "4x6", "16"]


@pytest.mark.parametrize(
    ("word", "network", "says"),
    [
        ("fire55", None, "this network has no layer 'fire55'; try layer fire5"),
        ("fire5:256", None, "layer fire5 has channels 0 to 255; there is no 256"),
        ("", "resnet", "there is no network 'resnet'; there are vgg16, squeezenet1_1"),
    ],
)
def test_mistakes_are_explained(word, network, says):
    with pytest.raises(CommandError) as error:
        listed(word, network)
    assert str(error.value).startswith(says)


@pytest.mark.parametrize("network", layer_list.NETWORKS)
def test_every_network_can_be_listed(network):
    lines, _ = listed("", network, width=64, height=48)
    assert len(lines) > 30


def test_the_call():
    done = CliRunner().invoke(app, ["classes", "pool1", "--layers", "--network", "squeezenet1_1", "--set", "canvas.width=96"])
    assert (done.exit_code, "layer pool1" in done.output, "map at 96x54" in done.output) == (0, True, True)
    assert CliRunner().invoke(app, ["classes", "--network", "vgg16"]).exit_code == WRONG_CALL
