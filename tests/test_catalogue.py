"""What the catalogue reports about the running network."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamer.catalogue import Catalogue
from streamer.config import ThumbnailsConfig
from streamer.messages.refused import Reason, Refused
from streamer.messages.renderer_status import RendererStatus
from streamer.requests.vocabulary import Vocabulary
from streamer.thumbnails import Thumbnails

WORDS = Vocabulary.load()
WNIDS = {entry.label: entry.wnid for entry in WORDS.search("", 1000)}
KNOWN = tuple(WNIDS[label] for label in ("goldfish", "tabby cat", "lion", "pizza"))
LIKE = ((3, 1, 2), (2, 0, 3), (1, 0, 3), (0, 1, 2))


class Work:
    """The catalogue of a running network that a test can change."""

    def __init__(self, folder: Path) -> None:
        self.words = WORDS.for_network(KNOWN)
        self.status = RendererStatus(wnids=KNOWN, nearest=LIKE)
        self.catalogue = Catalogue(lambda: self.words, lambda: self.status, Thumbnails(folder, ThumbnailsConfig()))

    def like(self, label: str, limit: int = 20) -> list[str]:
        return [entry.label for entry in self.catalogue.like(WNIDS[label], limit)]


@pytest.fixture
def work(tmp_path: Path) -> Work:
    return Work(tmp_path)


def test_classes_like_a_class_come_from_the_network(work: Work) -> None:
    assert work.like("tabby cat") == ["lion", "goldfish", "pizza"]
    assert work.like("lion", 1) == ["tabby cat"]


def test_what_is_blocked_is_like_nothing(work: Work) -> None:
    work.words = work.words.blocking([WNIDS["goldfish"]])
    assert work.like("tabby cat") == ["lion", "pizza"]


def test_like_what_only_larger_networks_know_is_what_stands_for_it(work: Work) -> None:
    assert WNIDS["Persian cat"] not in KNOWN
    assert set(work.like("Siamese cat")) <= {"goldfish", "tabby cat", "lion", "pizza"}
    assert work.like("tiger")[0] == "lion"


def test_no_classes_are_alike_during_loading_and_an_unknown_class_is_refused(work: Work) -> None:
    work.status = RendererStatus()
    assert work.like("tabby cat") == []
    with pytest.raises(Refused, match="there is no class 'n00000001'") as refused:
        work.catalogue.like("n00000001")
    assert refused.value.reason is Reason.NOT_FOUND
