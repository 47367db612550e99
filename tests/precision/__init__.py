"""The precision in which networks compute in a test, whatever the CPU has.

``compute_dtype`` takes bfloat16 where the CPU multiplies it and float32 elsewhere, so a test may see on one machine what it
never sees on another. Tests that ask for the fixture ``precision`` run in both; the variable ``ZOOMDREAM_TEST_DTYPE`` (float32
or bfloat16) settles it for all others, and for the processes that they start.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.precision.sitecustomize import ANSWERS, QUESTIONS, VARIABLE


def forced() -> str | None:
    """What the environment asks of the whole suite."""
    dtype = os.environ.get(VARIABLE)
    if dtype is not None and dtype not in ANSWERS:
        raise pytest.UsageError(f"{VARIABLE} is '{dtype}'; must be {' or '.join(ANSWERS)}")
    return dtype


def settle(patch: pytest.MonkeyPatch, dtype: str) -> None:
    """Have networks compute in a precision, here and in every Python that is started from here."""
    import torch

    patch.setenv(VARIABLE, dtype)
    patch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
    for question in QUESTIONS:
        patch.setattr(torch.cpu, question, lambda: ANSWERS[dtype], raising=False)
