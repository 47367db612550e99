"""A film dreamt picture by picture: the dream rides on it, as it does live, without a deadline."""

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
"""For each picture, where nothing else is asked for."""
LONGEST_S = 1.0
"""Seconds that a picture counts for what fades, at most."""


@dataclass(frozen=True, slots=True, eq=False)
class DreamtPicture:
    """A film's picture with the dream on it."""

    image: np.ndarray
    """(H, W, 3) uint8 RGB, of the film's picture's size."""
    time_s: float
    """When it is to be seen."""


def film_canvas(config: Config, size: tuple[int, int], device: str) -> tuple[int, int]:
    """(height, width) of the dream on a film of (height, width): as the settings say, never larger than the film."""
    height, width = size
    video = config.video.model_copy(update={"height": height, "width": width})
    wanted = canvas_size(config.canvas, video, device)
    return size if wanted[0] >= height or wanted[1] >= width else wanted


class FilmDream:
    """Networks ready to dream films."""

    def __init__(self, config: Config) -> None:
        """Load the networks.

        Raises:
            NetworkError: its weights cannot be had.
            DeviceError: the device asked for is not there.
        """
        film = {"kind": "video", "ride": True}
        # Nothing stands in the dream's way at first: in haste it would only flicker.
        dream = config.dream.model_copy(update={"surge": 0.0})
        self.config = config.model_copy(update={"source": config.source.model_copy(update=film), "dream": dream})
        self.device = choose_device(config.device)
        self.ensemble: Ensemble = load(config.network, self.device)

    @property
    def machine(self) -> str:
        """What its pace depends on besides the size."""
        return pace_key(self.config, self.ensemble.name, self.device)

    @property
    def wnids(self) -> Collection[str]:
        """The classes they can dream."""
        return self.ensemble.wnids

    @property
    def layers(self) -> tuple[LayerEntry, ...]:
        """The networks' layers."""
        return self.ensemble.layer_entries

    def canvas(self, size: tuple[int, int]) -> tuple[int, int]:
        """(height, width) of the dream on a film of (height, width)."""
        return film_canvas(self.config, size, self.device.type)

    def new_dream(self, scene: Scene, canvas: tuple[int, int], seed: int) -> Session:
        """A dream of a scene that rides, at its beginning.

        Raises:
            DreamError: the network has not got one of the scene's targets, or the algorithm does not ride.
        """
        algorithm = self.config.dream.algorithm
        if not ALGORITHMS[algorithm].rides:
            raise DreamError(f"'dream.algorithm: {algorithm}' cannot dream on films; take another")
        make = partial(make_dreamer, self.ensemble, self.config, canvas, self.device, seed)
        return Session.of(make, Motion(1.0, 0.0), DreamStarted(self.ensemble.name, self.device.type, 0, canvas), scene)

    def estimate(self, scene: Scene, first: SourcePicture, steps: int, *, trial: bool = True) -> Estimate:
        """What dreaming one picture will take; some steps are taken to find out, if the memory suffices for them.

        Args:
            trial: whether to find out how long it takes.

        Raises:
            DreamError: the network has not got one of the scene's targets.
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
        """Set out on a film of pictures of (height, width), with so many steps for each.

        Raises:
            DreamError: the network has not got one of the scene's targets, or the algorithm does not ride.
        """
        return FilmRun(self.new_dream(scene, self.canvas(size), seed), steps, self.config.source.mix)


class FilmRun:
    """A film being dreamt; it can be gone on with after any picture (``saved_state``)."""

    CHANGES = ("_session", "_before_s")

    def __init__(self, session: Session, steps: int, mix: float) -> None:
        self._session, self._steps, self._mix = session, steps, mix
        self._before_s: float | None = None

    def over(self, pictures: Iterator[SourcePicture], done: int = 0) -> DreamtPictures:
        """Dream on the pictures of the film, one after the other, of which so many are done."""
        return DreamtPictures(self, itertools.islice(pictures, done, None))

    def dream(self, picture: SourcePicture) -> DreamtPicture:
        """Dream on the next picture, of the film's size and with a higher number and time than the one before."""
        session, before_s = self._session, picture.time_s if self._before_s is None else self._before_s
        dt_s = min(LONGEST_S, max(0.0, picture.time_s - before_s))
        self._before_s = picture.time_s
        session.ride(picture, dt_s)
        for _ in range(self._steps):
            session.apply(1000 * dt_s / self._steps)
        return DreamtPicture(self._laid(picture.image, session.keyframe()), picture.time_s)

    def _laid(self, image: np.ndarray, keyframe: Keyframe) -> np.ndarray:
        """What was dreamt, laid on the film's picture at that one's own size: its detail stays sharp."""
        assert keyframe.ridden is not None, "it rides"
        mix = self._mix
        dreamt = keyframe.image
        if mix == 1 and dreamt.shape == image.shape:
            return dreamt
        added = (dreamt.astype(np.float32) - keyframe.ridden.image) * mix
        if added.shape != image.shape:
            added = cv2.resize(added, image.shape[1::-1], interpolation=cv2.INTER_CUBIC)
        return np.asarray(cv2.add(image, np.rint(added).astype(np.int16), dtype=cv2.CV_8U))


class DreamtPictures(Iterator[DreamtPicture]):
    """Dreams on pictures as they come."""

    can_checkpoint = True
    """It can be gone on with after any."""

    def __init__(self, run: FilmRun, pictures: Iterator[SourcePicture]) -> None:
        self._run, self._pictures = run, pictures
        self._next: SourcePicture | None = None

    def more(self) -> bool:
        """Whether there is another picture; it is read, and not yet dreamt on."""
        if self._next is None:
            self._next = next(self._pictures, None)
        return self._next is not None

    def __next__(self) -> DreamtPicture:
        if not self.more():
            raise StopIteration
        picture, self._next = self._next, None
        assert picture is not None
        return self._run.dream(picture)
