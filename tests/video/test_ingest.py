from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from streamer.config import MpegtsUdpOutput, RtmpOutput, TwitchIngestOutput
from streamer.video.encoding.spec import EncodeSpec
from streamer.video.sinks.ingest import (
    redactor,
    rtmp_destination,
    twitch_destination,
    twitch_kbps,
    twitch_spec,
    udp_destination,
)
from streamer.video.sinks.secrets import StreamKeyError

KEY = "live_123_canary4Hd8sK"


def rtmp(url: str, **more: Any) -> RtmpOutput:
    return RtmpOutput(kind="rtmp", url=url, **more)


def twitch(**more: Any) -> TwitchIngestOutput:
    return TwitchIngestOutput(kind="twitch_ingest", **more)


@pytest.mark.parametrize(
    ("size", "fps", "kbps"),
    [
        ((1280, 720), 30, 3000),
        ((1280, 720), 60, 4500),
        ((1920, 1080), 30, 4500),
        ((1920, 1080), 60, 6000),
        ((1280, 720), 25, 2600),
        ((854, 480), 30, 1650),
        ((640, 360), 30, 1050),
        ((160, 90), 10, 400),
        ((3840, 2160), 60, 6000),
    ],
)
def test_the_bitrate_is_what_twitch_advises_for_size_and_rate(size: tuple[int, int], fps: int, kbps: int) -> None:
    assert twitch_kbps(*size, fps) == kbps


def test_twitch_gets_a_constant_rate_and_a_keyframe_every_two_seconds() -> None:
    video = EncodeSpec(1280, 720, 30, 2500, 0.5)
    spec = twitch_spec(twitch(), video)
    assert (spec.bitrate_kbps, spec.gop, spec.cbr) == (3000, 60, True)
    assert twitch_spec(twitch(bitrate_kbps=2000), video).bitrate_kbps == 2000


def test_keys_go_to_the_end_of_the_address_and_are_shown_nowhere() -> None:
    for destination in (
        rtmp_destination(rtmp("rtmp://a.example/live", key=KEY)),
        rtmp_destination(rtmp(f"rtmp://a.example/live/{KEY}")),
        rtmp_destination(rtmp(f"rtmp://a.example:1935/live/{KEY}/")),
        twitch_destination(twitch(key=KEY, server="rtmp://a.example/live")),
    ):
        assert destination.url.replace(":1935", "") == f"rtmp://a.example/live/{KEY}"
        assert destination.where == "a.example:1935"
        assert destination.secrets == (KEY,)
        assert destination.keyed
        assert KEY not in repr(destination)
    assert twitch_destination(twitch(key=KEY)).url == f"rtmp://live.twitch.tv/app/{KEY}"
    assert twitch_destination(twitch(key=KEY, bandwidth_test=True)).url == f"rtmp://live.twitch.tv/app/{KEY}?bandwidthtest=true"
    youtube = rtmp_destination(rtmp("rtmp://b.rtmp.youtube.example/live2?backup=1", key=KEY))
    assert youtube.url == f"rtmp://b.rtmp.youtube.example/live2?backup=1/{KEY}"


def test_a_key_in_the_environment_is_for_addresses_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOOMDREAM_STREAM_KEY", "from_environment")
    monkeypatch.setenv("OTHER", "from_other")
    assert rtmp_destination(rtmp("rtmp://a.example/live")).url == "rtmp://a.example/live/from_environment"
    assert rtmp_destination(rtmp(f"rtmp://a.example/live/{KEY}")).url == f"rtmp://a.example/live/{KEY}"
    assert rtmp_destination(rtmp("rtmp://a.example/live/room", key_env="OTHER")).url == "rtmp://a.example/live/room/from_other"


def test_without_a_key_it_says_where_to_put_one() -> None:
    for destination, name in (
        (lambda: rtmp_destination(rtmp("rtmp://a.example/live")), "ZOOMDREAM_STREAM_KEY"),
        (lambda: twitch_destination(twitch()), "ZOOMDREAM_TWITCH_KEY"),
    ):
        with pytest.raises(
            StreamKeyError, match=f"set 'key_file' to a file that contains it, or the environment variable {name}"
        ):
            destination()


def test_rtmps_checks_the_certificate(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "list.pem").write_text("")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "list.pem"))
    destination = rtmp_destination(rtmp("rtmps://a.example/live", key=KEY))
    assert destination.where == "a.example:443"
    assert destination.options["tls_verify"] == "1"
    assert destination.options["ca_file"] == str(tmp_path / "list.pem")
    assert "tls_verify" not in rtmp_destination(rtmp("rtmp://a.example/live", key=KEY)).options


def test_udp_packets_fit_into_ethernet() -> None:
    destination = udp_destination(MpegtsUdpOutput(kind="mpegts_udp", url="udp://239.1.2.3:5004"))
    assert destination.url == "udp://239.1.2.3:5004?pkt_size=1316"
    assert destination.where == "239.1.2.3:5004"
    assert not destination.keyed


def test_what_a_block_holds_is_hidden() -> None:
    for output in (rtmp("rtmp://a.example/live", key=KEY), rtmp(f"rtmp://a.example/live/{KEY}"), twitch(key=KEY)):
        assert KEY not in redactor(output)(f"lost {KEY}")
        assert KEY not in repr(output)
