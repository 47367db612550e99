"""How errors are classified by cause, torch's own among them."""

import errno
import os

import pytest
import torch

from streamer.dream.worker.causes import Cause, diagnose


def tried(act):
    """Return the error that ``act`` raises."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - the test checks which one it is
        act()
    return caught.value


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), Cause.MEMORY),
        (MemoryError(), Cause.MEMORY),
        (OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)), Cause.MEMORY),
        (RuntimeError("std::bad_alloc"), Cause.MEMORY),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
            Cause.MEMORY,
        ),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes."), Cause.MEMORY),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), Cause.MEMORY),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), Cause.MEMORY),
        (RuntimeError("CUDA error: out of memory"), Cause.MEMORY),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), Cause.DEVICE),
        (RuntimeError("CUDA error: device-side assert triggered"), Cause.DEVICE),
        (RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"), Cause.DEVICE),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), Cause.OTHER),
        (ValueError("out of memory"), Cause.OTHER),
        (OSError(errno.ENOENT, "no such file"), Cause.OTHER),
        (ZeroDivisionError(), Cause.OTHER),
    ],
)
def test_errors_are_known_by_kind_and_words(error, cause):
    assert diagnose(error) is cause


def test_torch_out_of_memory_on_a_cpu_is_one():
    assert diagnose(tried(lambda: torch.empty(2**62, dtype=torch.uint8))) is Cause.MEMORY


@pytest.mark.skipif(not hasattr(torch, "AcceleratorError"), reason="older torch raises RuntimeError")
def test_what_accelerators_raise_is_one_of_the_device():
    assert diagnose(torch.AcceleratorError("an unspecified failure")) is Cause.DEVICE
