"""Apply ``ZOOMDREAM_TEST_DTYPE`` in processes that the tests start: Python imports this module first.

The program asks torch what the CPU supports. This module replaces torch's answers only when torch is imported, so processes
that do not need torch do not load it.
"""

import os
import sys
from importlib.machinery import PathFinder, SourceFileLoader

VARIABLE = "ZOOMDREAM_TEST_DTYPE"
ANSWERS = {"float32": False, "bfloat16": True}
"""For each precision, the answer about the CPU that makes the program compute in it."""
MODULE = "torch.cpu"
QUESTIONS = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
"""The functions of that module that ``compute_dtype`` calls."""


class _Answering(SourceFileLoader):
    def exec_module(self, module):
        super().exec_module(module)
        for question in QUESTIONS:
            setattr(module, question, lambda: ANSWERS[os.environ[VARIABLE]])


class _Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name != MODULE or (spec := PathFinder.find_spec(name, path, target)) is None:
            return None
        spec.loader = _Answering(name, spec.origin)
        return spec


if __name__ == "sitecustomize" and VARIABLE in os.environ:
    sys.meta_path.insert(0, _Finder)
