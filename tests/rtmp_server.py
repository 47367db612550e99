"""A real RTMP server on the loopback for tests: nginx with its RTMP module, its own configuration and its own folder."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.patience import PATIENCE_S

KEY = "live_canary_4fLz81QxTw"
"""The stream key that the server accepts unless others are given."""
MODULES = (
    "/usr/lib/nginx/modules/ngx_rtmp_module.so",
    "/usr/lib64/nginx/modules/ngx_rtmp_module.so",
    "/usr/local/libexec/nginx/ngx_rtmp_module.so",
)

_CONFIG = """\
{user}
load_module {module};
daemon off;
master_process off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log info;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{http_port};
        location = /publish {{
            set $allowed 0;
{rules}
            if ($allowed = 0) {{ return 403; }}
            return 200;
        }}
    }}
}}
rtmp {{
    access_log {folder}/rtmp.log;
    server {{
        listen 127.0.0.1:{port};
        chunk_size 4096;
        ping 30s;
        ping_timeout 10s;
        application live {{
            live on;
            wait_key on;
            notify_method get;
            on_publish http://127.0.0.1:{http_port}/publish;
            {record}
        }}
    }}
}}
"""


def missing() -> str | None:
    """Return what the machine lacks to run the server; None when it has everything."""
    if _nginx() is None:
        return "nginx is not installed"
    if _module() is None:
        return "nginx has no RTMP module (Debian: libnginx-mod-rtmp)"
    return None


def _nginx() -> str | None:
    return shutil.which("nginx") or next(
        (path for path in ("/usr/sbin/nginx", "/usr/local/sbin/nginx") if Path(path).exists()), None
    )


def _module() -> str | None:
    return next((path for path in MODULES if Path(path).exists()), None)


def free_port() -> int:
    """Return a TCP port of the loopback that is free at the moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class RtmpServer:
    """Accepts streams that are published at ``url`` with one of ``keys``, and serves them at ``stream(key)``.

    Use it as a context manager. ``kill`` and then ``start`` imitate a server that dies and comes back at the same address.
    """

    def __init__(self, folder: Path, *, keys: tuple[str, ...] = (KEY,), record: bool = False) -> None:
        """Prepare a server that keeps its files in ``folder``; with ``record``, it also records streams there, as FLV."""
        self.folder = folder / "rtmp"
        self.port, self._http_port = free_port(), free_port()
        self.url = f"rtmp://127.0.0.1:{self.port}/live"
        """The address to publish to, without the key."""
        self.keys, self._record = keys, record
        self._process: subprocess.Popen[bytes] | None = None

    def stream(self, key: str = KEY) -> str:
        """Return the address to read a stream from."""
        return f"{self.url}/{key}"

    def recordings(self) -> list[Path]:
        """Return all recordings, oldest first."""
        return sorted(self.folder.glob("*.flv"), key=lambda path: path.stat().st_mtime_ns)

    def wait_for_end(self, streams: int = 1) -> None:
        """Wait until so many published streams have ended and their recordings are complete; otherwise raise TimeoutError."""
        end_s = time.monotonic() + PATIENCE_S
        log = self.folder / "rtmp.log"
        while not log.exists() or log.read_text(errors="replace").count(" PUBLISH ") < streams:
            if time.monotonic() > end_s:
                raise TimeoutError(f"{streams} streams have not ended within {PATIENCE_S:.0f} s:\n{self.log()}")
            time.sleep(0.02)

    def log(self) -> str:
        """Return what the server has logged so far."""
        texts = [
            path.read_text(errors="replace") for path in (self.folder / "error.log", self.folder / "rtmp.log") if path.exists()
        ]
        return "\n".join(texts)

    def start(self) -> None:
        """Start the server and wait until it accepts connections; raise RuntimeError if it does not."""
        assert self._process is None
        reason = missing()
        if reason is not None:
            raise RuntimeError(reason)
        self.folder.mkdir(parents=True, exist_ok=True)
        rules = "\n".join(f'            if ($arg_name = "{key}") {{ set $allowed 1; }}' for key in self.keys)
        record = (
            f"record all; record_path {self.folder}; record_unique on; record_suffix -%s.flv;"
            if self._record
            else "record off;"
        )
        config = self.folder / "nginx.conf"
        config.write_text(
            _CONFIG.format(
                user="user root;" if os.geteuid() == 0 else "",
                module=_module(),
                folder=self.folder,
                port=self.port,
                http_port=self._http_port,
                rules=rules,
                record=record,
            )
        )
        nginx = _nginx()
        assert nginx is not None
        with (self.folder / "output.txt").open("ab") as output:
            self._process = subprocess.Popen(
                [*_ends_with_us(), nginx, "-p", str(self.folder), "-c", str(config), "-e", str(self.folder / "error.log")],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        end_s = time.monotonic() + PATIENCE_S
        while not (_answers(self.port) and _answers(self._http_port)):
            if self._process.poll() is not None or time.monotonic() > end_s:
                said = (self.folder / "output.txt").read_text(errors="replace")
                self.kill()
                raise RuntimeError(f"nginx did not start: {said}{self.log()}")
            time.sleep(0.02)

    def kill(self) -> None:
        """Kill the server; its connections are reset."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Stop the server; its connections are closed."""
        self._end(signal.SIGTERM)

    def pause(self) -> None:
        """Stop reading but keep connections open, like a machine that hangs; ``go_on`` ends the pause."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """End a pause."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(number)
        process.send_signal(signal.SIGCONT)
        try:
            process.wait(120)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(120)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.kill()


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1.0):
        return True
    return False


def _ends_with_us() -> list[str]:
    """Return the command that starts a program so that it dies when the tests are killed (Linux's PR_SET_PDEATHSIG).

    It is a separate program: ``preexec_fn`` runs Python between fork and exec, where a lock that another thread held is
    never released.
    """
    if sys.platform != "linux":
        return []
    code = f"import ctypes, os, sys; ctypes.CDLL(None).prctl(1, {int(signal.SIGKILL)}); os.execv(sys.argv[1], sys.argv[1:])"
    return [sys.executable, "-I", "-S", "-c", code]
