"""What Python reads first in a process that the tests start: it brings ``ZOOMDREAM_TEST_DTYPE`` there.

The program asks torch what the CPU multiplies. torch's answers are put in place when it is imported, and not before: what needs
no torch goes on without it.
"""

import os
import sys
from importlib.machinery import PathFinder, SourceFileLoader

VARIABLE = "ZOOMDREAM_TEST_DTYPE"
ANSWERS = {"float32": False, "bfloat16": True}
"""Whether the CPU has what makes the program compute in that precision."""
MODULE = "torch.cpu"
QUESTIONS = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
"""What ``compute_dtype`` asks that module."""


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
