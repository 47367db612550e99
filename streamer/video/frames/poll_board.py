"""The poll board: the choices with their votes, drawn into the top left of finished frames.

    Vote by number           24 s
    1 red fox███████████████   12
    2 pizza██                   5
    3 castle                    2

The thread that brings the votes draws it, once a second; the frame thread only composites it.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageDraw

from streamer.messages.viewer_polls import Poll, PollState
from streamer.video.frames.captions import SAFE
from streamer.video.frames.lettering import Lettering

SIZE = 0.034
"""Em size of the letters, as a fraction of the video's height."""
WIDTH = 0.42
"""Width of the board, as a fraction of the video's width; at least twelve ems."""
GROUND, GROUND_OPACITY = (12, 11, 16), 0.66
INK, FAINT = (255, 255, 255), (214, 208, 200)
BAR, LEADING = (84, 78, 88), (156, 110, 48)
"""Colours of the bars: of most choices, and of the leading one."""
FADE_S = 0.4
STALL_S = 0.5
"""Longest time step of a fade, in seconds."""


@dataclass(frozen=True, slots=True, eq=False)
class _Laid:
    """The board, ready to be composited over frames."""

    ink: np.ndarray
    """(h, w, 3) uint8 RGB, premultiplied by its opacity."""
    rest: np.ndarray
    """(h, w, 3) uint8, how much of the frame remains: 255 minus the opacity."""


class PollBoard:
    """Draws the poll. ``show`` belongs to one thread, ``draw`` to another."""

    def __init__(self, size: tuple[int, int]) -> None:
        """Prepare for frames of ``size``, (height, width)."""
        self._height, self._width = size
        self._letters = Lettering(round(self._height * SIZE))
        self._drawn_for: object = None
        self._labels: tuple[str, tuple[Image.Image | None, ...]] = ("", ())
        """A poll's id, and the rendered lines of its choices."""
        self._laid: _Laid | None = None
        """Set by one thread and read by the other, always as a whole."""
        self._shown: _Laid | None = None
        self._opacity = 0.0
        self._now_s: float | None = None

    def show(self, poll: Poll | None) -> None:
        """Update the poll; it is redrawn once a second, however many votes come, and when it ends."""
        wanted = None if poll is None else (poll.id, poll.state, round(poll.left_s))
        if wanted != self._drawn_for:
            self._drawn_for = wanted
            self._laid = None if poll is None or poll.state is PollState.CANCELLED else self._make(poll)

    def draw(self, image: np.ndarray, now_s: float) -> np.ndarray:
        """Draw the board over a frame, fading in and out.

        Args:
            image: (h, w, 3) uint8 RGB; not changed.
            now_s: time of the frame in seconds.

        Returns:
            (h, w, 3) uint8 RGB: a new picture, or ``image`` itself if there is nothing to draw.
        """
        step_s = 0.0 if self._now_s is None else min(max(0.0, now_s - self._now_s), STALL_S)
        self._now_s = now_s
        laid = self._laid
        self._opacity = min(1.0, max(0.0, self._opacity + (step_s if laid is not None else -step_s) / FADE_S))
        self._shown = laid or self._shown
        if self._shown is None or self._opacity == 0.0:
            return image
        ink, rest = self._shown.ink, self._shown.rest
        if self._opacity < 1.0:
            ink = cv2.convertScaleAbs(ink, alpha=self._opacity)
            rest = cv2.convertScaleAbs(rest, alpha=self._opacity, beta=255 * (1 - self._opacity))
        result = image.copy()
        x, y = round(self._width * SAFE), round(self._height * SAFE)
        part = result[y : y + ink.shape[0], x : x + ink.shape[1]]
        part[:] = cv2.add(cv2.multiply(part, rest, scale=1 / 255), ink)
        return result

    def _make(self, poll: Poll) -> _Laid:
        em = self._letters.size_px
        width = min(max(round(self._width * WIDTH), 12 * em), round(self._width * (1 - 2 * SAFE)))
        pad, row = em // 2, round(em * 1.5)
        label_px = width - 2 * pad - round(3.5 * em)
        height = min(2 * pad + row * (len(poll.choices) + 1), round(self._height * (1 - 2 * SAFE)))
        board = Image.new("RGBA", (width, height), (*GROUND, round(255 * GROUND_OPACITY)))
        brush = ImageDraw.Draw(board)
        self._put(board, self._heading(poll), pad, pad, width - 2 * pad - 3 * em, FAINT)
        if poll.state is PollState.OPEN:
            self._put(board, f"{poll.left_s:.0f} s", pad, pad, width - 2 * pad, FAINT, right=True)
        if self._labels[0] != poll.id:
            words = (f"{choice.number}  {choice.title}" for choice in poll.choices)
            self._labels = poll.id, tuple(self._letters.line(text, label_px, INK) for text in words)
        most = max((choice.votes for choice in poll.choices), default=0)
        for place, (choice, label) in enumerate(zip(poll.choices, self._labels[1], strict=True), 1):
            y = pad + place * row
            leads = choice.number == poll.winner if poll.winner else bool(most) and choice.votes == most
            if choice.votes:
                end = pad // 2 + max(2, round((width - pad) * choice.votes / most))
                brush.rectangle((pad // 2, y - em // 8, end, y + round(1.2 * em)), fill=(*(LEADING if leads else BAR), 255))
            if label is not None:
                board.alpha_composite(label, (pad, y))
            self._put(board, f"{choice.votes}", pad, y, width - 2 * pad, INK, right=True)
        return _laid(board)

    def _heading(self, poll: Poll) -> str:
        if poll.state is PollState.OPEN:
            return "Vote by number"
        winner = next((choice.title for choice in poll.choices if choice.number == poll.winner), None)
        return f"{winner} wins" if winner else "Nobody voted"

    def _put(
        self, board: Image.Image, text: str, x: int, y: int, width: int, colour: tuple[int, int, int], *, right: bool = False
    ) -> None:
        line = self._letters.line(text, width, colour)
        if line is not None:
            board.alpha_composite(line, (max(0, x + width - line.width) if right else x, y))


def _laid(board: Image.Image) -> _Laid:
    pixels = np.asarray(board, np.float32)
    opacity = pixels[..., 3:] / 255
    ink = np.rint(pixels[..., :3] * opacity).astype(np.uint8)
    rest = np.repeat(np.rint(255 * (1 - opacity)).astype(np.uint8), 3, 2)
    return _Laid(np.ascontiguousarray(ink), np.ascontiguousarray(rest))
