"""The page's catalogue: the current network's vocabulary, pictures of its classes, and similar classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from streamer.messages.network_contents import ClassEntry, ClassKind
from streamer.messages.refused import Reason, Refused
from streamer.messages.renderer_status import RendererStatus
from streamer.requests.vocabulary import Vocabulary
from streamer.thumbnails import Thumbnail, Thumbnails

MOST = 1000
"""Number of ImageNet classes."""


class Catalogue:
    """The classes of the current network. Thread-safe.

    Args:
        vocabulary: Returns the current vocabulary.
        renderer: Returns the renderer's status, with the network's classes and their similarities.
    """

    def __init__(
        self, vocabulary: Callable[[], Vocabulary], renderer: Callable[[], RendererStatus], thumbnails: Thumbnails
    ) -> None:
        self._vocabulary, self._renderer, self._thumbnails = vocabulary, renderer, thumbnails

    @property
    def kinds(self) -> tuple[ClassKind, ...]:
        """The kinds of classes, in the order in which they are shown."""
        return self._vocabulary().kinds

    def search(self, query: str, limit: int = 20) -> tuple[ClassEntry, ...]:
        """Find classes by part of a name or by meaning, best first; '' lists all, available ones first, by label."""
        return self._vocabulary().search(query, limit)

    def like(self, wnid: str, limit: int = 20) -> tuple[ClassEntry, ...]:
        """Return the available classes that are most similar to a class for the current network, best first.

        For a class that the network does not know, return those that are suggested instead. Empty while the network loads.

        Raises:
            Refused: ``NOT_FOUND``, there is no such class.
        """
        words, renderer = self._vocabulary(), self._renderer()
        entries = {entry.wnid: entry for entry in words.search("", MOST)}
        if wnid not in entries:
            raise Refused(Reason.NOT_FOUND, f"there is no class '{wnid}'")
        if not renderer.wnids:
            return ()
        if wnid in renderer.wnids:
            near = renderer.nearest[renderer.wnids.index(wnid)] if renderer.nearest else ()
            found = [renderer.wnids[index] for index in near]
        else:
            found = list(words.relatives(wnid))
        return tuple(entries[other] for other in found if other in entries and entries[other].available)[:limit]

    def thumbnails(self) -> Mapping[str, Thumbnail]:
        """Return the pictures of classes, by WordNet id."""
        return self._thumbnails.all()

    def thumbnail(self, wnid: str) -> Thumbnail | None:
        """Return the picture of a class; None if there is none."""
        return self._thumbnails.of(wnid)
