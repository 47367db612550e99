from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import WITHOUT_TORCH


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    """Small tensors: more threads only wait for each other."""
    if WITHOUT_TORCH:
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
