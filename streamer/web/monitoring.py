"""Monitoring: ``/healthz`` and ``/metrics``."""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from streamer import file_descriptors, resources
from streamer.messages.chat_status import ChatReport, ChatState
from streamer.messages.status import OutputStatus, SourceStatus, StatusSnapshot
from streamer.overload import SheddableFeature
from streamer.web.errors import ApiError, log
from streamer.web.limits import VisitorLimits
from streamer.web.protocols import StatusReader
from streamer.web.response_schemas_status import Health
from streamer.web.thread_bridge import ThreadBridge


class _Snapshot(Collector):
    """One status as Prometheus metrics."""

    def __init__(self, status: StatusSnapshot) -> None:
        self._status = status

    def collect(self) -> Iterable[Metric]:
        status, renderer, programme = self._status, self._status.renderer, self._status.programme
        frames = CounterMetricFamily("zoomdream_frames", "Frames of the video, by outcome.", labels=["kind"])
        for kind in ("shown", "late", "repeated", "dropped", "limited", "stopped", "unencoded"):
            frames.add_metric([kind], getattr(status.frames, kind))
        yield frames
        yield CounterMetricFamily("zoomdream_renderer_restarts", "Restarts of the render worker.", value=renderer.restarts)
        spoilt = "Keyframes discarded because they had values that are not numbers, or beyond black and white."
        yield CounterMetricFamily("zoomdream_pictures_spoilt", spoilt, value=renderer.spoilt)
        yield from _outputs(status.outputs)
        if status.source is not None:
            yield from _source(status.source)
        yield from _chat(status.chat, status.chat_restarts)
        given_up = GaugeMetricFamily(
            "zoomdream_given_up", "1 for each feature that is off while other programs use the machine.", labels=["what"]
        )
        for what in SheddableFeature:
            given_up.add_metric([what.name.lower()], float(what in status.given_up))
        yield given_up
        height, width = renderer.canvas or (0, 0)
        for name, meaning, value in (
            ("healthy", "1 if there are no problems.", not status.problems),
            ("uptime_seconds", "Seconds since the start.", status.uptime_s),
            ("viewers", "Open streams of live video.", status.viewers),
            ("fps_configured", "Frames per second in the settings.", status.fps),
            ("fps_measured", "Frames per second, as measured.", status.fps_measured),
            (
                "longest_gap_seconds",
                "Longest time between two frames in the last ten seconds.",
                status.longest_gap_s,
            ),
            ("slate", "1 while viewers see the slate instead of the dream.", status.slate),
            (
                "settings_mistakes",
                "Mistakes in the config file, which is not used until they are fixed.",
                len(status.settings.mistakes),
            ),
            ("sound_well", "1 while there is sound, or the settings ask for silence.", not status.sound.error),
            ("steps_per_second", "Steps of the dream per second.", renderer.steps_per_s),
            ("keyframe_seconds", "Seconds from one keyframe to the next.", renderer.keyframe_s or 0.0),
            ("canvas_width_pixels", "Width of the canvas.", width),
            ("canvas_height_pixels", "Height of the canvas.", height),
            ("reduced", "1 while the dream runs with less, for lack of memory or of a GPU.", bool(renderer.reduced)),
            ("queue_waiting", "Requests waiting.", len(programme.waiting)),
            ("queue_open", "1 while the queue takes requests.", programme.open),
            ("queue_written", "1 while requests are saved to disk.", not status.unwritten),
            ("paused", "1 while the scene on air is held.", programme.paused),
            ("requested", "1 while a request is on air.", bool(programme.scene and programme.scene.request_id)),
        ):
            yield GaugeMetricFamily(f"zoomdream_{name}", meaning, value=float(value))
        about = {"version": status.version, "network": renderer.network, "device": renderer.device}
        yield InfoMetricFamily("zoomdream", "Version, network and device.", value=about)


def _outputs(outputs: Iterable[OutputStatus]) -> Iterable[Metric]:
    enabled = GaugeMetricFamily("zoomdream_output_enabled", "1 while the output is enabled.", labels=["output"])
    live = GaugeMetricFamily("zoomdream_output_live", "1 while the output delivers.", labels=["output"])
    failing = GaugeMetricFamily("zoomdream_output_failing", "1 while the output fails and is retried.", labels=["output"])
    delivered = CounterMetricFamily("zoomdream_output_bytes", "Bytes delivered.", labels=["output"])
    dropped = CounterMetricFamily(
        "zoomdream_output_dropped", "Frames dropped because the output was too slow.", labels=["output"]
    )
    failures = CounterMetricFamily("zoomdream_output_failures", "Failures of the output.", labels=["output"])
    for item in outputs:
        enabled.add_metric([item.name], item.enabled)
        live.add_metric([item.name], item.state == "live")
        failing.add_metric([item.name], item.enabled and item.failing)
        delivered.add_metric([item.name], item.delivered_bytes)
        dropped.add_metric([item.name], item.dropped)
        failures.add_metric([item.name], item.failures)
    return enabled, live, failing, delivered, dropped, failures


def _source(source: SourceStatus) -> Iterable[Metric]:
    live = source.state == "live"
    yield GaugeMetricFamily("zoomdream_source_live", "1 while the film or camera delivers pictures.", value=live)
    yield CounterMetricFamily("zoomdream_source_losses", "Times that the film or camera was lost.", value=source.losses)


def _chat(report: ChatReport | None, restarts: int) -> Iterable[Metric]:
    yield CounterMetricFamily("zoomdream_chat_restarts", "Restarts of the chat bot.", value=restarts)
    states = GaugeMetricFamily("zoomdream_chat_state", "1 for the state of the chat bot.", labels=["state"])
    for state in ChatState:
        states.add_metric([state.name.lower()], float(report is not None and report.state is state))
    yield states
    if report is None:
        return
    yield GaugeMetricFamily("zoomdream_chat_state_seconds", "Seconds in that state.", value=report.since_s)
    yield GaugeMetricFamily("zoomdream_chat_report_age_seconds", "Seconds since the bot's last report.", value=report.age_s)
    if report.heard_s is not None:
        yield GaugeMetricFamily(
            "zoomdream_chat_silence_seconds", "Seconds since the last message in the chat.", value=report.heard_s
        )


class _Visitors(Collector):
    """Connections and refusals as Prometheus metrics."""

    def __init__(self, limits: VisitorLimits) -> None:
        self._limits = limits

    def collect(self) -> Iterable[Metric]:
        yield GaugeMetricFamily("zoomdream_connections", "Open HTTP connections.", value=self._limits.open)
        refused = CounterMetricFamily("zoomdream_refused", "Refusals because of web.limits, by kind.", labels=["kind"])
        for kind, number in sorted(self._limits.refused.counts.items()):
            refused.add_metric([kind], number)
        yield refused


class _Machine(Collector):
    """The program's use of the machine as Prometheus metrics."""

    def collect(self) -> Iterable[Metric]:
        held, most = resources.held(), file_descriptors.most()
        if held is None:
            return
        memory = GaugeMetricFamily("zoomdream_memory_bytes", "Resident memory, by process.", labels=["process"])
        memory.add_metric(["main"], held.memory_bytes)
        memory.add_metric(["children"], held.children_bytes)
        yield memory
        yield GaugeMetricFamily("zoomdream_child_processes", "Child processes.", value=held.children)
        yield GaugeMetricFamily("zoomdream_threads", "Threads of the main process.", value=held.threads)
        yield GaugeMetricFamily("zoomdream_open_descriptors", "Open descriptors of the main process.", value=held.descriptors)
        if most is not None:
            yield GaugeMetricFamily("zoomdream_max_descriptors", "Descriptors that it may have.", value=most)


def metrics(status: StatusSnapshot, limits: VisitorLimits) -> bytes:
    """Return a status in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Snapshot(status))
    registry.register(_Visitors(limits))
    registry.register(_Machine())
    return generate_latest(registry)


class Monitoring:
    """Handlers of ``/healthz`` and ``/metrics``."""

    def __init__(self, read: StatusReader, in_thread: ThreadBridge, limits: VisitorLimits) -> None:
        self._read = read
        self._limits = limits
        self._in_thread = in_thread

    async def healthz(self, request: web.Request) -> web.Response:
        """Return 200 if there are no problems, else 503 with the reasons."""
        given_up: tuple[str, ...] = ()
        try:
            status = await self._in_thread(self._read)
            problems, given_up = status.problems, status.given_up
        except ApiError as error:
            problems = (f"the status cannot be read: {error}",)
        except Exception as error:
            log.exception("the status cannot be read")
            problems = (f"the status cannot be read: {type(error).__name__}",)
        answer = Health(ok=not problems, problems=list(problems), given_up=list(given_up))
        return web.json_response(answer, status=503 if problems else 200)

    async def metrics(self, request: web.Request) -> web.Response:
        """Return counters and rates in Prometheus' text format."""
        text = metrics(await self._in_thread(self._read), self._limits)
        return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})
