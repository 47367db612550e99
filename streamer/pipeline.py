"""The live stream: builds all parts, passes data between them, and ends them.

    director ─ scenes ─▶ renderer ─ keyframes ─▶ interpolator ─ frames ─▶ encoder ─▶ web and sinks

Threads here: ``control`` passes the scene on air to the renderer, ``frames`` makes the video at its rate. The caller of ``run``
watches both.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import Any

import numpy as np

from streamer import __version__
from streamer.actions import Actions
from streamer.algorithm_facts import ALGORITHMS
from streamer.catalogue import Catalogue
from streamer.chat import ChatBoard
from streamer.config import Config, MjpegOutput, MpegtsHttpOutput, Output, is_loopback
from streamer.control_status import OscStatus, Switching
from streamer.controls import Controls
from streamer.dream.sources.source import MovingSource
from streamer.dream.worker.process import WorkerProcess, choose_seed
from streamer.dream.worker.protocol import ResourceLimit
from streamer.dream.worker.renderer import Renderer
from streamer.errors import ZoomdreamError
from streamer.events import DreamEvent
from streamer.health import Health
from streamer.journal_writer import Journal
from streamer.loop import Loop
from streamer.messages.keyframes import Frame, Keyframe
from streamer.messages.motion import Motion
from streamer.messages.network_contents import LayerEntry
from streamer.messages.scenes import Layout, Scene
from streamer.messages.status import SoundStatus, StatusSnapshot
from streamer.osc import Osc
from streamer.overload import LoadShedder, SheddableFeature
from streamer.presets import Presets
from streamer.pulse import Pulse
from streamer.reload import Reload
from streamer.requests.director import Director
from streamer.requests.queue import RequestQueue, default_path
from streamer.requests.schema import QueueError
from streamer.requests.vocabulary import Vocabulary
from streamer.settings_live import (
    CAMERA,
    DREAM,
    PICTURE,
    RULES,
    SOUND,
    SWITCH,
    SettingsRefused,
    among,
    changes,
    expanded,
    tuned,
    with_settings_of,
)
from streamer.snapshot import Snapshot, pack
from streamer.snapshot_writer import SnapshotWriter, as_keyframe, load_resumable, source_fingerprint
from streamer.thumbnails import FOLDER, Thumbnails
from streamer.video.album.album import Album
from streamer.video.album.clip_buffer import ClipBuffers
from streamer.video.encoding.encoder_selection import usable_cpus
from streamer.video.encoding.encoders import Encoders
from streamer.video.frames.clock import FrameClock
from streamer.video.frames.crossfade import CrossfadeInterpolator
from streamer.video.frames.frame_interpolator import make_frame_interpolator
from streamer.video.frames.post_processing import FramePostProcessor
from streamer.video.frames.slate import Slate
from streamer.video.frames.splash import Splash
from streamer.video.http_output import make_http_output
from streamer.video.outputs import Outputs, Runner
from streamer.video.sinks import make_sink
from streamer.video.sound.audio import AudioReader, AudioTrack
from streamer.video.sound.reaction import Reaction
from streamer.web.server import Server

log = logging.getLogger(__name__)

TICK_S = 0.1
"""Seconds between updates of the programme."""
WATCH_S = 0.25
"""Seconds between checks of the threads."""
UNWATCHED_S = 1.0
"""Seconds between frames while nobody watches; the largest age of ``/frame.jpg`` then."""
STOP_S = 4.0
"""Seconds for all parts to end, and the most that the worker has."""
EASY_SHARE = 0.5
"""Share of the time for steps of the dream while ``STEPS`` is given up."""
EASY_PARTS = {SheddableFeature.SIZE: 2 / 3, SheddableFeature.MORE_SIZE: 1 / 2}
"""Factor on the sides of frames while these features are given up."""
PULSES = 100
"""Pulses of the zoom, each with its place on the camera path, that wait for the journal. When full, the oldest are dropped."""
SNAPSHOT_S = 1.0
"""Seconds of ``STOP_S`` for the last snapshot."""
ALBUM_S = 1.0
"""Seconds of ``STOP_S`` for saving the last dreams to the album."""
SILENT_S = 0.5
"""Seconds of ``STOP_S`` for the reader of a camera or a stream."""


class PipelineError(ZoomdreamError):
    """The stream cannot continue; the message, one line, says why."""


class Pipeline:
    """A live stream, from ``start`` to ``stop``."""

    def __init__(
        self,
        config: Config,
        *,
        first: WorkerProcess | None = None,
        fresh: bool = False,
        reload: Reload | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Build all parts; nothing is served or rendered yet.

        Args:
            first: A worker that is already preparing, for these settings without a moving source. It ends with the pipeline;
                if this raises, the caller ends it.
            fresh: Whether to start a new dream instead of resuming the last run's.
            reload: Reads the config again and applies changes; None if it never changes.

        Raises:
            QueueError: the queue's file cannot be used.
            EncoderError: there is no encoder for this video.
            SourceError: the film of the moving source cannot be read.
            OscError: OSC is unavailable.
        """
        self._config, self._clock = config, clock
        self._reload = reload or Reload(config)
        self.seed = choose_seed(config) if first is None else first.seed
        self._size = size = (config.video.height, config.video.width)
        motion = Motion.from_config(config.zoom)
        with ExitStack() as built:
            queue_path = config.queue.path or default_path()
            self._queue = built.enter_context(RequestQueue(queue_path))
            self._words = Vocabulary.load()
            self._director = Director(
                self._queue, self._words.while_loading(), config.queue, Layout(config.dream.layout), self.seed, clock
            )
            snapshot_path = config.snapshot.path or queue_path.with_suffix(".snapshot")
            self._left = None if fresh or not config.snapshot.enabled else load_resumable(snapshot_path, config)
            if self._left is not None:
                self._director.resume(self._left.on_air, self._left.on_air_s, held=self._left.held)
                if self._left.motion_meant == motion:  # settings that have changed since take precedence
                    motion = self._left.motion
                    self._reload.resume({"zoom.speed": motion.speed, "zoom.rotation": motion.rotation})
            self._source = MovingSource(config, clock) if config.source.moves else None
            if self._source is not None:
                built.callback(self._source.stop)
            feed = None if self._source is None else self._source.feed
            self._resumed = None if self._left is None else as_keyframe(self._left, clock())
            self._renderer = Renderer(
                config,
                self.seed,
                self._take_keyframe,
                feed=feed,
                first=first,
                latest=self._resumed,
                kept=None if self._left is None else self._left.kept,
                on_events=self._write_down,
                on_switched=self._take_switch,
                clock=clock,
            )
            self._thumbnails = Thumbnails(config.thumbnails.folder or queue_path.parent / FOLDER, config.thumbnails)
            self._chat = ChatBoard(clock)
            self._actions = Actions(self._renderer, motion, self._chat, self._reload, clock)
            presets = Presets(config.controls.folder or queue_path.parent / "presets")
            self._controls = Controls(self._reload, presets, self._switching, self._hearing)
            self._osc = self._make_osc()
            if self._osc is not None:
                built.callback(self._osc.stop)
            self._dreamt = config
            self._interpolator = CrossfadeInterpolator(
                make_frame_interpolator(config, newest=None if self._source is None else self._source.newest)
            )
            built.callback(self._interpolator.close)
            self._post_processor, self._slate = FramePostProcessor(config.video), Slate(config.video)
            self._splash: Splash | None = Splash(size, self.seed)
            self._frame_clock = FrameClock(config.video.fps, clock)
            self._audio = AudioTrack(config.audio, clock)
            built.callback(self._audio.close)
            kept = config.album
            clip_buffers = ClipBuffers(kept.clip_s) if kept.enabled and kept.clips != "never" else None
            self._encoders = Encoders(
                config.video,
                lambda: self._audio,
                listen=None if clip_buffers is None else clip_buffers.make,
                always=kept.clips == "always",
                clock=clock,
            )
            self._reaction = Reaction(config.audio.react, self._audio)
            self._listen(config)
            self._listener: AudioReader | None = None
            self._pulses: deque[tuple[float, Pulse]] = deque(maxlen=PULSES)
            built.callback(self._encoders.close)
            dreams = kept.folder or queue_path.parent / "dreams"
            self._album = (
                Album(kept, dreams, clip_buffers, lambda: self._director.blocks, config.video.fps, clock)
                if kept.enabled
                else None
            )
            self._outputs = Outputs(config.outputs, self._make_output, queue_path.parent / "recordings", clock=clock)
            self._server = Server(
                config.web,
                self._director,
                self._encoders.main,
                self.status,
                Catalogue(lambda: self._director.vocabulary, self._renderer.status, self._thumbnails),
                self._actions,
                self._outputs,
                self._reload,
                self._album,
                self._controls,
            )
            self._reload.taken_by(self.take_settings)
            built.pop_all()
        self._control = Loop("control", self._steer, every_s=TICK_S)
        self._frames = Loop("frames", self._show)
        self._health = Health(config, queue_path.parent, clock)
        self._ladder = LoadShedder()
        self._journal_folder = config.journal.folder or queue_path.parent / "journals"
        self._journal: Journal | None = None
        self._snapshots = SnapshotWriter(snapshot_path, self._take_snapshot, clock) if config.snapshot.enabled else None
        self._held = False
        self._restarts = self._restarts_before = 0
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
        """The page's URL, once started."""
        return self._server.url

    @property
    def frame_number(self) -> int | None:
        """``Frame.number`` of the frame on air; None before the first."""
        return self._on_air

    # Start, run, stop

    def start(self) -> None:
        """Serve immediately, and render as soon as the network is loaded.

        Raises:
            WebError: the page cannot be served at its address.
        """
        self._started_s = self._clock()
        self._server.start()  # first, so that a port in use is reported before anything is rendered
        self._journal = self._open_journal()
        if self._source is not None:
            self._source.start()
        if self._resumed is not None:
            self._renderer.motion(self._actions.motion)
            if self._source is None:  # show the last picture immediately; it keeps zooming until there is a new one
                self._interpolator.push(self._resumed)
        self._renderer.start()
        if self._snapshots is not None:
            self._snapshots.start()
        self._thumbnails.start()
        self._outputs.start()
        if self._album is not None:
            self._album.start()
        self._frames.start()
        self._control.start()
        if self._osc is not None:
            self._osc.start()
        log.info("seed %d", self.seed)

    def run(self, stopping: threading.Event) -> None:
        """Watch until ``stopping`` is set.

        Raises:
            PipelineError: a part of the stream has failed permanently.
        """
        while not stopping.wait(WATCH_S):
            for loop in (self._frames, self._control):
                if loop.failure is not None:
                    raise PipelineError(f"the {loop.name} thread fails repeatedly: {loop.failure}")
            if not self._server.alive:
                raise PipelineError("the web server died; the log says why")
            if reason := self._renderer.failure:
                raise PipelineError(reason)

    def stop(self, deadline_s: float = STOP_S) -> bool:
        """End all parts, those that viewers see first; return whether all ended in time. A second call does nothing."""
        if self._stopped:
            return True
        self._stopped = True
        end_s = self._clock() + deadline_s
        log.info("stopping")

        def left_s() -> float:
            return max(0.1, end_s - self._clock())

        # The worker may be in a long step: it is asked to end now, in the background, and waited for last.
        dream = threading.Thread(
            target=self._renderer.stop, args=(min(deadline_s, STOP_S) - 0.5,), name="stop-renderer", daemon=True
        )
        dream.start()
        ended = self._control.stop(left_s())
        if self._osc is not None:
            ended &= self._osc.stop(left_s())
        ended &= self._server.stop(left_s())
        ended &= self._frames.stop(left_s())
        ended &= self._outputs.stop(left_s())
        if self._album is not None:
            ended &= self._album.close(min(ALBUM_S, left_s()))
        self._encoders.close(left_s())
        self._audio.close(left_s())
        self._interpolator.close()
        if self._source is not None:
            # A thread that waits for a silent camera or server cannot be interrupted; it ends with the program.
            self._source.stop(min(SILENT_S, left_s()))
        if self._snapshots is not None:
            ended &= self._snapshots.close(min(SNAPSHOT_S, left_s()))
        ended &= self._thumbnails.close(left_s())
        dream.join(left_s())
        self._write_pulses()
        if self._journal is not None:
            self._journal.close()
        self._queue.close()
        return ended and not dream.is_alive()

    # Data flow

    def _take_keyframe(self, keyframe: Keyframe) -> None:
        """Take a keyframe; called in the renderer's thread."""
        self._health.keyframe(keyframe)
        if self._album is not None:
            self._album.keyframe(keyframe)
        restarts = self._renderer.status().restarts
        self._director.note_keyframe(keyframe, new_worker=restarts != self._restarts_before)
        if keyframe.steps:
            self._restarts_before = restarts
        self._thumbnails.keyframe(keyframe)
        self._interpolator.push(keyframe)
        self._slate.keyframe()

    def _write_down(self, keyframe: Keyframe, events: tuple[DreamEvent, ...]) -> None:
        """Record events in the journal; called in the renderer's thread."""
        if self._journal is not None:
            self._journal.keyframe(keyframe, events)

    def _take_switch(self, config: Config) -> None:
        """Prepare for the first keyframe of a worker with other settings; called in the renderer's thread."""
        if ALGORITHMS[config.dream.algorithm].interpolator != ALGORITHMS[self._dreamt.dream.algorithm].interpolator:
            look = with_settings_of(self._reload.config, config, expanded(SWITCH))
            self._interpolator.switch_to(
                make_frame_interpolator(look, newest=None if self._source is None else self._source.newest)
            )
        if self._journal is not None:
            values = config.model_dump(mode="json", include={"network", "dream", "ink"})
            self._journal.note("switched", {key: _value_at(values, key) for key in changes(self._dreamt, config)})
        self._dreamt = config

    def _open_journal(self) -> Journal | None:
        """Return the run's journal; None if it is disabled."""
        if not self._config.journal.enabled:
            self._left = None
            return None
        resumed, self._left = b"" if self._left is None else pack(self._left), None
        return Journal(self._journal_folder, self._config, self.seed, __version__, snapshot=resumed, clock=self._clock)

    def _take_snapshot(self) -> Snapshot | None:
        """Return a snapshot from which the next start can resume; None before there is anything new."""
        found, programme = self._renderer.kept(), self._director.programme()
        if found is None or found[0] is self._resumed or programme.scene is None:
            return None
        keyframe, kept = found
        return Snapshot(
            keyframe.image,
            keyframe.pose,
            keyframe.scene,
            programme.scene,
            programme.since_s,
            programme.paused,
            self._actions.motion,
            Motion.from_config(self._config.zoom),
            source_fingerprint(self._config),
            kept,
            None if keyframe.source_picture is None else keyframe.source_picture.image,
            time.time(),
        )

    def _steer(self) -> None:
        """Pass the scene on air to the renderer, and do what else is due."""
        self._reload.advance()
        self._controls.undo_failed_switch()
        self._health.sample(self._frame_clock.counters)
        self._play()
        status = self._renderer.status()
        if not status.wnids:
            return  # time on air does not count while the network loads
        self._keep_pace()
        if (status.wnids, status.layers) != self._known:
            self._director.learn(self._words.for_network(status.wnids), status.layers)
            known = self._director.knowledge()
            if known.remedy:
                log.info("this network knows %d of %d classes; %s", known.classes, known.total, known.remedy)
            self._known = status.wnids, status.layers
        if workers_died := status.restarts - self._restarts:
            self._restarts = status.restarts
            self._director.workers_died(workers_died)
        self._react()
        scene = self._director.tick()
        self._post_processor.show_poll(self._director.poll)
        if self._journal is not None and self._director.held != self._held:
            self._held = not self._held
            self._journal.note("held", self._held)
        if scene is not self._scene:
            self._renderer.scene(scene)
            self._scene = scene

    def _listen(self, config: Config) -> None:
        """Analyse the sound if the picture reacts to it."""
        wanted = config.audio.react.enabled
        self._audio.listen(wanted)
        if wanted and self._config.audio.source == "silence":
            log.warning("audio.react is on, but there is nothing to react to: audio.source is silence")

    def _play(self) -> None:
        """Play the sound if the picture reacts to it and is watched, even if no output uses it."""
        silent = self._config.audio.source == "silence"
        if silent or not self._reaction.enabled or self._on_air is None or not self._encoders.wanted:
            self._listener = None
            return
        now_s = self._on_air / self._config.video.fps
        if self._listener is None:
            self._listener = self._audio.reader(now_s)
        self._listener.until(now_s)

    def _react(self) -> None:
        """Apply the sound's effect to the dream, and record that on frames."""
        self._write_pulses()
        adjustment = self._reaction.adjustment(self._clock())
        self._actions.set_reaction(adjustment.pace, adjustment.drive)
        for _ in range(adjustment.bumps):
            self._renderer.bump()
        if adjustment.subject:
            self._director.skip_idle_scene()

    def _write_pulses(self) -> None:
        """Write the shown pulses to the journal. Not in the frames thread, which must not wait for a disk."""
        with suppress(IndexError):  # the queue is empty
            while True:
                at_s, pulse = self._pulses.popleft()
                if self._journal is not None:
                    self._journal.pulse(at_s, pulse.octaves, pulse.at_s)

    def _keep_pace(self) -> None:
        """Give up features while other programs use the machine, and restore them afterwards."""
        frames = replace(self._frame_clock.counters, unencoded=self._encoders.status().dropped)
        change = self._ladder.observe(self._clock(), frames, self._luxuries())
        if change is None:
            return
        if change.back:
            log.info("%s: restored, now that the machine has room for it", change.feature)
        else:
            log.warning("%s: given up, because other programs use the machine and frames come late", change.feature)
        without = self._ladder.given_up
        share = EASY_SHARE if SheddableFeature.STEPS in without else 1.0
        self._renderer.limit_resources(ResourceLimit(int(SheddableFeature.THREAD in without), share))
        self._encoders.reduce_load(SheddableFeature.PRESET in without)
        part = min((part for feature, part in EASY_PARTS.items() if feature in without), default=1.0)
        self._interpolator.reduce_load(follow=SheddableFeature.FLOW not in without, part=part)

    def _luxuries(self) -> set[SheddableFeature]:
        """Return the features that this stream could give up."""
        found = {SheddableFeature.STEPS, SheddableFeature.SIZE, SheddableFeature.MORE_SIZE}
        if usable_cpus() > 2 and self._renderer.status().device == "cpu":
            found.add(SheddableFeature.THREAD)
        if self._interpolator.can_skip_flow:
            found.add(SheddableFeature.FLOW)
        if self._encoders.can_reduce_load:
            found.add(SheddableFeature.PRESET)
        return found

    def _show(self) -> None:
        """Make one frame of the video."""
        tick = self._frame_clock.wait()
        now_s = tick.due_s
        if not self._encoders.wanted and now_s - self._drawn_s < UNWATCHED_S:
            self._interpolator.skip(now_s)
            return
        repeated = False
        try:
            self._image, self._shown, bare = self._draw(now_s, tick.number)
        except Exception:
            if self._image is None:
                raise
            log.exception("a frame could not be drawn; the previous one is repeated")
            repeated = True
            self._frame_clock.count_repeated()
        self._drawn_s = now_s
        self._on_air = tick.number
        frame = Frame(self._image, tick.number, self._shown, repeated)
        self._encoders.put(frame)
        if self._album is not None and not repeated and not self._slate.shown:
            self._album.frame(frame, bare)

    def _draw(self, now_s: float, number: int) -> tuple[np.ndarray, Scene | None, np.ndarray]:
        """Return the frame for a time, the scene it shows, and the frame without captions."""
        extra_octaves, pulses = self._reaction.frame((number + 0.5) / self._config.video.fps, now_s)
        self._interpolator.set_zoom_offset(extra_octaves)
        image, scene = self._interpolator.frame(now_s)
        if (shown_s := self._interpolator.shown_s) is not None:
            self._pulses.extend((shown_s + pulse.at_s - now_s, pulse) for pulse in pulses)
        if image is None:
            assert self._splash is not None, "there is a picture once the splash has ended"
            image = self._splash.draw(now_s)
        else:
            self._splash = None
            image = self._slate.draw(image, now_s)
        named = None if self._slate.shown else scene
        return self._post_processor.draw(image, named, now_s, number, captions=self._splash is None), scene, image

    def take_settings(self, config: Config, changed: Collection[str]) -> None:
        """Apply another config, all of it or nothing.

        Args:
            changed: the settings that differ from the previous one, all of them live.

        Raises:
            SettingsRefused: the queue cannot apply it.
        """
        if among(changed, RULES):
            try:
                self._director.configure(config.queue, Layout(config.dream.layout))
            except QueueError as error:
                raise SettingsRefused(str(error)) from error
        if among(changed, PICTURE):
            self._interpolator.tune(config)
            self._post_processor.tune(config.video)
            self._slate.tune(config.video)
        if among(changed, SOUND):
            self._audio.set_volume(config.audio.volume_db)
            self._reaction.tune(config.audio.react)
            self._listen(config)
        if among(changed, SWITCH):
            self._renderer.switch(with_settings_of(self._config, config, expanded(SWITCH)), tuned(self._config, config))
        elif among(changed, DREAM):
            self._renderer.tune(tuned(self._config, config))
        if camera := among(changed, CAMERA):
            speed = config.zoom.speed if "zoom.speed" in camera else None
            rotation = config.zoom.rotation if "zoom.rotation" in camera else None
            self._actions.turn(speed, rotation)

    def _switching(self) -> Switching:
        """Return the status of a switch of the network or the algorithm."""
        status = self._renderer.status()
        return Switching(status.switching, status.switch_error, status.switch_failures)

    def _hearing(self) -> OscStatus | None:
        """Return the status of the OSC listener; None without one."""
        return None if self._osc is None else self._osc.status

    def chat_restarted(self) -> None:
        """Count a restart of this stream's chat bot."""
        self._chat.restarts += 1

    def status(self) -> StatusSnapshot:
        """Return everything that pages, metrics and health checks show."""
        renderer, encoder, outputs = self._renderer.status(), self._encoders.status(), self._outputs.status()
        sound = self._audio.status()
        source = None if self._source is None else self._source.status()
        unwritten, chat = self._director.trouble, self._chat.read()
        return StatusSnapshot(
            programme=self._director.programme(),
            frames=replace(self._frame_clock.counters, limited=self._post_processor.limited, unencoded=encoder.dropped),
            fps=self._config.video.fps,
            fps_measured=self._health.fps,
            renderer=renderer,
            viewers=self._server.viewers,
            uptime_s=self._clock() - self._started_s,
            version=__version__,
            problems=self._health.problems(
                renderer, encoder.error, outputs, sound.error, source, unwritten, chat, self._unkept, slate=self._slate.shown
            ),
            motion=self._actions.motion,
            chat=chat,
            chat_restarts=self._chat.restarts,
            outputs=outputs,
            picture=self._health.picture(renderer, slate=self._slate.shown),
            frame_number=self.frame_number,
            longest_gap_s=self._frame_clock.longest_gap_s,
            slate=self._slate.shown,
            sound=SoundStatus(sound.source, sound.state, sound.playing, sound.dropouts, sound.error, self._reaction.beats),
            source=source,
            settings=self._reload.status,
            knowledge=self._director.knowledge(),
            unwritten=unwritten,
            given_up=self._ladder.given_up,
            album_revision=0 if self._album is None else self._album.changes,
            encoder=f"{encoder.choice.encoder} {encoder.choice.preset}",
        )

    @property
    def _unkept(self) -> str:
        """Why a restart would not resume this dream; empty if it would, or if snapshots are disabled."""
        return "" if self._snapshots is None else self._snapshots.trouble

    def _make_osc(self) -> Osc | None:
        """Return the OSC listener; None if it is off."""
        controls = self._config.controls
        if not controls.osc:
            return None

        def wake(twist: bool) -> None:
            self._renderer.twist() if twist else self._renderer.bump()

        if not is_loopback(controls.osc_host):
            log.warning("OSC listens on %s: everyone who can send packets there can change the dream", controls.osc_host)
        return Osc(controls.osc_host, controls.osc_port, self._controls, wake)

    def _make_output(self, output: Output, name: str) -> Runner:
        """Return the runner of an output; it does nothing until started."""
        if isinstance(output, MpegtsHttpOutput | MjpegOutput):
            return make_http_output(output, self._encoders, name)
        return make_sink(output, self._encoders, name)


def _value_at(config: Mapping[str, Any], key: str) -> Any:
    """Return a setting of a config in JSON form, by its dotted key."""
    for part in key.split("."):
        config = config[part]
    return config
