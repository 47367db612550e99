"""Containers and codecs that users have: a film comes out with the duration, size and colours that went in."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
from av.video.reformatter import Colorspace

from tests.films import carried_over, clicks
from tests.media.clips import Clip, look
from tests.shapes import EXIF, MATRIX, note_in_header


def noted(orientation: int) -> Callable[[Path], object]:
    """Return a function that writes an orientation into a finished file."""
    return lambda path: note_in_header(path, MATRIX[orientation])


FULL = {"pixels": "yuvj420p", "full_range": True, "options": {"qmin": "1", "qmax": "1"}}
FINE = {"b": "4000000"}
CLIPS: dict[str, Clip] = {
    "H.264 and AAC in MP4": Clip(".mp4"),
    "HEVC and AC-3 in MP4": Clip(".mp4", "libx265", "ac3"),
    "MPEG-4 and MP3 in MP4": Clip(".mp4", "mpeg4", "libmp3lame"),
    "VP9 and FLAC in MP4": Clip(".mp4", "libvpx-vp9", "flac"),
    "a telephone's old 3GP": Clip(".3gp", "h263", "aac", size=(144, 176)),
    "ProRes and PCM in MOV": Clip(".mov", "prores_ks", "pcm_s16le", pixels="yuv422p10le"),
    "ProRes 4444 in MOV": Clip(".mov", "prores_ks", None, pixels="yuva444p10le", options={"profile": "4444"}),
    "Motion JPEG and ALAC in MOV": Clip(".mov", "mjpeg", "alac", **FULL),
    "Animation in MOV": Clip(".mov", "qtrle", "pcm_s24le", pixels="rgb24"),
    "PNG in MOV": Clip(".mov", "png", "pcm_s16be", pixels="rgb24"),
    "JPEG 2000 in MOV": Clip(".mov", "jpeg2000", "pcm_s16le", pixels="rgb24"),
    "CineForm in MOV": Clip(".mov", "cfhd", "pcm_s16le", pixels="yuv422p10le"),
    "v210 in MOV": Clip(".mov", "v210", "pcm_s16le"),
    "VP8 and Vorbis in Matroska": Clip(".mkv", "libvpx", "vorbis"),
    "FFV1 and FLAC in Matroska": Clip(".mkv", "ffv1", "flac", pixels="bgr0"),
    "MPEG-2 and AC-3 in Matroska": Clip(".mkv", "mpeg2video", "ac3"),
    "H.264 and E-AC-3 in Matroska": Clip(".mkv", sound="eac3"),
    "10 bits in Matroska": Clip(".mkv", "libx265", "libopus", pixels="yuv420p10le"),
    "full chroma in Matroska": Clip(".mkv", sound="mp2", pixels="yuv444p"),
    "RGB and True Audio in Matroska": Clip(".mkv", "libx264rgb", "tta", pixels="rgb24"),
    "VP9 and Opus in WebM": Clip(".webm", "libvpx-vp9", "libopus"),
    "VP8 and Vorbis in WebM": Clip(".webm", "libvpx", "vorbis"),
    "VP9 with alpha in WebM": Clip(".webm", "libvpx-vp9", None, pixels="yuva420p"),
    "Motion JPEG and PCM in AVI": Clip(".avi", "mjpeg", "pcm_s16le", **FULL),
    "HuffYUV in AVI": Clip(".avi", "huffyuv", "pcm_s16le", pixels="yuv422p"),
    "no codec in AVI": Clip(".avi", "rawvideo", "pcm_u8", pixels="bgr24"),
    "MS-MPEG-4 and ADPCM in AVI": Clip(".avi", "msmpeg4", "adpcm_ms"),
    "Cinepak in AVI": Clip(".avi", "cinepak", "pcm_s16le", pixels="rgb24"),
    "Ut Video in AVI": Clip(".avi", "utvideo", "pcm_s16le"),
    "H.264 and AAC in a transport stream": Clip(".ts"),
    "MPEG-2 and MP2 in a transport stream": Clip(".ts", "mpeg2video", "mp2"),
    "HEVC and AC-3 in a transport stream": Clip(".ts", "libx265", "ac3"),
    "a camcorder's M2TS": Clip(".m2ts", sound="pcm_bluray"),
    "an MPEG-2 programme": Clip(".mpg", "mpeg2video", "mp2"),
    "an MPEG-1 programme": Clip(".mpg", "mpeg1video", "mp2"),
    "a DVD's VOB": Clip(".vob", "mpeg2video", "ac3"),
    "Sorenson in FLV": Clip(".flv", "flv", "libmp3lame", rate=44_100),
    "H.264 in FLV": Clip(".flv"),
    "Windows Media": Clip(".wmv", "wmv2", "wmav2", options=FINE, rate=44_100, swallowed_s=0.05),
    "the first Windows Media": Clip(".asf", "wmv1", "wmav1", options=FINE, rate=44_100, swallowed_s=0.05),
    "RealVideo": Clip(".rm", "rv20", "ac3"),
    "DV, whose pixels are not square": Clip(".dv", "dvvideo", "pcm_s16le", "dv", "yuv420p", (576, 720), shown=(576, 768)),
    "MXF": Clip(".mxf", "mpeg2video", "pcm_s16le", pixels="yuv422p"),
    "NUT": Clip(".nut", "ffv1", "pcm_s16le"),
    "YUV4MPEG": Clip(".y4m", "wrapped_avframe", None, pixels="yuv420p"),
    "bare H.264": Clip(".h264", sound=None),
    "bare HEVC": Clip(".hevc", "libx265", None),
    "bare MPEG-2": Clip(".m2v", "mpeg2video", None),
    "IVF": Clip(".ivf", "libvpx", None),
    "GIF": Clip(".gif", "gif", None, pixels="rgb8", levels=30),
    "animated PNG": Clip(".apng", "apng", None, pixels="rgb24"),
    "sound at 44.1 kHz": Clip(".mp4", rate=44_100),
    "mono": Clip(".mp4", layout="mono"),
    "six channels": Clip(".mp4", "libx264", "ac3", layout="5.1"),
    "sound that is late": Clip(".mkv", sound="pcm_s16le", sound_late_s=0.3),
    "sound that is early": Clip(".mkv", sound="flac", sound_late_s=-0.3),
    "a film that begins late": Clip(".mkv", begins_s=10),
    "29.97 a second": Clip(".mp4", fps=Fraction(30_000, 1001), seconds=2.002),
    "50 a second": Clip(".mp4", fps=Fraction(50)),
    "12 a second": Clip(".mkv", fps=Fraction(12)),
    "wide pixels": Clip(".mp4", shape=Fraction(4, 3), shown=(120, 214)),
    "tall pixels": Clip(".mkv", shape=Fraction(3, 4), shown=(120, 120)),
    "odd sides": Clip(".mkv", "ffv1", pixels="bgr0", size=(121, 161), shown=(122, 162)),
    "fragments": Clip(".mp4", container={"movflags": "frag_keyframe+empty_moov"}),
    "upright from a telephone": Clip(".mp4", shown=(160, 120), shows=EXIF[6], change=noted(6)),
    "mirrored by a front camera": Clip(".mov", shows=EXIF[2], change=noted(2)),
    "lying and mirrored": Clip(".mp4", shown=(160, 120), shows=EXIF[5], change=noted(5)),
    "HD that does not note its colours": Clip(".mp4", size=(720, 1280), matrix=Colorspace.ITU709, fps=Fraction(10)),
    "HD that notes BT.601": Clip(".mkv", size=(720, 1280), tags={"colorspace": 6}, fps=Fraction(10)),
    "SD that notes BT.709": Clip(".mp4", matrix=Colorspace.ITU709, tags={"colorspace": 1}),
    "full range": Clip(".mp4", full_range=True, tags={"color_range": 2}),
    "a recording put behind itself": Clip(".ts", sound=None, parts=3),
    "interlaced": Clip(".mpg", "mpeg2video", "mp2", options={"flags": "+ildct+ilme"}),
    "an index in front": Clip(".mp4", container={"movflags": "faststart"}),
}


@pytest.mark.parametrize("name", CLIPS)
def test_what_goes_in_comes_out(name: str, tmp_path: Path) -> None:
    clip = CLIPS[name]
    film = clip.write(tmp_path / f"a{clip.suffix}")
    out = carried_over(film, tmp_path / "out.mp4")
    assert clip.faults(look(out), None if clip.sound is None else clicks(out)) == []
