"""Decodes small text files that people write, with or without a byte order mark."""

from __future__ import annotations

import codecs

_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
"""Byte order marks: editors on Windows write one before UTF-8, and its shell writes UTF-16."""


def decoded(data: bytes) -> str:
    """Return text without its byte order mark; the encoding is UTF-8, or UTF-16 if the mark says so.

    Raises:
        UnicodeDecodeError: the data is neither.
    """
    return data.decode(next((encoding for mark, encoding in _MARKS if data.startswith(mark)), "utf-8"))
