import hashlib
import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from operator import attrgetter

import pytest
import torch
from safetensors.torch import save_file

from streamer.dream.networks.download import DownloadError, download
from streamer.dream.networks.registry import ARCHITECTURES
from streamer.dream.networks.torchvision_import import torchvision
from streamer.dream.networks.weights import NetworkError, fetch, read_weights
from tests.patience import PATIENCE_S

BODY = bytes(range(256)) * 2000  # 512 kB
DIGITS = hashlib.sha256(BODY).hexdigest()[:8]
NAME = f"vgg16-{DIGITS}.pth"


class FakeHost(ThreadingHTTPServer):
    """Serves ``body``; can break off, stall, refuse or ignore ranges."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.body, self.ranges = BODY, True
        self.break_after: list[int] = []
        """For each next answer, the bytes after which the connection ends."""
        self.stall_after: int | None = None
        self.status: int | None = None
        self.asked: list[str | None] = []
        """The Range header of each request."""
        self.released = threading.Event()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/models/{NAME}"


class Handler(BaseHTTPRequestHandler):
    server: FakeHost

    def do_GET(self):
        host = self.server
        span = self.headers.get("Range")
        host.asked.append(span)
        if host.status:
            self.send_error(host.status)
            return
        start = int(span.removeprefix("bytes=").rstrip("-")) if span and host.ranges else 0
        if start >= len(host.body):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(host.body)}")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(host.body) - 1}/{len(host.body)}")
        self.send_header("Content-Length", str(len(host.body) - start))
        self.end_headers()
        stop = host.break_after.pop(0) if host.break_after else len(host.body)
        if host.stall_after is not None:
            self.wfile.write(host.body[start : host.stall_after])
            self.wfile.flush()
            host.released.wait(PATIENCE_S)
            return
        self.wfile.write(host.body[start : start + stop])

    def log_message(self, *_):
        pass


@contextmanager
def serving():
    host = FakeHost()
    thread = threading.Thread(target=host.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield host
    finally:
        host.released.set()
        host.shutdown()
        host.server_close()
        thread.join()
        for transfer in threading.enumerate():
            if transfer.name == "download":
                transfer.join(PATIENCE_S)
                assert not transfer.is_alive()


@pytest.fixture
def host():
    with serving() as host:
        yield host


@pytest.fixture
def target(tmp_path):
    return tmp_path / "cache" / NAME


def part_of(target):
    return target.with_name(target.name + ".part")


def test_full(host, target):
    told = []
    download(host.url, target, progress=lambda *at: told.append(at))
    assert target.read_bytes() == BODY
    assert not part_of(target).exists()
    assert told[-1] == (len(BODY), len(BODY))


def test_resumed_from_an_earlier_try(host, target):
    target.parent.mkdir()
    part_of(target).write_bytes(BODY[:1000])
    download(host.url, target)
    assert target.read_bytes() == BODY
    assert host.asked == ["bytes=1000-"]


def test_a_broken_connection_is_taken_up_again(host, target):
    host.break_after = [100_000, 70_000]
    download(host.url, target)
    assert target.read_bytes() == BODY
    assert host.asked == [None, "bytes=100000-", "bytes=170000-"]


def test_a_server_without_ranges_starts_over(host, target):
    host.ranges = False
    host.break_after = [100_000]
    download(host.url, target)
    assert target.read_bytes() == BODY
    assert host.asked == [None, "bytes=100000-"]


def test_truncated_for_ever(host, target):
    host.break_after = [1000] + [0] * 10
    with pytest.raises(DownloadError, match="the connection ended after 1000 of 512000 bytes"):
        download(host.url, target)
    assert part_of(target).stat().st_size == 1000
    assert not target.exists()


def test_a_complete_part_is_only_checked(host, target):
    target.parent.mkdir()
    part_of(target).write_bytes(BODY)
    download(host.url, target)
    assert target.read_bytes() == BODY


@pytest.mark.parametrize("junk", [b"x" * 1000, BODY + b"x"])
def test_a_damaged_part_is_thrown_away(junk, host, target):
    target.parent.mkdir()
    part_of(target).write_bytes(junk)
    download(host.url, target)
    assert target.read_bytes() == BODY


def test_wrong_hash(host, target):
    host.body = b"another file"
    with pytest.raises(DownloadError, match=rf"damaged or another file: its hash is [0-9a-f]{{16}}…, not {DIGITS}…"):
        download(host.url, target)
    assert list(target.parent.iterdir()) == []


def test_not_found(host, target):
    host.status = 404
    with pytest.raises(DownloadError, match=rf"{NAME}: the server answered 404 Not Found$"):
        download(host.url, target)


def test_stalled(host, target):
    host.stall_after = 1000
    with pytest.raises(DownloadError, match=r"the server has been silent for 0\.2 s$"):
        download(host.url, target, silence_s=0.2)
    host.stall_after = None
    download(host.url, target)
    assert host.asked[-1] == "bytes=1000-"


def test_too_slow(host, target):
    host.stall_after = 1000
    failure = r"takes longer than 0\.1 s; the 0\.0 MB received so far are kept for the next attempt$"
    with pytest.raises(DownloadError, match=failure):
        download(host.url, target, limit_s=0.1)


def test_server_gone(target):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(DownloadError, match="Connection refused"):
        download(f"http://127.0.0.1:{port}/{NAME}", target)


def test_no_place_to_write(host, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DownloadError, match="file"):
        download(host.url, tmp_path / "file" / NAME)


def test_fetch_downloads_once_and_then_takes_the_cache(host, tmp_path):
    file = fetch("vgg16", "VGG16_Weights", cache=tmp_path, url=host.url)
    assert (file, file.read_bytes()) == (tmp_path / NAME, BODY)
    assert fetch("vgg16", "VGG16_Weights", cache=tmp_path, limit_s=0) == file
    assert len(host.asked) == 1


def test_fetch_says_why_not(host, tmp_path):
    host.status = 503
    with pytest.raises(NetworkError, match="the server answered 503"):
        fetch("vgg16", "VGG16_Weights", cache=tmp_path, url=host.url, progress=lambda *_: None)
    with pytest.raises(NetworkError, match=r"'network\.download_s' is 0"):
        fetch("vgg16", "VGG16_Weights", cache=tmp_path, limit_s=0)


@pytest.mark.parametrize("architecture", [each for each in ARCHITECTURES.values() if each.torchvision], ids=attrgetter("name"))
def test_torchvisions_addresses_have_the_expected_form(architecture):
    url = getattr(torchvision().models, architecture.torchvision).IMAGENET1K_V1.url
    assert url.startswith("https://")
    assert url.rpartition("/")[2].startswith(f"{architecture.name}-")


def test_torchvision_is_imported_once():
    assert torchvision() is torchvision()


def test_read_both_forms(tmp_path):
    tensors = {"a": torch.arange(3.0)}
    save_file(tensors, tmp_path / "a.safetensors", {"k": "v"})
    torch.save(tensors, tmp_path / "a.pth")
    torch.save({"state_dict": tensors, "epoch": 3}, tmp_path / "b.pt")
    for name, metadata in (("a.safetensors", {"k": "v"}), ("a.pth", {}), ("b.pt", {})):
        found, about = read_weights(tmp_path / name)
        assert list(found) == ["a"]
        assert torch.equal(found["a"], tensors["a"])
        assert about == metadata


class Evil:
    def __reduce__(self):
        return print, ("run from a weights file",)


def test_unreadable_files_are_named(tmp_path, capsys):
    save_file({"a": torch.arange(300.0)}, tmp_path / "whole.safetensors")
    torch.save({"a": torch.arange(300.0)}, tmp_path / "whole.pth")
    for kind in ("safetensors", "pth"):
        data = (tmp_path / f"whole.{kind}").read_bytes()
        (tmp_path / f"cut.{kind}").write_bytes(data[: len(data) // 2])
        (tmp_path / f"empty.{kind}").touch()
        (tmp_path / f"text.{kind}").write_text("<html>not found</html>")
    torch.save([1], tmp_path / "list.pth")
    torch.save({"a": Evil()}, tmp_path / "evil.pth")
    (tmp_path / "weights.h5").touch()
    (tmp_path / "folder.pth").mkdir()
    for name, why in {
        "cut.safetensors": "damaged",
        "empty.safetensors": "damaged",
        "text.safetensors": "damaged",
        "cut.pth": "damaged",
        "empty.pth": "damaged",
        "text.pth": "damaged",
        "list.pth": "holds a list, not named tensors",
        "evil.pth": "holds no named tensors",
        "weights.h5": r"weights come as \.safetensors, \.pth, \.pt or \.ckpt",
        "none.pth": "there is no such file",
        "folder.pth": "cannot be read",
    }.items():
        with pytest.raises(NetworkError, match=rf"{name}: .*{why}") as caught:
            read_weights(tmp_path / name)
        assert "\n" not in str(caught.value)
    assert capsys.readouterr().out == ""
