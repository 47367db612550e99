"""The precision in which networks compute in tests, whatever the CPU supports.

``compute_dtype`` takes bfloat16 where the CPU supports it and float32 elsewhere, so a test may see on one machine what it
never sees on another. Tests that use the fixture ``precision`` run in both. The variable ``ZOOMDREAM_TEST_DTYPE`` (float32
or bfloat16) sets the precision of all other tests and of the processes that they start.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.precision.sitecustomize import ANSWERS, QUESTIONS, VARIABLE


def forced() -> str | None:
    """Return the precision that the environment sets for the whole suite, or None."""
    dtype = os.environ.get(VARIABLE)
    if dtype is not None and dtype not in ANSWERS:
        raise pytest.UsageError(f"{VARIABLE} is '{dtype}'; must be {' or '.join(ANSWERS)}")
    return dtype


def settle(patch: pytest.MonkeyPatch, dtype: str) -> None:
    """Make networks compute in a precision, in this process and in every Python process that it starts."""
    import torch

    patch.setenv(VARIABLE, dtype)
    patch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
    for question in QUESTIONS:
        patch.setattr(torch.cpu, question, lambda: ANSWERS[dtype], raising=False)
