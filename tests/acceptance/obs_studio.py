"""Run OBS Studio on a virtual screen and control it over obs-websocket.

OBS writes everything to its own folder and finds a finished setup there, so that no wizard appears. It needs
Debian's obs-studio and xvfb (tools/install_test_tools.sh --obs installs them) and obsws-python, which is in the extra 'dev'.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import select
import shutil
import struct
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import cv2
import numpy as np
import obsws_python

from tests.rtmp_server import free_port

for _name in ("obsws_python", "websocket"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)  # they log every failed call before they raise its error

TOOLS = ("obs", "Xvfb")
START_S = 90.0
SCENE, SOURCE = "Stage", "zoomdream"
PASSWORD = "only for this run"  # OBS ends with the script

GLOBAL = """\
[General]
FirstRun=true
EnableAutoUpdates=false
LastVersion=486539266
InfoIncrement=1000

[BasicWindow]
PreviewEnabled=true
ShowStatusBar=true

[Basic]
Profile=Acceptance
ProfileDir=Acceptance
SceneCollection=Acceptance
SceneCollectionFile=Acceptance
ConfigOnNewProfile=false

[PropertiesWindow]
cx=760
cy=1020

[OBSWebSocket]
FirstLoad=false
ServerEnabled=true
ServerPort={port}
AlertsEnabled=false
AuthRequired=true
ServerPassword={password}
"""
"""Up to OBS 30, obs-websocket's settings are here; later versions have a separate file."""
PROFILE = """\
[General]
Name=Acceptance

[Video]
BaseCX={width}
BaseCY={height}
OutputCX={width}
OutputCY={height}
FPSType=0
FPSCommon={fps}
"""

MEDIA_SOURCE: dict[str, Any] = {
    "is_local_file": False,
    "input_format": "mpegts",
    "buffering_mb": 0,
    "reconnect_delay_sec": 1,
    "ffmpeg_options": "probesize=32768 analyzeduration=300000 fflags=nobuffer",
    "hw_decode": False,
    "clear_on_media_end": False,
    "close_when_inactive": False,
    "restart_on_activate": False,
}
"""Settings of a Media Source from docs/obs.md, without the address; OBS 29 shows a picture 0.3 s after it was made."""


def missing() -> list[str]:
    """Return the programs that are not installed."""
    return [name for name in TOOLS if shutil.which(name) is None]


class Obs:
    """A running OBS with one empty scene."""

    def __init__(self, folder: Path, *, width: int = 640, height: int = 360, fps: int = 30) -> None:
        """Start OBS with its home in ``folder``, and wait until it answers.

        Raises:
            RuntimeError: OBS did not answer within a minute and a half.
        """
        self._port, self._folder = free_port(), folder
        settings = folder / "config" / "obs-studio"
        _write(settings / "global.ini", GLOBAL.format(port=self._port, password=PASSWORD))
        _write(
            settings / "basic" / "profiles" / "Acceptance" / "basic.ini", PROFILE.format(width=width, height=height, fps=fps)
        )
        (settings / "basic" / "scenes").mkdir(parents=True)
        websocket = {
            "first_load": False,
            "server_enabled": True,
            "server_port": self._port,
            "alerts_enabled": False,
            "auth_required": True,
            "server_password": PASSWORD,
        }
        _write(settings / "plugin_config" / "obs-websocket" / "config.json", json.dumps(websocket))
        runtime = folder / "runtime"
        runtime.mkdir(mode=0o700, exist_ok=True)
        self._log = (folder / "obs.log").open("ab")
        self._screen, display = _screen(folder, self._log)
        environment = {
            **{key: value for key, value in os.environ.items() if "proxy" not in key.lower()},
            "HOME": str(folder),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "XDG_RUNTIME_DIR": str(runtime),
            "DISPLAY": display,
            "QT_QPA_PLATFORM": "xcb",
            "LIBGL_ALWAYS_SOFTWARE": "1",
        }
        environment.pop("WAYLAND_DISPLAY", None)
        call = ["obs", "--multi", "--disable-updater", "--disable-missing-files-check", "--minimize-to-tray"]
        self.process = subprocess.Popen(
            call,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )
        try:
            self.client = self._connect()
        except BaseException:
            self.close()
            raise

    def _connect(self) -> obsws_python.ReqClient:
        end_s = time.monotonic() + START_S
        while time.monotonic() < end_s and self.process.poll() is None:
            try:
                client = obsws_python.ReqClient(host="127.0.0.1", port=self._port, password=PASSWORD, timeout=15)
                client.set_current_program_scene(self._scene(client))
            except (OSError, obsws_python.error.OBSSDKError, obsws_python.error.OBSSDKTimeoutError):
                time.sleep(0.5)  # OBS listens before it is ready
                continue
            return client
        raise RuntimeError(f"OBS did not start:\n{self.log()[-3000:]}")

    def _scene(self, client: obsws_python.ReqClient) -> str:
        if SCENE not in [scene["sceneName"] for scene in client.get_scene_list().scenes]:
            client.create_scene(SCENE)
        return SCENE

    @property
    def version(self) -> str:
        """Return the version of OBS."""
        return str(self.client.get_version().obs_version)

    def show(self, url: str, **settings: Any) -> None:
        """Add a Media Source with this address to the scene."""
        self.client.create_input(SCENE, SOURCE, "ffmpeg_source", {**MEDIA_SOURCE, "input": url, **settings}, True)

    def media(self) -> str:
        """Return the state of the Media Source, for example ``OBS_MEDIA_STATE_PLAYING``."""
        return str(self.client.get_media_input_status(SOURCE).media_state)

    def picture(self, source: str = SOURCE) -> np.ndarray | None:
        """Return a screenshot of a source, (h, w, 3) RGB; None while it has no picture."""
        data = self.screenshot(source, "jpg")
        image = None if data is None else cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        return None if image is None else cv2.cvtColor(image, cv2.COLOR_BGR2RGB)

    def screenshot(self, source: str = SOURCE, kind: str = "png") -> bytes | None:
        """Return the screenshot as an image file; JPEG (``jpg``) takes OBS less time than PNG."""
        try:
            told = self.client.get_source_screenshot(source, kind, None, None, 90)
        except obsws_python.error.OBSSDKRequestError:
            return None
        return base64.b64decode(told.image_data.partition(",")[2])

    def photograph(self, path: Path) -> None:
        """Save a PNG file of the virtual screen, without its black margin."""
        image = _framebuffer(self._folder / "Xvfb_screen0")
        rows, columns = (np.flatnonzero(image.any((axis, 2))) for axis in (1, 0))
        cv2.imwrite(str(path), image[: rows[-1] + 1, : columns[-1] + 1])

    def log(self) -> str:
        """Return the output of OBS so far."""
        return (self._folder / "obs.log").read_text(errors="replace")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End OBS and its screen."""
        if hasattr(self, "client"):
            self.client.disconnect()
        for process in (self.process, self._screen):
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)
        self._log.close()


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _framebuffer(path: Path) -> np.ndarray:
    """Read Xvfb's screen from its window dump (XWD); (h, w, 3) BGR."""
    data = path.read_bytes()
    header, _, _, _, width, height, _, _, _, _, _, bits, line, *rest = struct.unpack(">25I", data[:100])
    assert bits == 32, f"{bits} bits per pixel"
    pixels = np.frombuffer(data, np.uint8, height * line, header + rest[6] * 12)
    return pixels.reshape(height, line // 4, 4)[:, :width, :3].copy()


def _screen(folder: Path, log: Any) -> tuple[subprocess.Popen[bytes], str]:
    """Start Xvfb on a free display, with its screen in ``folder``; return the process and the display's name."""
    end, theirs = os.pipe()
    call = ["Xvfb", "-displayfd", str(theirs), "-screen", "0", "1280x1024x24", "-fbdir", str(folder), "-nolisten", "tcp"]
    process = subprocess.Popen(
        call, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=(theirs,), start_new_session=True
    )
    os.close(theirs)
    number = b""
    try:
        while not number.endswith(b"\n") and select.select([end], [], [], START_S)[0]:
            if not (piece := os.read(end, 16)):
                break
            number += piece
    finally:
        os.close(end)
    if not number.endswith(b"\n"):
        process.kill()
        process.wait(10)
        raise RuntimeError("Xvfb did not start")
    return process, f":{number.decode().strip()}"
