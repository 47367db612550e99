"""Codecs for ``saved_state`` that turn torch's objects of a dream in progress into arrays."""

from __future__ import annotations

import numpy as np
import torch

from streamer.saved_state import Codec


class TensorCodec:
    """Saves tensors, and restores them on their device."""

    name = "tensor"

    def encode(self, value: object) -> np.ndarray | None:
        """Return a tensor's values; None if ``value`` is not a tensor."""
        return value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else None

    def decode(self, array: np.ndarray, existing: object) -> object:
        """Return a new tensor on the device of the existing one; on the CPU if there is none."""
        made = torch.from_numpy(array).clone()  # in memory that torch allocates, since its kernels rely on the alignment
        return made.to(existing.device) if isinstance(existing, torch.Tensor) else made


class GeneratorCodec:
    """Saves and restores the state of torch's random generators."""

    name = "chance"

    def encode(self, value: object) -> np.ndarray | None:
        """Return a generator's state; None if ``value`` is not a generator."""
        return value.get_state().numpy() if isinstance(value, torch.Generator) else None

    def decode(self, array: np.ndarray, existing: object) -> object:
        """Restore the state of the existing generator, which other objects share, and return it."""
        if not isinstance(existing, torch.Generator):
            raise TypeError("there is no generator to restore the state of")
        return existing.set_state(torch.from_numpy(array.copy()))


CODECS: tuple[Codec, ...] = (TensorCodec(), GeneratorCodec())
