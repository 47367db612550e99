"""Renders a film picture by picture: the dream follows its motion, as it does live, without a deadline."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from functools import partial

import cv2
import numpy as np

from streamer.algorithm_facts import ALGORITHMS
from streamer.config import Config
from streamer.dream.algorithms.dreamer_factory import make_dreamer
from streamer.dream.device import canvas_size, choose_device
from streamer.dream.interface import DreamError
from streamer.dream.networks.ensemble import Ensemble
from streamer.dream.networks.loading import load
from streamer.dream.sessions.estimate import Estimate, available_bytes, needed_bytes, pace_key, step_seconds
from streamer.dream.sessions.session import Session
from streamer.events import DreamStarted
from streamer.messages.keyframes import Keyframe, SourcePicture
from streamer.messages.motion import Motion
from streamer.messages.network_contents import LayerEntry
from streamer.messages.scenes import Scene

STEPS = 2
"""Steps per picture if the command does not set them."""
LONGEST_S = 1.0
"""Longest time between two pictures that counts for fading, in seconds."""


@dataclass(frozen=True, slots=True, eq=False)
class RenderedPicture:
    """A film's picture with the dream on it."""

    image: np.ndarray
    """(H, W, 3) uint8 RGB, of the same size as the film's picture."""
    time_s: float
    """Presentation time in seconds."""


def film_canvas(config: Config, size: tuple[int, int], device: str) -> tuple[int, int]:
    """Return the (height, width) of the canvas for a film of (height, width): as the settings say, at most the film's."""
    height, width = size
    video = config.video.model_copy(update={"height": height, "width": width})
    wanted = canvas_size(config.canvas, video, device)
    return size if wanted[0] >= height or wanted[1] >= width else wanted


class FilmDream:
    """Networks ready to render films."""

    def __init__(self, config: Config) -> None:
        """Load the networks.

        Raises:
            NetworkError: the weights are unavailable.
            DeviceError: the requested device does not exist.
        """
        film = {"kind": "video", "ride": True}
        # No transition boost: there is no earlier scene to replace, and the boost would only flicker.
        dream = config.dream.model_copy(update={"surge": 0.0})
        self.config = config.model_copy(update={"source": config.source.model_copy(update=film), "dream": dream})
        self.device = choose_device(config.device)
        self.ensemble: Ensemble = load(config.network, self.device)

    @property
    def machine(self) -> str:
        """What the pace depends on besides the size; see ``pace_key``."""
        return pace_key(self.config, self.ensemble.name, self.device)

    @property
    def wnids(self) -> Collection[str]:
        """WordNet ids of the networks' classes."""
        return self.ensemble.wnids

    @property
    def layers(self) -> tuple[LayerEntry, ...]:
        """The networks' layers."""
        return self.ensemble.layer_entries

    def canvas(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return the (height, width) of the canvas for a film of (height, width)."""
        return film_canvas(self.config, size, self.device.type)

    def new_dream(self, scene: Scene, canvas: tuple[int, int], seed: int) -> Session:
        """Return a new dream of a scene that follows a film.

        Raises:
            DreamError: the network does not have one of the scene's targets, or the algorithm cannot follow a film.
        """
        algorithm = self.config.dream.algorithm
        if not ALGORITHMS[algorithm].rides:
            raise DreamError(f"'dream.algorithm: {algorithm}' cannot dream on films; take another")
        make = partial(make_dreamer, self.ensemble, self.config, canvas, self.device, seed)
        return Session.of(make, Motion(1.0, 0.0), DreamStarted(self.ensemble.name, self.device.type, 0, canvas), scene)

    def estimate(self, scene: Scene, first: SourcePicture, steps: int, *, trial: bool = True) -> Estimate:
        """Estimate the cost of one picture; this takes some steps if there is enough memory for them.

        Args:
            trial: whether to measure the time.

        Raises:
            DreamError: the network does not have one of the scene's targets.
        """
        canvas = self.canvas((first.image.shape[0], first.image.shape[1]))
        needed = needed_bytes(self.ensemble, self.device, canvas, self.config.dream.tile_px) + 10 * first.image.nbytes
        found = Estimate(None, needed, available_bytes(self.device))
        if not found.fits or not trial:
            return found
        session = self.new_dream(scene, canvas, 0)
        session.ride(first, 0.0)
        one_s = step_seconds(lambda: session.apply(1000 / 25), self.device, len(self.ensemble.members))
        return replace(found, seconds=one_s * steps)

    def begin(self, size: tuple[int, int], scene: Scene, steps: int, seed: int) -> FilmRun:
        """Start a film of pictures of (height, width), with ``steps`` steps for each.

        Raises:
            DreamError: the network does not have one of the scene's targets, or the algorithm cannot follow a film.
        """
        return FilmRun(self.new_dream(scene, self.canvas(size), seed), steps, self.config.source.mix)


class FilmRun:
    """A film being rendered; it can be saved and resumed after any picture (``saved_state``)."""

    CHANGES = ("_session", "_before_s")

    def __init__(self, session: Session, steps: int, mix: float) -> None:
        self._session, self._steps, self._mix = session, steps, mix
        self._before_s: float | None = None

    def over(self, pictures: Iterator[SourcePicture], done: int = 0) -> RenderedPictures:
        """Render on the film's pictures in turn, skipping the first ``done``, which are finished."""
        return RenderedPictures(self, itertools.islice(pictures, done, None))

    def dream(self, picture: SourcePicture) -> RenderedPicture:
        """Render on the next picture, of the film's size and with a higher number and time than the previous one."""
        session, before_s = self._session, picture.time_s if self._before_s is None else self._before_s
        dt_s = min(LONGEST_S, max(0.0, picture.time_s - before_s))
        self._before_s = picture.time_s
        session.ride(picture, dt_s)
        for _ in range(self._steps):
            session.apply(1000 * dt_s / self._steps)
        return RenderedPicture(self._laid(picture.image, session.keyframe()), picture.time_s)

    def _laid(self, image: np.ndarray, keyframe: Keyframe) -> np.ndarray:
        """Add the change that the dream made to the film's picture at full size, so that its detail stays sharp."""
        assert keyframe.source_picture is not None, "the dream follows a film"
        mix = self._mix
        rendered = keyframe.image
        if mix == 1 and rendered.shape == image.shape:
            return rendered
        added = (rendered.astype(np.float32) - keyframe.source_picture.image) * mix
        if added.shape != image.shape:
            added = cv2.resize(added, image.shape[1::-1], interpolation=cv2.INTER_CUBIC)
        return np.asarray(cv2.add(image, np.rint(added).astype(np.int16), dtype=cv2.CV_8U))


class RenderedPictures(Iterator[RenderedPicture]):
    """Renders on pictures as they come."""

    can_checkpoint = True
    """Whether it can be saved and resumed after every picture."""

    def __init__(self, run: FilmRun, pictures: Iterator[SourcePicture]) -> None:
        self._run, self._pictures = run, pictures
        self._next: SourcePicture | None = None

    def more(self) -> bool:
        """Return whether there is another picture; this reads it."""
        if self._next is None:
            self._next = next(self._pictures, None)
        return self._next is not None

    def __next__(self) -> RenderedPicture:
        if not self.more():
            raise StopIteration
        picture, self._next = self._next, None
        assert picture is not None
        return self._run.dream(picture)
