"""For machines that watch: ``/healthz`` and ``/metrics``."""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from streamer.messages import OutputStatus, StatusSnapshot
from streamer.web.bridge import Calls
from streamer.web.errors import ApiError, log
from streamer.web.protocols import StatusReader


class _Snapshot(Collector):
    """One status as Prometheus metrics."""

    def __init__(self, status: StatusSnapshot) -> None:
        self._status = status

    def collect(self) -> Iterable[Metric]:
        status, renderer, programme = self._status, self._status.renderer, self._status.programme
        frames = CounterMetricFamily("zoomdream_frames", "Frames of the video, by what became of them.", labels=["kind"])
        for kind in ("shown", "late", "repeated", "dropped", "limited"):
            frames.add_metric([kind], getattr(status.frames, kind))
        yield frames
        yield CounterMetricFamily("zoomdream_renderer_restarts", "Restarts of the render worker.", value=renderer.restarts)
        yield from _outputs(status.outputs)
        height, width = renderer.canvas or (0, 0)
        for name, meaning, value in (
            ("healthy", "1 if nothing is wrong.", not status.problems),
            ("uptime_seconds", "Seconds since the start.", status.uptime_s),
            ("viewers", "Open streams of live video.", status.viewers),
            ("fps_configured", "Frames per second asked for.", status.fps),
            ("fps_measured", "Frames per second lately.", status.fps_measured),
            (
                "longest_gap_seconds",
                "Longest time from one frame to the next within the last ten seconds.",
                status.longest_gap_s,
            ),
            ("sound_well", "1 while there is sound, or silence is what is asked for.", not status.sound.error),
            ("steps_per_second", "Steps of the dream per second.", renderer.steps_per_s),
            ("keyframe_seconds", "Seconds from one dreamt keyframe to the next.", renderer.keyframe_s or 0.0),
            ("canvas_width_pixels", "Width of the picture being dreamt.", width),
            ("canvas_height_pixels", "Height of the picture being dreamt.", height),
            ("queue_waiting", "Requests in line.", len(programme.waiting)),
            ("paused", "1 while the programme is held.", programme.paused),
            ("requested", "1 while somebody's request is on air.", bool(programme.scene and programme.scene.request_id)),
        ):
            yield GaugeMetricFamily(f"zoomdream_{name}", meaning, value=float(value))
        about = {"version": status.version, "network": renderer.network, "device": renderer.device}
        yield InfoMetricFamily("zoomdream", "What runs.", value=about)


def _outputs(outputs: Iterable[OutputStatus]) -> Iterable[Metric]:
    live = GaugeMetricFamily("zoomdream_output_live", "1 while the output delivers.", labels=["output"])
    delivered = CounterMetricFamily("zoomdream_output_bytes", "Bytes delivered.", labels=["output"])
    dropped = CounterMetricFamily("zoomdream_output_dropped", "Pictures left out, being too slow.", labels=["output"])
    failures = CounterMetricFamily("zoomdream_output_failures", "Failures of the output.", labels=["output"])
    for item in outputs:
        live.add_metric([item.name], item.state == "live")
        delivered.add_metric([item.name], item.delivered_bytes)
        dropped.add_metric([item.name], item.dropped)
        failures.add_metric([item.name], item.failures)
    return live, delivered, dropped, failures


def metrics(status: StatusSnapshot) -> bytes:
    """Write a status in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Snapshot(status))
    return generate_latest(registry)


class Watch:
    """Handlers of ``/healthz`` and ``/metrics``."""

    def __init__(self, read: StatusReader, calls: Calls) -> None:
        self._read = read
        self._calls = calls

    def routes(self) -> list[web.RouteDef]:
        """The addresses served here."""
        return [web.get("/healthz", self.healthz), web.get("/metrics", self.metrics)]

    async def healthz(self, request: web.Request) -> web.Response:
        """Answer 200 if all is well, else 503 with the reasons."""
        try:
            problems = (await self._calls(self._read)).problems
        except ApiError as error:
            problems = (f"the status cannot be read: {error}",)
        except Exception as error:
            log.exception("the status cannot be read")
            problems = (f"the status cannot be read: {type(error).__name__}",)
        return web.json_response({"ok": not problems, "problems": list(problems)}, status=503 if problems else 200)

    async def metrics(self, request: web.Request) -> web.Response:
        """Tell counters and rates as Prometheus text."""
        text = metrics(await self._calls(self._read))
        return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})
