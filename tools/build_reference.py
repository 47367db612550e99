"""Build the reference of the public modules from their docstrings: `python tools/build_reference.py [FOLDER]`, or `make docs`.

Writes static pages to FOLDER (default: out/reference); open index.html there. Needs the extra `docs`, and PyTorch.
"""

import os
import sys
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # the pages describe this checkout, whatever is installed

PUBLIC = (
    "streamer.messages",
    *(f"streamer.{path.stem}" for path in sorted((ROOT / "streamer").glob("config*.py"))),
    "streamer.settings_file",
    "streamer.zoom",
    "streamer.dream.interface",
    "streamer.dream.networks.architecture",
    "streamer.dream.networks.network",
    "streamer.dream.objectives",
    "streamer.video.sinks.sink",
    "streamer.web.openapi",
)
"""The modules that other programs and extensions may import, each package with all its modules."""


def build(folder: Path, modules: tuple[str, ...] = PUBLIC) -> None:
    """Write a page for each module, an index and a search index.

    pdoc warns of names that it cannot import and annotations that it cannot evaluate.
    """
    os.environ["PDOC_DISPLAY_ENV_VARS"] = ""  # defaults that come from this machine stay out of the pages
    import pdoc
    import pdoc.render

    from streamer import __version__

    pdoc.render.configure(docformat="google", footer_text=f"zoomdream {__version__}")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Error parsing type annotation JsonDict ")  # pydantic's alias, on private constants
        pdoc.pdoc(*modules, output_directory=folder)


def main(arguments: list[str]) -> None:
    folder = Path(arguments[0]) if arguments else ROOT / "out" / "reference"
    build(folder)
    print(f"{folder}/index.html")


if __name__ == "__main__":
    main(sys.argv[1:])
