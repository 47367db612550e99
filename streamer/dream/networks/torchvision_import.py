"""Imports torchvision even if it was built for another torch.

torch's CPU wheel with a torchvision built for CUDA (or the other way round) is a common pair, and ``import torchvision`` then
fails with 'operator torchvision::nms does not exist': its binary extension does not load, and registering a shape rule for a
missing operator fails. Only object detection needs these operators; declaring them first lets everything else import.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType

import torch

_SIGNATURE = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


def torchvision() -> ModuleType:
    """Import torchvision and return the module.

    Raises:
        ImportError: it is not installed, or does not import for another reason.
    """
    if module := sys.modules.get("torchvision"):
        return module
    try:
        return importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise ImportError(f"torchvision does not import: {error}") from error
    for name in [m for m in sys.modules if m == "torchvision" or m.startswith("torchvision.")]:
        del sys.modules[name]  # half-imported
    for operator in ("nms", "qnms"):
        torch.library.define(f"torchvision::{operator}", _SIGNATURE)
    return importlib.import_module("torchvision")
