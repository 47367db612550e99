"""What ``zoomdream check`` reports about the subjects that a stream dreams without requests."""

from PIL import Image

from streamer.commands.check import Level, look_at_queue
from streamer.config import Config, QueueConfig


def test_subjects_and_guide_pictures_are_looked_at(tmp_path):
    picture = tmp_path / "flowers.png"
    Image.new("RGB", (30, 20)).save(picture)
    among = ("volcano + layer fire5", f"guide {picture} at fire6", "guide lost.jpg", "qqqqq", "layer fire5:x")
    config = Config(queue=QueueConfig(path=tmp_path / "queue.sqlite3", wander_among=among))
    found = [(finding.level, finding.text) for finding in look_at_queue(config)][1:]
    assert found == [
        (Level.GOOD, f"guide {picture}, 30x20"),
        (Level.WARNING, "'queue.wander_among' holds 'guide lost.jpg': there is no picture 'lost.jpg'"),
        (Level.BLOCKER, "'queue.wander_among' holds 'qqqqq': I don't know how to dream 'qqqqq'"),
        (
            Level.BLOCKER,
            "'queue.wander_among' holds 'layer fire5:x': 'x' is not a list of channels; write for example: layer fire5:3,17-20",
        ),
    ]
