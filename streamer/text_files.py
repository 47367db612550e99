"""The text of small files that people write, whatever their editor put in front of it."""

from __future__ import annotations

import codecs

_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
"""Editors on Windows begin UTF-8 with a mark, and its shell writes UTF-16."""


def decoded(data: bytes) -> str:
    """Text without its byte order mark: UTF-8, or UTF-16 if it says so.

    Raises:
        UnicodeDecodeError: it is neither.
    """
    return data.decode(next((encoding for mark, encoding in _MARKS if data.startswith(mark)), "utf-8"))
