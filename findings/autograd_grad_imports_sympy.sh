#!/usr/bin/env bash
# torch 2.13.0: the first call of torch.autograd.grad that is handed gradients of the outputs imports SymPy.
#
# A good guess would be: a gradient that is handed in costs nothing, or less than a loss to begin from, for it is plain data. Seen
# instead: before the first such call compares the shapes of outputs and gradients, it imports torch.fx.experimental.symbolic_shapes
# and with that SymPy, some 490 modules and 0.3 to 0.5 s of CPU, in eager mode, with nothing symbolic anywhere. A scalar
# without such an argument imports neither. In a process that should show its first picture within seconds that is a tenth of it;
# (output * gradient).sum() gives the same numbers without.
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

x = torch.ones(3, requires_grad=True)
begun = time.process_time()
(scalar,) = torch.autograd.grad((2 * x).sum(), x)
scalar_s = time.process_time() - begun
assert "sympy" not in sys.modules, "a scalar imports SymPy, too, or torch does by itself"
before = len(sys.modules)
begun = time.process_time()
(handed,) = torch.autograd.grad(2 * x, x, torch.ones(3))
handed_s = time.process_time() - begun
print(f"torch {torch.__version__}")
print(f"from a scalar:       {1000 * scalar_s:6.1f} ms of CPU, no SymPy")
print(f"with grad_outputs:   {1000 * handed_s:6.1f} ms of CPU, {len(sys.modules) - before} modules imported")
assert torch.equal(scalar, handed)
assert "sympy" in sys.modules, "SymPy is not imported any more"
begun = time.process_time()
torch.autograd.grad(2 * x, x, torch.ones(3))
print(f"the second time:     {1000 * (time.process_time() - begun):6.1f} ms of CPU")
PYTHON
