from fractions import Fraction
from pathlib import Path

import av
import pytest

from streamer.media.codecs import UNKNOWN, codec_name, codec_names, has_decoder
from streamer.media.tracks import TrackError, picture_track, sound_tracks
from tests.soundtracks import film_of_tones, renamed, unseen


@pytest.mark.parametrize(
    ("letters", "name"),
    [
        ("apac", "apac"),
        ("ac-4", "ac-4"),
        ("mha1", "mha1"),
        ("mhm1", "mhm1"),
        ("xy z", "xy z"),
        ("\xa9\x01ab", UNKNOWN),
    ],
)
def test_a_codec_without_a_decoder_is_called_what_the_file_calls_it(letters: str, name: str, tmp_path: Path) -> None:
    with av.open(str(renamed(film_of_tones(tmp_path / "a.mp4", [300]), letters))) as container:
        video, sound = container.streams.video[0], container.streams.audio[0]
        assert (has_decoder(video), has_decoder(sound)) == (True, False)
        assert (codec_name(video), codec_name(sound)) == ("h264", name)


def test_one_that_the_container_does_not_name_either_is_unknown(tmp_path: Path) -> None:
    path = film_of_tones(tmp_path / "a.mkv", [300])
    path.write_bytes(path.read_bytes().replace(b"A_AAC", b"A_XYZ"))
    with av.open(str(path)) as container:
        assert codec_name(container.streams.audio[0]) == UNKNOWN


def test_several_are_named_once_each(tmp_path: Path) -> None:
    path = film_of_tones(tmp_path / "a.mp4", [300, 400, 500, 600])
    renamed(renamed(renamed(path, "apac", 2), "ac-4", 1), "ac-4", 0)
    with av.open(str(path)) as container:
        assert codec_names(sound_tracks(container)) == "ac-4, apac and aac"
        assert codec_names(sound_tracks(container)[:1]) == "ac-4"


def test_tracks_of_sound_come_best_first(tmp_path: Path) -> None:
    path = film_of_tones(tmp_path / "a.mkv", [300, 400, 500])
    with av.open(str(path), "r") as container, av.open(str(tmp_path / "b.mkv"), "w") as out:
        copies = [out.add_stream_from_template(stream) for stream in container.streams.audio]
        copies[0].disposition, copies[1].disposition, copies[2].disposition = 0, 1, 0
        for packet in container.demux(container.streams.audio):
            if packet.size:
                packet.stream = copies[packet.stream.index - 1]
                out.mux(packet)
    with av.open(str(tmp_path / "b.mkv")) as container:
        assert [stream.index for stream in sound_tracks(container)] == [1, 0, 2]


def test_pictures_without_a_decoder_are_reported_with_their_codec(tmp_path: Path) -> None:
    with (
        av.open(str(unseen(film_of_tones(tmp_path / "a.mp4", [300])))) as container,
        pytest.raises(TrackError, match=r"^holds pictures in a format that cannot be decoded: xyz1$"),
    ):
        picture_track(container)


def test_pictures_that_can_be_decoded_are_taken_where_others_cannot(tmp_path: Path) -> None:
    streams = {}
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        for codec, size in (("libx264", 64), ("mpeg4", 48)):
            stream = container.add_stream(codec, rate=10, width=size, height=36, time_base=Fraction(1, 10))
            streams[size] = stream
        for size, stream in streams.items():
            frame = av.VideoFrame(size, 36, "yuv420p")
            frame.pts, frame.time_base = 0, Fraction(1, 10)
            container.mux([*stream.encode(frame), *stream.encode(None)])
    with av.open(str(unseen(tmp_path / "a.mp4"))) as container:
        track = picture_track(container)
        assert track is not None
        assert (track.index, track.width) == (1, 48)
