import pytest

from streamer.config import QueueConfig
from streamer.requests.class_index import shipped_classes
from streamer.requests.director import Director
from streamer.requests.queue import RequestQueue
from streamer.requests.vocabulary import Vocabulary


@pytest.fixture(scope="session")
def class_index():
    return shipped_classes()


@pytest.fixture
def vocabulary(class_index):
    return Vocabulary(class_index)


@pytest.fixture
def tiny(class_index):
    """The vocabulary of a network that knows Tiny ImageNet's 200 classes: no volcano, no fox."""
    return Vocabulary(class_index, [entry.wnid for entry in class_index.entries if entry.tiny])


@pytest.fixture(scope="module")
def shared_director(class_index):
    """A director that many examples share."""
    with RequestQueue(None) as queue:
        yield Director(queue, Vocabulary(class_index), QueueConfig())
