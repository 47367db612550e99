"""Create an environment with all zoomdream needs but torch: `python3.13 tools/install_without_torch.py FOLDER [EXTRA...]`.

`.ci/run` uses it for tests that need no torch, with further versions of Python: from anywhere but PyTorch's own index, torch
is several GB for each.
"""

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LEFT_OUT = ("torch", "torchvision")


def main(folder, *extras):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = [*project["dependencies"], *(each for extra in extras for each in project["optional-dependencies"][extra])]
    python = str(Path(folder) / "bin" / "python")
    subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
    pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    subprocess.run([*pip, *(each for each in needed if not each.startswith(LEFT_OUT))], check=True)
    subprocess.run([*pip, "--no-deps", "--editable", str(ROOT)], check=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
