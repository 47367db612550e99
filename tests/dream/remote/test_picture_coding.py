"""Pictures that are encoded, cross a network and are decoded."""

import cv2
import numpy as np
import pytest

from streamer.dream.sources.noise import noise
from streamer.dream.worker.remote.picture_coding import (
    CodedPicture,
    Coding,
    PictureDecoder,
    PictureEncoder,
    Undecodable,
    encode_independently,
)

FILM = Coding("h264", 0, 2_000_000, 25.0)
SIZES = [(72, 128), (71, 129)]
"""The second has odd sides, unlike halved colour."""


def dream(size, moved=0):
    clouds = np.clip(noise((size[0] + 64, size[1] + 64), np.random.default_rng(3), 40.0), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(cv2.GaussianBlur(clouds, (0, 0), 1.0)[moved : moved + size[0], moved : moved + size[1]])


def apart(one, other):
    """Return the mean absolute difference in levels."""
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


@pytest.mark.parametrize("size", SIZES)
def test_plain_pictures_are_the_same_to_the_last_bit(size):
    coded = PictureEncoder()(dream(size), Coding("none"))
    assert coded.exact
    assert (PictureDecoder()(coded) == dream(size)).all()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("coding", "most"), [(Coding("jpeg", 95), 2.0), (Coding("jpeg", 80), 5.0), (FILM, 6.0)])
def test_others_are_alike(size, coding, most):
    coded = PictureEncoder()(dream(size), coding)
    assert (coded.kind, coded.exact, coded.key) == (coding.kind, False, True)
    assert len(coded.data) < dream(size).nbytes / 2
    opened = PictureDecoder()(coded)
    assert (opened.shape, opened.dtype) == ((*size, 3), np.uint8)
    assert apart(opened, dream(size)) < most


def test_colours_keep_their_places():
    red = np.zeros((64, 64, 3), np.uint8)
    red[..., 0] = 200
    for coding in (Coding("jpeg", 90), FILM):
        mean = PictureDecoder()(PictureEncoder()(red, coding)).reshape(-1, 3).mean(axis=0)
        assert mean == pytest.approx([200, 0, 0], abs=4), coding.kind


def test_a_film_says_only_what_changed():
    pack, unpack, sizes = PictureEncoder(), PictureDecoder(), []
    for moved in range(8):
        coded = pack(dream((72, 128), moved // 4), FILM)
        sizes.append(len(coded.data))
        assert coded.key == (moved == 0)
        assert apart(unpack(coded), dream((72, 128), moved // 4)) < 6.0, "each picture comes out at once"
    assert max(sizes[1:4]) < sizes[0] / 2


@pytest.mark.parametrize("change", ["size", "rate", "run", "kind"])
def test_the_h264_video_restarts_where_something_changes(change):
    pack, unpack = PictureEncoder(), PictureDecoder()
    unpack(pack(dream((72, 128)), FILM))
    assert not pack(dream((72, 128)), FILM).key
    size, coding = (90, 160) if change == "size" else (72, 128), FILM
    if change == "rate":
        coding = Coding("h264", 0, 1_000_000, 25.0)
    elif change == "run":
        coding = Coding("h264", 0, 2_000_000, 25.0, 1)
    elif change == "kind":
        unpack(pack(dream(size), Coding("jpeg", 90)))
    coded = pack(dream(size), coding)
    assert coded.key
    assert apart(unpack(coded), dream(size)) < 6.0


def test_after_a_loss_only_a_new_run_can_be_opened():
    pack, unpack = PictureEncoder(), PictureDecoder()
    pack(dream((72, 128)), FILM)  # never arrives
    with pytest.raises(Undecodable, match="depends on a picture that never arrived"):
        unpack(pack(dream((72, 128)), FILM))
    unpack(pack(dream((72, 128)), Coding("h264", 0, 2_000_000, 25.0, 1)))


@pytest.mark.parametrize("kind", ["none", "jpeg", "h264"])
@pytest.mark.parametrize("data", [b"", b"no picture", b"\xff\xd8\xff\xe0 broken"])
def test_broken_data_is_refused(kind, data):
    with pytest.raises(Undecodable):
        PictureDecoder()(CodedPicture(kind, (72, 128), data))


def test_a_picture_of_an_unexpected_size_is_refused():
    coded = encode_independently(dream((72, 128)), Coding("jpeg", 90))
    with pytest.raises(Undecodable, match="not a JPEG of 64x36"):
        CodedPicture("jpeg", (36, 64), coded.data).opened()


def test_what_has_to_stand_alone_does_beside_a_film():
    assert encode_independently(dream((72, 128)), FILM).kind == "jpeg"
    assert encode_independently(dream((72, 128)), Coding("none")).exact


@pytest.mark.parametrize(
    ("coding", "text"), [(Coding("none"), "none"), (Coding("jpeg", 90), "jpeg 90"), (FILM, "h264 2 Mbit/s")]
)
def test_codings_in_words(coding, text):
    assert str(coding) == text
