from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.precision import settle

if TYPE_CHECKING:
    import torch


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
