from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.conftest import WITHOUT_TORCH
from tests.precision import settle

if TYPE_CHECKING:
    import torch


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


@pytest.fixture(params=["float32", "bfloat16"])
def precision(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> torch.dtype:
    """Runs a test twice: in the precision of older CPUs and of newer ones.

    Such a test takes small networks only, for bfloat16 is ten times slower on the older ones.
    """
    import torch

    settle(monkeypatch, request.param)
    dtype = getattr(torch, request.param)
    assert isinstance(dtype, torch.dtype)
    return dtype
