"""Saves dreams when they go off air, and clips on demand. The frame thread never waits for it."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Protocol

import numpy as np

from shared.clean import clean_name
from streamer.config import AlbumConfig
from streamer.loop import Loop
from streamer.messages.album_entry import AlbumEntry
from streamer.messages.keyframes import Frame, Keyframe
from streamer.messages.refused import Reason, Refused
from streamer.messages.scenes import Scene, Target
from streamer.video.album.album_files import ERRORS, jpeg, small_jpeg, write_clip
from streamer.video.album.album_folder import ID, AlbumFolder, FileKind, new_id
from streamer.video.album.clip_buffer import ClipBuffers, Cut
from streamer.video.album.gifs import Gifs
from streamer.video.album.on_air_tracker import AiredDream, OnAirTracker

log = logging.getLogger(__name__)

LOOK_S = 0.25
"""Seconds between checks for dreams that went off air."""
ENCODED_S = 2.0
"""Seconds after which a dream's last frame is encoded, if at all. Its packets stay longer (``clip_buffer.SLACK_S``)."""
LEAVING = 8
"""Dreams that went off air and are not saved yet. When full: the oldest is dropped, and the log says so."""
SHORTEST_S = 3.0
"""Least seconds on air for a dream to be saved."""
BEHIND_S = 2.0
"""Greatest age of a live clip's end, in seconds; if it is older, nothing was encoded recently."""
AGAIN_S = 5.0
"""Seconds in which a second request to clip the same dream returns the first clip."""
NAMELESS = "someone"
"""Replaces a name with nothing readable in it."""


class Blocks(Protocol):
    """What moderators and settings block."""

    def blocks(self, user: str, text: str, targets: Sequence[Target], /) -> bool:
        """Return whether anything about a request is blocked."""


class Album:
    """Past dreams. Thread-safe; ``frame`` never waits for a disk."""

    def __init__(
        self,
        config: AlbumConfig,
        folder: Path,
        clip_buffers: ClipBuffers | None,
        blocks: Callable[[], Blocks],
        fps: int,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """Load what an earlier run saved.

        Args:
            clip_buffers: where clips are cut from; None: there are no clips.
            blocks: returns the current blocks, the same object until they change; blocked dreams are not shown.
            fps: frame rate.
            wall: returns the Unix time in seconds.
        """
        self._config, self._clip_buffers, self._blocks, self._fps = config, clip_buffers, blocks, fps
        self._clock, self._wall = clock, wall
        self._folder = AlbumFolder(folder, config.keep, config.max_mb * 1_000_000)
        self._on_air = OnAirTracker()
        self._gifs = Gifs(self._folder)
        self._lock = threading.Lock()
        self._leaving: deque[tuple[float, float, AiredDream]] = deque()
        """For each dream: when to save it, the Unix time when it went off air, and the dream."""
        self._clipping = threading.Lock()
        self._clipped: tuple[float, int, str] | None = None
        self._seen_blocks: Blocks | None = None
        self._blocks_changes = 0
        self._trouble = ""
        self._keeper = Loop("album", self.save_due, every_s=LOOK_S)

    @property
    def gifs(self) -> bool:
        """Whether clips are offered as GIFs."""
        return self._config.gif

    @property
    def asks_again(self) -> bool:
        """Whether a dream's own page offers to ask for the same again."""
        return self._config.ask_again

    def start(self) -> None:
        """Start saving dreams that go off air."""
        self._keeper.start()
        self._gifs.start()

    def close(self, seconds: float = 1.0) -> bool:
        """Stop; dreams already off air are still saved. Return whether it ended within ``seconds``."""
        end_s = self._clock() + seconds
        ended = self._keeper.stop(seconds)
        ended &= self._gifs.stop(max(0.1, end_s - self._clock()))
        if ended:
            self.save_due(ending=True)
        return ended

    # On air

    def keyframe(self, keyframe: Keyframe) -> None:
        """Note a keyframe, from which the next frames are made."""
        self._on_air.keyframe(keyframe)

    def frame(self, frame: Frame, image: np.ndarray) -> None:
        """Note the next frame on air; see ``OnAirTracker.frame`` for the arguments."""
        left = self._on_air.frame(frame, image)
        if left is None or left.frames < SHORTEST_S * self._fps or not (left.scene.user or self._config.wandering):
            return
        with self._lock:
            dropped = self._leaving.popleft() if len(self._leaving) >= LEAVING else None
            self._leaving.append((self._clock() + ENCODED_S, self._wall(), left))
        if dropped is not None:
            log.warning("%s is not saved: the disk is too slow", dropped[2].scene.title)

    def save_due(self, *, ending: bool = False) -> None:
        """Save dreams that went off air and whose last frame is encoded; with ``ending``, all of them."""
        while True:
            with self._lock:
                if not self._leaving or not (ending or self._leaving[0][0] <= self._clock()):
                    return
                _, at_s, left = self._leaving.popleft()
            if not self._is_blocked(left.scene):
                self._keep(left, at_s, self._cut(left.first, left.last))

    def _cut(self, first: int, last: int, least: int = 0) -> Cut | None:
        return None if self._clip_buffers is None else self._clip_buffers.cut(first, last, least)

    def _keep(self, aired: AiredDream, at_s: float, cut: Cut | None, clipped_by: str = "") -> AlbumEntry | None:
        """Save a dream; return None if it cannot be written."""
        scene, height, width = aired.scene, *aired.image.shape[:2]
        targets = tuple(dict.fromkeys(region.target for region in scene.regions))
        clip_s = 0.0 if cut is None else round(cut.seconds, 3)
        dream = AlbumEntry(new_id(), scene.title, targets, scene.user, at_s, (height, width), clip_s, clipped_by)
        try:
            self._folder.add(dream, _files(aired.image, cut))
        except ERRORS as error:
            if not self._trouble:
                self._trouble = f"dreams cannot be saved in '{self._folder.path}': {getattr(error, 'strerror', '') or error}"
                log.warning("%s; the stream continues, and the next dream is tried again", self._trouble)
            return None
        if self._trouble:
            log.info("dreams are saved in '%s' again", self._folder.path)
        self._trouble = ""
        return dream

    # Saved dreams

    @property
    def changes(self) -> int:
        """Increases whenever the visible dreams change."""
        blocks = self._blocks()
        with self._lock:
            if blocks is not self._seen_blocks:
                self._seen_blocks = blocks
                self._blocks_changes += 1
            return self._folder.changes + self._blocks_changes

    def dreams(self, limit: int, before: str = "") -> tuple[AlbumEntry, ...]:
        """Return the saved dreams that may be shown, newest first.

        Args:
            limit: most dreams to return.
            before: id of a dream; only older ones are returned. Empty: start with the newest.
        """
        blocks, found = self._blocks(), self._folder.entries
        if before:
            found = found[next((at + 1 for at, dream in enumerate(found) if dream.id == before), len(found)) :]
        return tuple(islice((dream for dream in found if not _is_blocked(blocks, dream)), limit))

    def dream(self, dream_id: str) -> AlbumEntry:
        """Return a dream that may be shown.

        Raises:
            Refused: ``NOT_FOUND``.
        """
        found = self._folder.find(dream_id) if ID.fullmatch(dream_id) else None
        if found is None or _is_blocked(self._blocks(), found):
            raise Refused(
                Reason.NOT_FOUND, "there is no such dream; it may have been deleted to make room for others, or removed"
            )
        return found

    def file(self, dream_id: str, kind: FileKind) -> Path:
        """Return the file of a dream: ``picture``, ``small`` or ``clip``.

        Raises:
            Refused: ``NOT_FOUND``, also if it has no clip.
        """
        dream = self.dream(dream_id)
        if kind == "clip" and not dream.clip_s:
            raise Refused(Reason.NOT_FOUND, "there is only a picture of this dream: no video was encoded then")
        return self._folder.file(dream.id, kind)

    def gif(self, dream_id: str) -> Path | None:
        """Return the clip as a GIF; None while it is being made, which starts with the first call.

        Raises:
            Refused: ``NOT_FOUND``, it has no clip or GIFs are off; ``LIMIT``, too many are queued.
        """
        self.file(dream_id, "clip")
        if not self._config.gif:
            raise Refused(Reason.NOT_FOUND, "clips are not offered as GIFs here")
        return self._gifs.get(dream_id)

    def remove(self, dream_id: str) -> None:
        """Delete a dream, whether or not it may be shown.

        Raises:
            Refused: ``NOT_FOUND``.
        """
        found = self._folder.find(dream_id)
        if found is None or not self._folder.remove(dream_id):
            raise Refused(Reason.NOT_FOUND, "there is no such dream")
        log.info("a moderator deleted the dream %s", found.title)

    def clip(self, user: str) -> AlbumEntry:
        """Save the last seconds on air, or a picture if no video was encoded.

        The clip may start in the previous dream, unless that is blocked.

        Args:
            user: the name of the viewer, not cleaned yet.

        Raises:
            Refused: ``NOT_FOUND``, nothing is on air yet; ``BLOCKED``; ``CLOSED``, it cannot be saved.
        """
        user = clean_name(user) or NAMELESS
        with self._clipping:
            aired, before = self._on_air.now
            if aired is None:
                raise Refused(Reason.NOT_FOUND, "nothing is on air yet")
            if self._is_blocked(aired.scene) or self._blocks().blocks(user, "", ()):
                raise Refused(Reason.BLOCKED, "that is blocked here")
            if self._clipped is not None and self._clipped[1] == aired.scene.id and self._clock() - self._clipped[0] < AGAIN_S:
                kept = self._folder.find(self._clipped[2])
                if kept is not None:
                    return kept
            first = aired.first if before is None or self._is_blocked(before.scene) else before.first
            cut = self._cut(first, aired.last, aired.last - round(BEHIND_S * self._fps))
            dream = self._keep(aired, self._wall(), cut, user)
            if dream is None:
                raise Refused(Reason.CLOSED, "it cannot be saved at the moment; the streamer has been told")
            self._clipped = self._clock(), aired.scene.id, dream.id
            return dream

    def _is_blocked(self, scene: Scene) -> bool:
        """Return whether a scene is blocked."""
        return self._blocks().blocks(scene.user, scene.title, [region.target for region in scene.regions])


def _files(image: np.ndarray, cut: Cut | None) -> dict[FileKind, Callable[[Path], object]]:
    """Return the functions that write the files of a dream."""
    files: dict[FileKind, Callable[[Path], object]] = {
        "picture": lambda path: path.write_bytes(jpeg(image)),
        "small": lambda path: path.write_bytes(small_jpeg(image)),
    }
    return files if cut is None else files | {"clip": partial(write_clip, cut)}


def _is_blocked(blocks: Blocks, dream: AlbumEntry) -> bool:
    """Return whether a dream is blocked."""
    if blocks.blocks(dream.user, dream.title, dream.targets):
        return True
    return bool(dream.clipped_by) and blocks.blocks(dream.clipped_by, "", ())
