from fractions import Fraction
from pathlib import Path

import av
import pytest

from streamer.video.files import sound_codecs
from streamer.video.files.file_format import FilmSound
from streamer.video.files.movie import MovieWriter
from streamer.video.files.sound_codecs import SoundChoice, choose_sound_track
from tests.soundtracks import film_of_tones, renamed, retyped, tone
from tests.video.test_soundtrack import clicks, film, heard, put_under

TIMES = [number / 10 for number in range(20)]


@pytest.mark.parametrize("letters", ["apac", "ac-4", "mha1", "mhm1", "xy z"])
def test_undecodable_sound_is_left_out_and_reported(letters: str, tmp_path: Path) -> None:
    source = renamed(film_of_tones(tmp_path / "in.mp4", [440]), letters)
    told = f"its sound, {letters}, cannot be decoded here: the film becomes silent"
    assert choose_sound_track(source) == SoundChoice(None, told=told)


@pytest.mark.parametrize("undecodable", [0, 1])
def test_of_two_tracks_the_one_that_can_be_decoded_is_taken(undecodable: int, tmp_path: Path) -> None:
    source = renamed(film_of_tones(tmp_path / "in.mp4", [440, 880]), "apac", undecodable)
    choice = choose_sound_track(source)
    assert (choice.track, choice.copied) == (2 - undecodable, True)
    assert choice.told in ("", "its sound, apac, cannot be decoded here: its other track, aac, is taken")
    assert bool(choice.told) == (undecodable == 0)
    assert tone(put_under(source, tmp_path / "out.mp4", TIMES[:10])) == pytest.approx((880, 440)[undecodable], abs=3)


def test_a_decoder_that_does_not_know_this_kind_of_its_codec_counts_as_none(tmp_path: Path) -> None:
    er_aac_ld = 23  # FFmpeg's AAC decoder fails to open it
    source = retyped(film_of_tones(tmp_path / "in.mp4", [440]), er_aac_ld)
    assert choose_sound_track(source).track is None
    assert choose_sound_track(source).told == "its sound, aac, cannot be decoded here: the film becomes silent"


def test_some_broken_packets_at_the_start_are_no_reason_to_give_a_track_up(tmp_path: Path) -> None:
    source = film_of_tones(tmp_path / "in.ts", [440], codec="mp2")
    with av.open(str(source)) as container:
        sound = container.streams.audio[0]
        first = [packet for packet in container.demux(sound) if packet.size][:20]
    data = bytearray(source.read_bytes())
    for packet in first:
        assert packet.pos is not None
        data[packet.pos + 24 : packet.pos + 188] = bytes(164)
    source.write_bytes(data)
    assert choose_sound_track(source).track == 1


def test_a_film_without_sound_is_silent_and_nothing_is_said(tmp_path: Path) -> None:
    assert choose_sound_track(film(tmp_path / "in.mp4", None)) == SoundChoice(None)


@pytest.mark.parametrize("rate", [8000, 11025, 12000, 16000, 22050, 44100])
def test_mp3_is_copied_at_the_rates_that_mp4_takes_and_else_encoded(rate: int, tmp_path: Path) -> None:
    source = film(tmp_path / "in.mkv", "libmp3lame", rate=rate)
    assert choose_sound_track(source).copied == (rate >= 16000)
    codec, level = heard(put_under(source, tmp_path / "out.mp4", TIMES))
    assert codec == ("mp3float" if rate >= 16000 else "aac")
    assert clicks(level) == pytest.approx([0.5, 1.0, 1.5], abs=0.02)


@pytest.mark.parametrize(
    ("name", "codec", "copied"),
    [
        ("in.ts", "aac", True),  # ADTS, which the muxer converts for MP4
        ("in.flv", "aac", True),
        ("in.ts", "mp2", False),
        ("in.mkv", "ac3", True),
        ("in.mkv", "eac3", True),
        ("in.mov", "alac", True),
        ("in.mkv", "libopus", False),
        ("in.avi", "adpcm_ms", False),
        ("in.mkv", "tta", False),
    ],
)
def test_what_is_copied_and_what_is_encoded_is_heard_where_it_was(name: str, codec: str, copied: bool, tmp_path: Path) -> None:
    source = film(tmp_path / name, codec, rate=48000 if codec != "adpcm_ms" else 22050)
    assert choose_sound_track(source).copied == copied
    found, level = heard(put_under(source, tmp_path / "out.mp4", TIMES))
    assert found == (codec if copied else "aac")
    assert clicks(level)[:3] == pytest.approx([0.5, 1.0, 1.5], abs=0.02)


@pytest.mark.parametrize(("kind", "copied"), [(2, True), (1, False), (3, False), (4, False)])
def test_profiles_of_aac_that_players_may_not_know_are_encoded(kind: int, copied: bool, tmp_path: Path) -> None:
    source = retyped(film_of_tones(tmp_path / "in.mp4", [440]), kind)  # LC, Main, SSR, LTP
    assert choose_sound_track(source) == SoundChoice(1, copied, "aac")
    with av.open(str(put_under(source, tmp_path / "out.mp4", TIMES[:10]))) as container:
        assert container.streams.audio[0].profile == "LC"


@pytest.mark.parametrize(
    ("codec", "rate", "layout"),
    [
        ("aac", 32000, "stereo"),
        ("aac", 48000, "mono"),
        ("libmp3lame", 32000, "mono"),
        ("ac3", 32000, "mono"),
        ("eac3", 44100, "mono"),
    ],
)
def test_sound_that_changes_its_form_midway_is_encoded(codec: str, rate: int, layout: str, tmp_path: Path) -> None:
    same, other = film(tmp_path / "1.ts", codec), film(tmp_path / "2.ts", codec, rate=rate, layout=layout)
    for parts, copied in (((same, same), True), ((same, other), False)):
        (tmp_path / "in.ts").write_bytes(b"".join(part.read_bytes() for part in parts))
        assert choose_sound_track(tmp_path / "in.ts").copied == copied
    found, level = heard(put_under(tmp_path / "in.ts", tmp_path / "out.mp4", [number / 10 for number in range(40)]))
    assert found == "aac"
    loud = clicks(level)
    assert len([at for at in loud if at > 2.2]) == 3, loud


def test_the_muxer_is_asked_rather_than_a_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sound_codecs, "COPIED", (*sound_codecs.COPIED, "pcm_s16le", "wavpack"))
    assert not choose_sound_track(film(tmp_path / "in.mkv", "wavpack")).copied


def test_tags_in_another_encoding_do_no_harm(tmp_path: Path) -> None:
    source = film(tmp_path / "in.avi", "ac3")
    data = source.read_bytes()
    source.write_bytes(data.replace(b"Lavf", "Für ".encode("latin-1"), 1))
    assert choose_sound_track(source).copied


def test_tracks_of_other_kinds_beside_it_do_no_harm(tmp_path: Path) -> None:
    with (
        av.open(str(film_of_tones(tmp_path / "in.mp4", [440])), "r") as source,
        av.open(str(tmp_path / "in.mov"), "w") as timed,
        av.open(str(tmp_path / "in.mkv"), "w") as attached,
    ):
        timed.metadata["timecode"] = "01:00:00:00"
        timed.set_chapters([{"id": 1, "start": 0, "end": 1, "time_base": Fraction(1), "metadata": {"title": "one"}}])
        attached.add_attachment("font.ttf", "font/ttf", bytes(1000))
        films = [
            (film, [film.add_stream_from_template(each, opaque=True) for each in source.streams]) for film in (timed, attached)
        ]
        for packet in source.demux():
            for film, streams in films if packet.size else ():
                copy = av.Packet(bytes(packet))
                copy.pts, copy.dts, copy.duration, copy.time_base = packet.pts, packet.dts, packet.duration, packet.time_base
                copy.is_keyframe, copy.stream = packet.is_keyframe, streams[packet.stream.index]
                film.mux(copy)
    for name, kinds in (("in.mov", {"video", "audio", "data"}), ("in.mkv", {"video", "audio", "attachment"})):
        with av.open(str(tmp_path / name)) as film:
            assert {stream.type for stream in film.streams} == kinds
        choice = choose_sound_track(tmp_path / name)
        assert (choice.copied, choice.codec, choice.told) == (True, "aac", "")
        assert tone(put_under(tmp_path / name, tmp_path / "out.mp4", TIMES[:10])) == pytest.approx(440, abs=3)


def test_a_movie_says_once_what_is_missing(tmp_path: Path) -> None:
    source = renamed(film_of_tones(tmp_path / "in.mp4", [440]), "apac")
    with MovieWriter(tmp_path / "out.mp4", (36, 64), 10, FilmSound(source)) as movie:
        movie.write(av.VideoFrame(64, 36, "rgb24").to_ndarray(), 0.0)
    assert movie.notes == ("its sound, apac, cannot be decoded here: the film becomes silent",)
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert not container.streams.audio
    with MovieWriter(tmp_path / "out.gif", (36, 64), 10, FilmSound(source)) as movie:
        movie.write(av.VideoFrame(64, 36, "rgb24").to_ndarray(), 0.0)
    assert movie.notes == ()
