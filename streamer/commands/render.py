"""The same dream without the stream: a script to a video, a GIF, a picture or a folder of pictures."""

from __future__ import annotations

import bisect
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

from streamer.commands.bar import progress_bar
from streamer.commands.failures import as_command_error
from streamer.commands.script import Cue, parse_script, reader
from streamer.commands.showing import show
from streamer.config import Config
from streamer.dream.device import be_repeatable
from streamer.dream.sessions.script import OfflineDream
from streamer.dream.sources.picture import SourceError, read_image
from streamer.dream.sources.start import starting_picture
from streamer.messages import Layout, Scene, arrange
from streamer.requests.vocabulary import Vocabulary
from streamer.video.files.movie import MovieWriter

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Order:
    """What to render."""

    script: str
    seconds: float
    output: Path
    """``.mp4``, ``.gif``, ``.png`` (the last frame) or a folder of frames."""
    seed: int
    captions: bool = False
    image: Path | None = None
    """A picture to start from."""

    def frames(self, fps: float) -> int:
        """How many frames the video has; at least one."""
        return max(1, round(self.seconds * fps))


def command(config: Config, order: Order, console: Console, announce: Callable[[str], None]) -> None:
    """Render behind a progress bar.

    Raises:
        CommandError: the call was wrong, or it failed.
    """
    with as_command_error(), progress_bar(console) as shown:
        task = shown.add_task("dreaming", total=None)
        render(config, order, lambda done, total: shown.update(task, completed=done, total=total))
    announce(f"{order.output} (seed {order.seed})")


def render(config: Config, order: Order, progress: Callable[[int, int], None] = lambda done, total: None) -> None:
    """Render a video.

    Args:
        progress: told the frames done and the frames in all, after each.

    Raises:
        ScriptError: the script cannot be played.
        SourceError: the picture to start from cannot be read.
        MovieError: the output cannot be written.
        NetworkError: the network's weights cannot be had.
        DeviceError: the device asked for is not there.
        DreamError: the network has not got what the script names.
    """
    if config.source.moves and order.image is None:
        raise SourceError(f"the settings have a {config.source.kind} as source: dream a film with --video FILE")
    words = Vocabulary.load()
    parse_script(order.script, order.seconds, reader(words))  # its mistakes come before the wait for a network
    start = starting_picture(config.source) if order.image is None else read_image(order.image)
    size = (config.video.height, config.video.width)
    with MovieWriter(order.output, size, config.video.fps) as movie:
        be_repeatable()
        dream = OfflineDream(config)
        cues = parse_script(order.script, order.seconds, reader(words.narrowed(dream.wnids), dream.layers))
        log.info("dreaming with %s on %s at %dx%d", dream.network, dream.device, dream.size[1], dream.size[0])
        total = order.frames(config.video.fps)
        progress(0, total)
        frames = _frames(config, order, dream, cues, start)
        for done in range(1, total + 1):
            movie.write(next(frames))
            progress(done, total)


def _frames(
    config: Config, order: Order, dream: OfflineDream, cues: tuple[Cue, ...], start: np.ndarray | None
) -> Iterator[np.ndarray]:
    """The video's frames, without end."""
    scenes = tuple(Scene(number, arrange(cue.targets, Layout(config.dream.layout))) for number, cue in enumerate(cues, 1))
    starts = [cue.start_s for cue in cues]
    keyframes = dream.keyframes(lambda time_s: scenes[bisect.bisect_right(starts, time_s) - 1], order.seed, start)
    return show(config, keyframes, captions=order.captions)
