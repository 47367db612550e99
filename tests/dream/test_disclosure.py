"""Workers on other machines get the settings of the dream, but no secrets, names or addresses."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator

import pytest
from pydantic import BaseModel

from streamer.config import Config
from streamer.dream.sources.start import starting_picture
from streamer.dream.worker.disclosure import WHOLE, disclosed_config, disclosed_scene, restored_scene
from streamer.messages.scenes import Scene, Target, arrange
from streamer.settings_file import SECRETS, load
from streamer.settings_rules import block_kinds, is_block

SECRET = "canary-{}-3fK81QxTw"
SETTINGS = (
    "twitch.channel=canary_channel",
    "web.public_url=https://canary.example.org",
    "audio.source=radio",
    "audio.url=https://canary:canary@radio.example.org/stream",
    "queue.path=/home/canary/queue.sqlite3",
    "video.slate_text=canary",
    'outputs=[{"kind": "rtmp", "url": "rtmp://canary.example.org/app/canary", "key": "canary"}, '
    '{"kind": "twitch_ingest", "key_file": "/home/canary/key"}]',
)
RIDES = ("source.kind=video", "source.path=rtsp://canary:canary@camera.example.org/1", "source.decay_s=3", "source.mix=0.5")


def full(*overrides: str) -> Config:
    environment = {variable: SECRET.format(number) for number, variable in enumerate(SECRETS)}
    return load(None, [*SETTINGS, *overrides], environment)


def secret_settings(model: type[BaseModel] = Config, within: str = "") -> Iterator[str]:
    """Yield the top-level blocks with settings that are never shown."""
    for name, field in model.model_fields.items():
        block = within or name
        if not field.repr:
            yield block
        inner = [field.annotation] if is_block(field) else list(block_kinds(field).values())
        for each in inner:
            assert isinstance(each, type)
            yield from secret_settings(each, block)


@pytest.mark.parametrize("overrides", [(), RIDES, ("source.kind=image", "source.path=/home/canary/photo.jpg")])
def test_no_secret_no_address_and_no_path_leaves(overrides: tuple[str, ...]) -> None:
    whole = full(*overrides)
    assert b"canary" in pickle.dumps(whole)
    assert b"canary" not in pickle.dumps(disclosed_config(whole))


def test_blocks_with_secrets_are_not_among_those_that_leave() -> None:
    found = set(secret_settings())
    assert {"web", "twitch", "audio", "outputs"} <= found
    assert not found & {*WHOLE, "video"}


def test_settings_the_dream_does_not_use_stay_at_default() -> None:
    sent, default = disclosed_config(full()), Config()
    for name in set(Config.model_fields) - {*WHOLE, "video", "source"}:
        assert getattr(sent, name) == getattr(default, name), name


def test_settings_the_dream_uses_are_sent() -> None:
    whole = full("seed=7", "device=cpu", "network.name=bundled", "canvas.width=320", "zoom.speed=1.2", "dream.momentum=0.5")
    whole = whole.model_copy(update={"video": whole.video.model_copy(update={"width": 640, "height": 360, "fps": 30})})
    sent = pickle.loads(pickle.dumps(disclosed_config(whole)))
    for name in WHOLE:
        assert getattr(sent, name) == getattr(whole, name), name
    assert (sent.video.width, sent.video.height, sent.video.fps) == (640, 360, 30)


def test_a_dream_that_rides_does_so_elsewhere() -> None:
    sent = disclosed_config(full(*RIDES))
    assert sent.source.moves
    assert (sent.source.decay_s, sent.source.mix, sent.source.path) == (3, 0.5, None)


@pytest.mark.parametrize(
    "overrides", [(*RIDES, "source.ride=false"), ("source.kind=image", "source.path=/home/canary/photo.jpg")]
)
def test_a_picture_to_start_from_is_one_that_has_to_be_handed_over(overrides: tuple[str, ...]) -> None:
    sent = disclosed_config(full(*overrides))
    assert not sent.source.moves
    assert (sent.source.kind, sent.source.path) == ("image", None)
    assert starting_picture(sent.source) is None


def test_a_scene_leaves_without_names_and_comes_back_with_them() -> None:
    scene = Scene(4, arrange([Target("n09472597", "volcano")]), user="canary", request_id=12)
    sent = disclosed_scene(scene)
    assert b"canary" not in pickle.dumps(sent)
    assert (sent.regions, sent.request_id) == (scene.regions, None)
    assert restored_scene(sent, {4: scene}) == scene
    assert restored_scene(sent, {}) == sent


def test_the_settings_are_whole_json() -> None:
    """Settings that were sent can be written as JSON and read again."""
    sent = disclosed_config(full())
    assert Config.model_validate_json(json.dumps(sent.model_dump(mode="json"))) == sent
