import pytest

from streamer.config import QueueConfig
from streamer.requests.director import Director
from streamer.requests.queue import RequestQueue
from streamer.requests.shelf import Shelf
from streamer.requests.vocabulary import Vocabulary


@pytest.fixture(scope="session")
def shelf():
    return Shelf()


@pytest.fixture
def vocabulary(shelf):
    return Vocabulary(shelf)


@pytest.fixture
def tiny(shelf):
    """The vocabulary of a network that knows Tiny ImageNet's 200 classes: no volcano, no fox."""
    return Vocabulary(shelf, [entry.wnid for entry in shelf.entries if entry.tiny])


@pytest.fixture(scope="module")
def desk(shelf):
    """A director that many examples share."""
    with RequestQueue(None) as queue:
        yield Director(queue, Vocabulary(shelf), QueueConfig())
