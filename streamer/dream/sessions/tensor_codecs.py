"""Dreams in progress as ``saved_state`` writes them down: what is torch's as arrays."""

from __future__ import annotations

import numpy as np
import torch

from streamer.saved_state import Codec


class TensorCodec:
    """Tensors, put back where they were."""

    name = "tensor"

    def encode(self, value: object) -> np.ndarray | None:
        """Its values; a tensor that is no part of a gradient."""
        return value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else None

    def decode(self, array: np.ndarray, existing: object) -> object:
        """A tensor of its own, on the device of the one before; on the CPU where there was none."""
        made = torch.from_numpy(array).clone()  # in torch's own memory, whose alignment its kernels count on
        return made.to(existing.device) if isinstance(existing, torch.Tensor) else made


class GeneratorCodec:
    """Where torch's generators stand."""

    name = "chance"

    def encode(self, value: object) -> np.ndarray | None:
        """Its state."""
        return value.get_state().numpy() if isinstance(value, torch.Generator) else None

    def decode(self, array: np.ndarray, existing: object) -> object:
        """The generator that is there, put where it stood: others share it."""
        if not isinstance(existing, torch.Generator):
            raise TypeError("there is no generator to put where it stood")
        return existing.set_state(torch.from_numpy(array.copy()))


CODECS: tuple[Codec, ...] = (TensorCodec(), GeneratorCodec())
