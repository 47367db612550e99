"""What the page's catalogue shows: the vocabulary of the network at work, pictures of its classes, and which are alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from streamer.messages.network_contents import ClassEntry, ClassKind
from streamer.messages.refused import Reason, Refused
from streamer.messages.renderer_status import RendererStatus
from streamer.requests.vocabulary import Vocabulary
from streamer.thumbnails import Thumbnail, Thumbnails

MOST = 1000
"""Classes there are."""


class Catalogue:
    """The classes of whichever network is in use. Thread-safe.

    Args:
        vocabulary: Gives what can be asked for now.
        renderer: Gives how the dreaming goes: its network's classes, and which are alike to it.
    """

    def __init__(
        self, vocabulary: Callable[[], Vocabulary], renderer: Callable[[], RendererStatus], thumbnails: Thumbnails
    ) -> None:
        self._vocabulary, self._renderer, self._thumbnails = vocabulary, renderer, thumbnails

    @property
    def kinds(self) -> tuple[ClassKind, ...]:
        """What kinds of things there are, in the order in which they are shown."""
        return self._vocabulary().kinds

    def search(self, query: str, limit: int = 20) -> tuple[ClassEntry, ...]:
        """Find classes by part of a name or by what a word means, best first; '' lists all, available first, by label."""
        return self._vocabulary().search(query, limit)

    def like(self, wnid: str, limit: int = 20) -> tuple[ClassEntry, ...]:
        """What can be asked for that the network at work finds most like a class, best first, without that one.

        Of a class that the network has not learnt, what is told for it when it is asked for. None while the network loads.

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
        """Pictures of classes, by wnid."""
        return self._thumbnails.all()

    def thumbnail(self, wnid: str) -> Thumbnail | None:
        """The picture of a class; None if there is none."""
        return self._thumbnails.of(wnid)
