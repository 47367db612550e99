from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.forked_workers import fork_server, forked_workers, spawned_workers
from tests.precision import settle

if TYPE_CHECKING:
    import torch

__all__ = ["fork_server", "forked_workers", "precision", "spawned_workers"]


@pytest.fixture(params=["float32", "bfloat16"])
def precision(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> torch.dtype:
    """Run a test twice: in the precision of older CPUs and of newer ones.

    Use small networks only, since bfloat16 is ten times slower on older CPUs.
    """
    import torch

    settle(monkeypatch, request.param)
    dtype = getattr(torch, request.param)
    assert isinstance(dtype, torch.dtype)
    return dtype
