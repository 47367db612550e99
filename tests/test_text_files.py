import pytest

from streamer.text_files import decoded


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_marks_go(encoding):
    assert decoded("seed: 5 # é🌋\n".encode(encoding)) == "seed: 5 # é🌋\n"
    assert decoded(b"\xfe\xff" + "é".encode("utf-16-be")) == "é"


@pytest.mark.parametrize("data", [b"\xff\xfe\x00", b"\xef\xbb\xbf\xff", "é".encode("latin-1")])
def test_what_is_no_text_is_an_error(data):
    with pytest.raises(UnicodeDecodeError):
        decoded(data)
