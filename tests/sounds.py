"""Sounds and sound files for tests, and a radio station on the loopback that misbehaves the way a test wants."""

from __future__ import annotations

import contextlib
import io
import socket
import ssl
import threading
import wave
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

RATE = 48000
CODECS = {
    ".mp3": ("libmp3lame", "fltp", "mp3"),
    ".flac": ("flac", "s16", "flac"),
    ".ogg": ("vorbis", "fltp", "ogg"),
    ".opus": ("libopus", "flt", "ogg"),
    ".m4a": ("aac", "fltp", "mp4"),
    ".aac": ("aac", "fltp", "adts"),
}


def sine(seconds: float, hz: float = 440.0, peak: float = 0.5, rate: int = RATE, start_s: float = 0.0) -> np.ndarray:
    """Return a sine tone on both channels: (n, 2) float32."""
    t = np.arange(round(seconds * rate)) / rate + start_s
    return np.repeat((peak * np.sin(2 * np.pi * hz * t)).astype(np.float32)[:, None], 2, axis=1)


def click(rate: int = RATE) -> np.ndarray:
    """Return the tick of a metronome, 30 ms of 1 kHz: (n,) float64."""
    t = np.arange(round(0.03 * rate)) / rate
    return np.asarray(0.8 * np.sin(2 * np.pi * 1000 * t) * np.exp(-t / 0.006))


def kick(rate: int = RATE) -> np.ndarray:
    """Return a bass drum, which falls to 50 Hz and rings for a quarter of a second: (n,) float64."""
    t = np.arange(round(0.25 * rate)) / rate
    return np.asarray(0.7 * np.sin(2 * np.pi * (50 * t + 2.5 * (1 - np.exp(-t / 0.02)))) * np.exp(-t / 0.08))


def hat(rate: int = RATE) -> np.ndarray:
    """Return a closed hi-hat, a hiss of 40 ms: (n,) float64."""
    t = np.arange(round(0.04 * rate)) / rate
    hiss = np.diff(np.random.default_rng(3).standard_normal(len(t) + 1))
    return np.asarray(0.12 * hiss * np.exp(-t / 0.01))


def strokes(seconds: float, times_s: Iterable[float], sound: np.ndarray, rate: int = RATE) -> np.ndarray:
    """Return a sound repeated at the given times: (n, 2) float32."""
    track = np.zeros(round(seconds * rate) + len(sound))
    for time_s in times_s:
        at = round(time_s * rate)
        track[at : at + len(sound)] += sound
    return stereo(track[: round(seconds * rate)])


def beats_at(seconds: float, bpm: float, first_s: float = 0.7) -> list[float]:
    """Return the times of beats, in seconds, up to a little before the end."""
    return [float(time_s) for time_s in np.arange(first_s, seconds - 0.3, 60 / bpm)]


def pink(seconds: float, level_db: float, rate: int = RATE, seed: int = 0) -> np.ndarray:
    """Return noise, equally loud in each octave and faded in, with an RMS of ``level_db`` dBFS: (n, 2) float32."""
    chance, count = np.random.default_rng(seed), round(seconds * rate)
    hz = np.maximum(np.fft.rfftfreq(count, 1 / rate), 20.0)
    noise = np.fft.irfft((chance.standard_normal(len(hz)) + 1j * chance.standard_normal(len(hz))) / np.sqrt(hz), count)
    return stereo(noise / noise.std() * 10 ** (level_db / 20) * _faded_in(count, rate))


def pad(seconds: float, peak: float = 0.2, rate: int = RATE) -> np.ndarray:
    """Return a chord of three notes with vibrato, held and faded in: (n, 2) float32."""
    count = round(seconds * rate)
    t = np.arange(count) / rate
    vibrato = 0.3 * np.sin(2 * np.pi * 5 * t)
    notes = [np.sin(2 * np.pi * hz * part * t + part * vibrato) / part for hz in (220.0, 277.2, 329.6) for part in (1, 2, 3)]
    chord = np.sum(notes, axis=0)
    return stereo(peak * chord / np.abs(chord).max() * _faded_in(count, rate))


def stereo(samples: np.ndarray) -> np.ndarray:
    """Return mono samples (n,) as (n, 2) float32, the same on both channels."""
    return np.repeat(samples.astype(np.float32)[:, None], 2, axis=1)


def _faded_in(count: int, rate: int) -> np.ndarray:
    return np.minimum(1.0, np.arange(count) / rate / 0.4)


def pitch(samples: np.ndarray, rate: int = RATE) -> float:
    """Return the strongest frequency of the left channel, in Hz."""
    left = samples[:, 0] * np.hanning(len(samples))
    return float(np.fft.rfftfreq(len(left), 1 / rate)[np.abs(np.fft.rfft(left)).argmax()])


def write_sound(path: Path, samples: np.ndarray, rate: int = RATE) -> Path:
    """Write a sound file; its suffix sets the format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(sound_bytes(path.suffix, samples, rate))
    return path


def sound_bytes(ending: str, samples: np.ndarray, rate: int = RATE) -> bytes:
    file = io.BytesIO()
    if ending == ".wav":
        with wave.open(file, "wb") as out:
            out.setnchannels(samples.shape[1])
            out.setsampwidth(2)
            out.setframerate(rate)
            out.writeframes((samples * 32767).round().astype("<i2").tobytes())
        return file.getvalue()
    name, kind, container_name = CODECS[ending]
    with av.open(file, "w", format=container_name) as container:
        stream = container.add_stream(name, rate=rate)
        stream.layout, stream.format = "stereo", kind
        stream.bit_rate = 192_000
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples.T, np.float32), format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        stream.codec_context.options = {"strict": "experimental"}  # for FFmpeg's own Vorbis
        stream.codec_context.open()
        resampler = av.AudioResampler(
            format=kind, layout="stereo", rate=rate, frame_size=stream.codec_context.frame_size or 1024
        )
        for part in (*resampler.resample(frame), *resampler.resample(None)):
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return file.getvalue()


Answer = Callable[[socket.socket, bytes], None]
"""Gets a connection and the request's head; a connection that it leaves open stays open until the server closes."""


class RadioServer:
    """A server on a free port of the loopback. Each connection gets the next answer; the last answer repeats."""

    def __init__(self, *answers: Answer, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._answers = list(answers)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.requests: list[bytes] = []
        """The heads of the requests so far."""
        self._open: list[socket.socket] = []
        self._closed = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def url(self, path: str = "/live.mp3") -> str:
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}{path}"

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)  # after this, the list has the last connection
        with self._lock:
            self._closed = True
            connections = self._open
        for each in connections:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _keep(self, connection: socket.socket) -> None:
        """Close a connection together with the server, or immediately if the server is closed already."""
        with self._lock:
            if not self._closed:
                self._open.append(connection)
                return
        connection.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):  # the listener is closed
            while True:
                connection, _ = self._listener.accept()
                self._keep(connection)
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):  # the listener hung up
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
                self._keep(connection)
            head = b""
            while b"\r\n\r\n" not in head:
                data = connection.recv(4096)
                if not data:
                    return
                head += data
            self.requests.append(head)
            answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
            answer(connection, head)


@contextlib.contextmanager
def radio_server(*answers: Answer, tls: ssl.SSLContext | None = None) -> Iterator[RadioServer]:
    server = RadioServer(*answers, tls=tls)
    try:
        yield server
    finally:
        server.close()


def sends(
    body: bytes, *headers: str, status: str = "HTTP/1.0 200 OK", then: Callable[[socket.socket], None] | None = None
) -> Answer:
    """Return an answer that sends this response and then hangs up or calls ``then``."""

    def answer(connection: socket.socket, _head: bytes) -> None:
        connection.sendall("\r\n".join((status, *headers, "", "")).encode() + body)
        if then is not None:
            then(connection)
        else:
            connection.close()

    return answer


def stays_silent(_connection: socket.socket, _head: bytes = b"") -> None:
    """Keep the connection open and say nothing."""
