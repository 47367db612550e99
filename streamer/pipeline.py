"""The live stream put together: builds the rooms, moves what one makes to the next, and ends them all.

    director ─ scenes ─▶ renderer ─ keyframes ─▶ screen ─ frames ─▶ encoder ─▶ web and sinks

Threads here: ``control`` tells the renderer what is on air, ``frames`` makes the video at its rate. Who calls ``run`` watches
them.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from importlib import metadata

import numpy as np

from streamer.acts import Act
from streamer.chat import ChatBoard
from streamer.config import Config, MjpegOutput, MpegtsHttpOutput, Output
from streamer.dream.moving.source import MovingSource
from streamer.dream.worker.renderer import Renderer
from streamer.health import Health
from streamer.journal import Journal
from streamer.loop import Loop
from streamer.messages import ChatReport, Frame, Keyframe, LayerEntry, Layout, Motion, Scene, SoundStatus, StatusSnapshot
from streamer.requests.director import Director
from streamer.requests.queue import RequestQueue, default_path
from streamer.requests.vocabulary import Vocabulary
from streamer.video.channel import make_channel
from streamer.video.encoding.encoders import Encoders
from streamer.video.flash.limiter import FlashLimiter
from streamer.video.frames import counter
from streamer.video.frames.clock import FrameClock
from streamer.video.frames.curtain import Curtain
from streamer.video.frames.overlay import Captioner
from streamer.video.frames.screen import make_screen
from streamer.video.outputs import Outputs, Runner
from streamer.video.sinks import make_sink
from streamer.video.sound.audio import AudioTrack
from streamer.web.server import Server

log = logging.getLogger(__name__)

TICK_S = 0.1
"""Seconds from one look at the programme to the next."""
WATCH_S = 0.25
"""Seconds from one look at the threads to the next."""
UNWATCHED_S = 1.0
"""Seconds from one frame drawn to the next while nobody watches: ``/frame.jpg`` is no older than this then."""
STOP_S = 4.0
"""Seconds that all rooms together have to end."""
SILENT_S = 0.5
"""Seconds of them that are given to who reads a camera or a stream."""


class PipelineError(Exception):
    """The stream cannot go on; one line says why."""


class Pipeline:
    """A live stream, from ``start`` to ``stop``."""

    def __init__(self, config: Config, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Build the rooms; nothing is served or dreamt yet.

        Raises:
            QueueError: the queue's file cannot be used.
            EncoderError: there is no encoder for this video.
            SourceError: the film that the dream is to ride on cannot be read.
        """
        self._config, self._clock = config, clock
        self.seed = random.SystemRandom().randrange(2**32) if config.seed is None else config.seed
        self._size = size = (config.video.height, config.video.width)
        motion = Motion(config.zoom.speed, config.zoom.rotation)
        with ExitStack() as built:
            queue_path = config.queue.path or default_path()
            self._queue = built.enter_context(RequestQueue(queue_path))
            self._words = Vocabulary.load()
            self._director = Director(self._queue, self._words, config.queue, Layout(config.dream.layout), self.seed, clock)
            self._source = MovingSource(config, clock) if config.source.moves else None
            if self._source is not None:
                built.callback(self._source.stop)
            feed = None if self._source is None else self._source.feed
            self._renderer = Renderer(config, self.seed, self._take_keyframe, feed=feed, on_acts=self._write_down, clock=clock)
            self._chat = ChatBoard(clock)
            self._actions = _Actions(self._renderer, motion, self._chat)
            self._screen = make_screen(config, newest=None if self._source is None else self._source.newest)
            built.callback(self._screen.close)
            self._limiter = FlashLimiter(size, config.video.fps) if config.video.flash_limiter else None
            self._captioner = Captioner(size) if config.video.captions else None
            self._curtain: Curtain | None = Curtain(size, self.seed)
            self._frame_clock = FrameClock(config.video.fps, clock)
            self._audio = AudioTrack(config.audio, clock)
            built.callback(self._audio.close)
            self._encoders = Encoders(config.video, lambda: self._audio, clock=clock)
            built.callback(self._encoders.close)
            self._outputs = Outputs(config.outputs, self._make_output, queue_path.parent / "recordings", clock=clock)
            self._server = Server(
                config.web,
                self._director,
                self._encoders.main,
                self.status,
                _Classes(self._director),
                self._actions,
                self._outputs,
            )
            built.pop_all()
        self._control = Loop("control", self._steer, every_s=TICK_S)
        self._frames = Loop("frames", self._show)
        self._health = Health(config, queue_path.parent, clock)
        self._journal_folder = config.journal.folder or queue_path.parent / "journals"
        self._journal: Journal | None = None
        self._held = False
        self._known: tuple[tuple[str, ...], tuple[LayerEntry, ...]] = (), ()
        self._scene: Scene | None = None
        self._image: np.ndarray | None = None
        self._shown: Scene | None = None
        self._drawn_s = -UNWATCHED_S
        self._on_air: int | None = None
        self._started_s = clock()
        self._stopped = False

    @property
    def url(self) -> str:
        """Where the page is, once started."""
        return self._server.url

    # Start, run, stop

    def start(self) -> None:
        """Serve at once, and dream as soon as the network is loaded.

        Raises:
            WebError: the page cannot be served at its address.
        """
        self._started_s = self._clock()
        self._server.start()  # first, so that a taken port is told before anything is loaded
        self._journal = self._open_journal()
        if self._source is not None:
            self._source.start()
        self._renderer.start()
        self._outputs.start()
        self._frames.start()
        self._control.start()
        log.info("seed %d", self.seed)

    def run(self, stopping: threading.Event) -> None:
        """Watch until ``stopping`` is set.

        Raises:
            PipelineError: a part of the stream ended for good.
        """
        while not stopping.wait(WATCH_S):
            for loop in (self._frames, self._control):
                if loop.failure is not None:
                    raise PipelineError(f"the {loop.name} thread fails again and again: {loop.failure}")
            if not self._server.alive:
                raise PipelineError("the web server died; the log says why")
            if reason := self._renderer.failure:
                raise PipelineError(reason)

    def stop(self, deadline_s: float = STOP_S) -> bool:
        """End everything, what viewers see first; returns whether all of it ended in time. A second call does nothing."""
        if self._stopped:
            return True
        self._stopped = True
        end_s = self._clock() + deadline_s
        log.info("stopping")

        def left_s() -> float:
            return max(0.1, end_s - self._clock())

        # The worker may be in a long step: it is asked at once, in the background, and waited for last.
        dream = threading.Thread(target=self._renderer.stop, args=(deadline_s - 0.5,), name="stop-renderer", daemon=True)
        dream.start()
        ended = self._control.stop(left_s())
        ended &= self._server.stop(left_s())
        ended &= self._frames.stop(left_s())
        ended &= self._outputs.stop(left_s())
        self._encoders.close(left_s())
        self._audio.close(left_s())
        self._screen.close()
        if self._source is not None:
            # Who waits for a camera or a server that has gone silent cannot be called back, holds nothing, and dies with us.
            self._source.stop(min(SILENT_S, left_s()))
        dream.join(left_s())
        if self._journal is not None:
            self._journal.close()
        self._queue.close()
        return ended and not dream.is_alive()

    # What moves

    def _take_keyframe(self, keyframe: Keyframe) -> None:
        """Called by the renderer, in a thread of its own."""
        self._health.keyframe(keyframe)
        self._screen.push(keyframe)

    def _write_down(self, keyframe: Keyframe, acts: tuple[Act, ...]) -> None:
        """Called by the renderer likewise: what was done to the dream."""
        if self._journal is not None:
            self._journal.keyframe(keyframe, acts)

    def _open_journal(self) -> Journal | None:
        """The run's journal; None, with a warning, where none can be kept."""
        if not self._config.journal.enabled:
            return None
        try:
            journal = Journal(self._journal_folder, self._config, self.seed, version(), clock=self._clock)
        except OSError as error:
            log.warning("no journal can be kept in '%s': %s; see journal.folder", self._journal_folder, error.strerror or error)
            return None
        log.info("the journal is %s", journal.path)
        return journal

    def _steer(self) -> None:
        """Tell the renderer what is on air."""
        self._health.sample(self._frame_clock.counters)
        status = self._renderer.status()
        if not status.wnids:
            return  # nobody's time on air runs while the network loads
        if (status.wnids, status.layers) != self._known:
            self._director.learn(self._words.narrowed(status.wnids), status.layers)
            known = self._director.knowledge()
            if known.remedy:
                log.info("this network knows %d of %d things; %s", known.classes, known.total, known.remedy)
            self._known = status.wnids, status.layers
        scene = self._director.tick()
        if self._journal is not None and self._director.held != self._held:
            self._held = not self._held
            self._journal.note("held", self._held)
        if scene is not self._scene:
            self._renderer.scene(scene)
            self._scene = scene

    def _show(self) -> None:
        """Make one frame of the video."""
        tick = self._frame_clock.wait()
        now_s = tick.due_s
        if not self._encoders.wanted and now_s - self._drawn_s < UNWATCHED_S:
            self._screen.skip(now_s)
            return
        repeated = False
        try:
            self._image, self._shown = self._draw(now_s, tick.number)
        except Exception:
            if self._image is None:
                raise
            log.exception("a frame could not be drawn; the one before is shown again")
            repeated = True
            self._frame_clock.count_repeated()
        self._drawn_s = now_s
        self._on_air = tick.number
        self._encoders.put(Frame(self._image, tick.number, self._shown, repeated))

    def _draw(self, now_s: float, number: int) -> tuple[np.ndarray, Scene | None]:
        image, scene = self._screen.frame(now_s)
        if image is None:
            assert self._curtain is not None, "what was shown once is there for good"
            image = self._curtain.draw(now_s)
        else:
            self._curtain = None
        if self._limiter is not None:
            image = self._limiter.limit(image, number)
        if self._captioner is not None and self._curtain is None:
            image = self._captioner.draw(image, scene, now_s)
        if self._config.video.frame_counter:
            image = image.copy()  # the limiter goes back to the one before
            counter.draw(image, number)
        return image, scene

    def status(self) -> StatusSnapshot:
        """Everything that pages, metrics and health checks tell, now."""
        renderer, encoder, outputs = self._renderer.status(), self._encoders.status(), self._outputs.status()
        sound = self._audio.status()
        source = None if self._source is None else self._source.status()
        return StatusSnapshot(
            programme=self._director.programme(),
            frames=replace(self._frame_clock.counters, limited=0 if self._limiter is None else self._limiter.limited),
            fps=self._config.video.fps,
            fps_measured=self._health.fps,
            renderer=renderer,
            viewers=self._server.viewers,
            uptime_s=self._clock() - self._started_s,
            version=version(),
            problems=self._health.problems(renderer, encoder.error, outputs, sound.error, source),
            motion=self._actions.motion,
            chat=self._chat.read(),
            outputs=outputs,
            frame_number=self._on_air,
            longest_gap_s=self._frame_clock.longest_gap_s,
            sound=SoundStatus(sound.source, sound.state, sound.playing, sound.dropouts, sound.error),
            source=source,
            knowledge=self._director.knowledge(),
            encoder=f"{encoder.choice.encoder} {encoder.choice.preset}",
        )

    def _make_output(self, output: Output, name: str) -> Runner:
        """What runs for an output; it does nothing until started."""
        if isinstance(output, MpegtsHttpOutput | MjpegOutput):
            return make_channel(output, self._encoders, name)
        return make_sink(output, self._encoders, name)


class _Classes:
    """The vocabulary of the network in use, whichever that comes to be."""

    def __init__(self, director: Director) -> None:
        self._director = director
        self.search = lambda query, limit=20: self._director.vocabulary.search(query, limit)


class _Actions:
    """What the web may do to the dream, and where it brings what the chat bot tells. Thread-safe."""

    def __init__(self, renderer: Renderer, motion: Motion, chat: ChatBoard) -> None:
        self._renderer, self._chat = renderer, chat
        self._lock = threading.Lock()
        self.motion = motion
        """How the camera is to move."""

    def bump(self) -> None:
        """Shake the dream awake by noise."""
        self._renderer.bump()

    def twist(self) -> None:
        """Wake the dream by a slight twist."""
        self._renderer.twist()

    def move_camera(self, speed: float | None, rotation: float | None) -> Motion:
        """Move the camera differently from now on, None for as before; returns how it moves now."""
        with self._lock:
            before = self.motion
            self.motion = Motion(before.speed if speed is None else speed, before.rotation if rotation is None else rotation)
            self._renderer.motion(self.motion)
            return self.motion

    def hear_chat(self, report: ChatReport) -> None:
        """Take what the chat bot tells of itself."""
        self._chat.hear(report)


def version() -> str:
    """The program's version; empty where it is not installed."""
    try:
        return metadata.version("zoomdream")
    except metadata.PackageNotFoundError:
        return ""
