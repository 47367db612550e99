"""A contact sheet: one self-contained HTML file with thumbnails under headings, each linked to its picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from urllib.parse import quote

from streamer.media.thumbnail import SIDE_PX

STYLE = f"""
:root {{ color-scheme: dark; background: #0c0b10; color: #eceaf2; font: 15px/1.4 system-ui, sans-serif; }}
body {{ max-width: 90rem; margin: 0 auto; padding: 1.5rem; }}
h1 {{ margin: 0; font-size: 1.6rem; font-weight: 500; }}
h2 {{ margin: 2.2rem 0 0.8rem; font-size: 1.1rem; font-weight: 500; }}
h2 small, p {{ color: #a5a0b4; font-weight: 400; }}
ul {{ display: grid; grid-template-columns: repeat(auto-fill, minmax({SIDE_PX}px, 1fr)); gap: 0.9rem; margin: 0; padding: 0; }}
li {{ list-style: none; }}
a {{ display: block; color: inherit; text-decoration: none; overflow-wrap: anywhere; }}
a:focus-visible, a:hover {{ outline: 2px solid #f2b45c; outline-offset: 3px; border-radius: 6px; }}
img {{ display: block; width: 100%; height: auto; margin-bottom: 0.3rem; border-radius: 6px; background: #1b1922; }}
"""


@dataclass(frozen=True, slots=True)
class Cell:
    """One picture."""

    label: str
    picture: str
    thumbnail: str
    """Paths relative to the sheet."""


@dataclass(frozen=True, slots=True)
class SheetSection:
    """Some pictures under a heading."""

    title: str
    cells: tuple[Cell, ...]


def contact_sheet(title: str, about: str, sections: Sequence[SheetSection]) -> bytes:
    """Return the file's contents, HTML in UTF-8."""
    parts = [
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>",
        f"<h1>{escape(title)}</h1>\n<p>{escape(about)}</p>",
    ]
    for section in sections:
        parts.append(f"<h2>{escape(section.title)} <small>{len(section.cells)}</small></h2>\n<ul>")
        parts.extend(map(_item, section.cells))
        parts.append("</ul>")
    parts.append("</body>\n</html>\n")
    return "\n".join(parts).encode()


def _item(cell: Cell) -> str:
    image = f'<img src="{quote(cell.thumbnail)}" alt="" width="{SIDE_PX}" height="{SIDE_PX}" loading="lazy">'
    return f'<li><a href="{quote(cell.picture)}">{image}{escape(cell.label)}</a></li>'
