"""Create .venv and install zoomdream into it: `python3 tools/install.py [EXTRA...]`, as the Makefile does.

Without make, as on Windows, run `py tools/install.py`; it says how to start zoomdream.

pip alone would choose the wrong torch: its default build for Linux brings several GB of CUDA libraries, useless without an
NVIDIA GPU. A torch that is already in .venv, and that pyproject.toml allows, stays.

Runs under any Python 3, if only to say that you need a newer one.
"""

import os
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
WINDOWS = sys.platform == "win32"
BIN = VENV / ("Scripts" if WINDOWS else "bin")
PYTHON = str(BIN / ("python.exe" if WINDOWS else "python"))
OLDEST = (3, 11)
NEWER = ("python3.13", "python3.12", "python3.11", "python3.14")
"""Commands to try when python3 is too old, the best first."""

TORCH_CPU = "torch==2.13.0"
TORCH_ANY = "torch>=2.11,<2.15"
TORCH_FROM, TORCH_BELOW = (2, 11), (2, 15)
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
"""PyTorch's own index of builds without CUDA."""
CPU_INDEX_TIMEOUT_S = 8

USUAL = ["twitch", "imagenet"]
"""Extras if the call names none."""
DISPENSABLE = {"imagenet"}
"""Extras without which zoomdream works, but does less."""


def main(extras):
    use_new_enough_python()
    make_venv()
    cpu_index = install_torch()
    install_project(extras or USUAL, cpu_index)
    if not extras:
        say(f"Done. To start it: {BIN.relative_to(ROOT) / 'zoomdream'} run")


def use_new_enough_python():
    if sys.version_info >= OLDEST:
        return
    for name in () if WINDOWS else NEWER:  # on Windows, `py` picks the newest
        found = shutil.which(name)
        if found and subprocess.call([found, "--version"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0:
            os.execv(found, [found, *sys.argv])
    have = ".".join(str(part) for part in sys.version_info[:3])
    sys.exit(
        f"zoomdream needs Python 3.11 or newer; this is {have}. Install a newer one (Debian, Ubuntu: apt install python3.11 "
        "python3.11-venv; macOS: brew install python; Windows: python.org) and name it: make run PYTHON=python3.11, or "
        "py -3.13 tools/install.py"
    )


def make_venv():
    if os.path.exists(PYTHON) and subprocess.call([PYTHON, "-m", "pip", "--version"], stdout=subprocess.DEVNULL) == 0:
        return
    say(f"Making .venv with Python {sys.version.split()[0]}")
    shutil.rmtree(VENV, ignore_errors=True)
    if subprocess.call([sys.executable, "-m", "venv", str(VENV)]) != 0:
        shutil.rmtree(VENV, ignore_errors=True)
        version = f"{sys.version_info[0]}.{sys.version_info[1]}"
        sys.exit(f"no virtual environment could be made; on Debian and Ubuntu: apt install python{version}-venv")


def install_torch():
    """Install torch if missing; return the pip arguments for its index."""
    if installed_torch():
        return []
    index = []
    if sys.platform != "linux" or shutil.which("nvidia-smi"):
        wanted = TORCH_ANY
    else:
        wanted = TORCH_CPU
        if reachable(f"{CPU_INDEX}/torch/"):
            index = ["--extra-index-url", CPU_INDEX]
        else:
            say(f"No answer from {CPU_INDEX}: taking {TORCH_CPU} from where pip looks, which may be the larger CUDA build")
    say(f"Installing {wanted}")
    if not pip("install", *index, wanted):
        say(f"{wanted} is not to be had for this Python; leaving the choice to pip")
    return index


def install_project(extras, index):
    torch = installed_torch()
    limits = []
    if torch:  # later installs may not replace it; each torchvision release requires one torch
        file = VENV / "constraints.txt"
        file.write_text(f"torch=={torch}\n")
        limits = ["--constraint", str(file)]
    needed = [extra for extra in extras if extra not in DISPENSABLE]
    done = install(extras, index, limits)
    if not done and needed != extras:
        say(f"Going on without {', '.join(DISPENSABLE)}, for the reason above; to try again: touch pyproject.toml, and make")
        done = install(needed, index, limits)
    if not done:
        sys.exit("the installation failed; pip says why above")


def install(extras, index, limits):
    project = str(ROOT) + (f"[{','.join(extras)}]" if extras else "")
    say("Installing zoomdream" + (f" with {', '.join(extras)}" if extras else ""))
    return pip("install", *index, *limits, "--editable", project)


def installed_torch():
    """Return the version of a usable torch in .venv; empty if there is none."""
    code = "import importlib.metadata as m; print(m.version('torch'))"
    done = subprocess.run([PYTHON, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    version = done.stdout.decode().strip()
    usable = version and TORCH_FROM <= tuple(int(part) for part in version.split(".")[:2]) < TORCH_BELOW
    return version if usable else ""


def reachable(url):
    try:
        with urllib.request.urlopen(url, timeout=CPU_INDEX_TIMEOUT_S):
            return True
    except OSError:
        return False


def pip(*arguments):
    return subprocess.call([PYTHON, "-m", "pip", "--disable-pip-version-check", *arguments]) == 0


def say(text):
    print(f"==> {text}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
