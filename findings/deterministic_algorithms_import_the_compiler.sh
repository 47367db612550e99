#!/usr/bin/env bash
# torch 2.13.0: torch.use_deterministic_algorithms imports torch.compile's machinery; its twin does not.
#
# A good guess would be: a call that sets one flag costs nothing, and torch.set_deterministic_debug_mode, which its documentation
# calls an alternative interface to it, does the same in the same way. Seen instead: use_deterministic_algorithms sets a field
# of torch._inductor.config along with the flag, for which it imports TorchInductor, TorchDynamo and SymPy: some 800
# modules and 1.3 to 1.6 s of CPU, as much again as torch itself, in a program that compiles nothing.
# set_deterministic_debug_mode("warn") or ("error") sets the same flag and imports nothing.
#
# Installs torch into a temporary folder and fails if it behaves otherwise.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet torch==2.13.0 numpy
"$folder/env/bin/python" - <<'PYTHON'
import sys
import time

import torch


def measure(call, *arguments, **options):
    """Return the CPU seconds of a call and the modules that it imported."""
    before, begun = set(sys.modules), time.process_time()
    call(*arguments, **options)
    return time.process_time() - begun, set(sys.modules) - before


def flags():
    """Return what torch says of the flag."""
    return torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()


print(f"torch {torch.__version__}")
twin_s, twin = measure(torch.set_deterministic_debug_mode, "warn")
set_by_twin = flags()
torch.set_deterministic_debug_mode("default")
plain_s, plain = measure(torch.use_deterministic_algorithms, True, warn_only=True)
print(f"set_deterministic_debug_mode('warn'):   {1000 * twin_s:7.1f} ms of CPU, {len(twin)} modules imported")
print(f"use_deterministic_algorithms(True):     {1000 * plain_s:7.1f} ms of CPU, {len(plain)} modules imported")
assert set_by_twin == flags() == (True, True), "they do not set the same"
assert not twin, "the twin imports something, too"
assert {"torch._inductor", "torch._dynamo", "sympy"} <= plain, "the compiler is not imported any more"
PYTHON
