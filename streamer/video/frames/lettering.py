"""Renders lines of text to pictures: any Unicode, in the fonts of this machine, up to a maximum width."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

TEXT_FONTS = ("DejaVuSans-Bold.ttf", "NotoSans-Bold.ttf", "LiberationSans-Bold.ttf", "Arial Bold.ttf", "arialbd.ttf")
"""Fonts tried in this order, by file name; then Pillow's bundled font."""
OTHER_FONTS = (
    "DejaVuSans.ttf",
    "NotoSansCJK-Bold.ttc",
    "NotoSansCJK-Regular.ttc",
    "NotoSansCJKsc-Regular.otf",
    "DroidSansFallbackFull.ttf",
    "wqy-microhei.ttc",
    "wqy-zenhei.ttc",
    "PingFang.ttc",
    "Hiragino Sans GB.ttc",
    "msyh.ttc",
    "msgothic.ttc",
    "malgun.ttf",
    "NotoSansArabic-Regular.ttf",
    "NotoSansHebrew-Regular.ttf",
    "NotoSansDevanagari-Regular.ttf",
    "NotoSansThai-Regular.ttf",
    "Arial Unicode.ttf",
)
"""Fonts tried when a character is missing in the first."""
EMOJI_FONTS = ("NotoColorEmoji.ttf", "seguiemj.ttf", "Apple Color Emoji.ttc")
EMOJI_SIZE = 109
"""The only size of Noto's bitmap emoji."""
UNASSIGNED = "\U0010fffe"
"""A code point that no font has; its glyph is the one for missing characters."""
ELLIPSIS = "…"

Font = ImageFont.FreeTypeFont


class Lettering:
    """Draws lines of text at one size. Not thread-safe."""

    def __init__(self, size_px: int) -> None:
        self.size_px = max(6, size_px)
        self._fonts = _fonts(self.size_px)

    def line(self, text: str, width_px: int, colour: tuple[int, int, int]) -> Image.Image | None:
        """Draw one line.

        Characters that no font here has are left out; text that is too wide is cut and ends in an ellipsis.

        Returns:
            An RGBA picture with the height of the line and the width of the text; None if none of it can be shown.
        """
        text = self.showable(text)
        if not text.strip():
            return None
        if self._width(text) > width_px:
            low, high = 0, len(text)
            while low < high:  # the longest prefix that fits
                middle = (low + high + 1) // 2
                low, high = (middle, high) if self._width(_cut(text, middle)) <= width_px else (low, middle - 1)
            text = _cut(text, low)
        ascent, descent = self._fonts.ascent, self._fonts.descent
        picture = Image.new("RGBA", (max(1, min(width_px, self._width(text)) + 2), ascent + descent), (*colour, 0))
        draw = ImageDraw.Draw(picture)
        x = 0.0
        for run, font in self._runs(text):
            if font is self._fonts.emoji:
                large = _emoji(run, font, self.size_px)
                picture.alpha_composite(large, (min(round(x), picture.width - 1), max(0, ascent - large.height)))
                x += large.width
            else:
                draw.text((x, ascent), run, fill=(*colour, 255), font=font, anchor="ls")
                x += font.getlength(run)
        return picture

    def showable(self, text: str) -> str:
        """Return the text without characters that no font here has."""
        plain = unicodedata.normalize("NFC", " ".join(text.split()))
        return "".join(run for run, _ in self._runs(plain))

    def _width(self, text: str) -> int:
        width = 0.0
        for run, font in self._runs(text):
            width += _emoji(run, font, self.size_px).width if font is self._fonts.emoji else font.getlength(run)
        return int(width + 0.999)

    def _runs(self, text: str) -> Iterator[tuple[str, Font]]:
        """Split the text into runs of one font each; characters that no font has are left out."""
        run, font = "", None
        for character in text:
            # Marks stay with the letter they sit on.
            fitting = font if unicodedata.combining(character) and font is not None else self._fonts.showing(character, font)
            if fitting is None:
                continue
            if fitting is not font and run and font is not None:
                yield run, font
                run = ""
            run, font = run + character, fitting
        if run and font is not None:
            yield run, font


class _Fonts:
    """The first font, and all others, which are opened when the first lacks a character."""

    def __init__(self, size_px: int) -> None:
        self._size_px = size_px
        self._first = _open(TEXT_FONTS, size_px) or _bundled(size_px)
        self._others: list[Font] | None = None
        self.emoji: Font | None = None
        self.ascent, self.descent = self._first.getmetrics()
        self._known: dict[str, Font | None] = {}

    def showing(self, character: str, before: Font | None) -> Font | None:
        """Return a font with this character; None if there is none. Spaces take the font of the character before them."""
        if character == " ":
            return before if before is not None and before is not self.emoji else self._first
        if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") or character in "\ufe0e\ufe0f":
            return None
        if character not in self._known:
            self._known[character] = self._look_up(character)
        return self._known[character]

    def _look_up(self, character: str) -> Font | None:
        if _has(self._first, character):
            return self._first
        if self._others is None:
            found = (_open((name,), self._size_px) for name in OTHER_FONTS)
            self._others = [font for font in found if font is not None]
            self.emoji = _open(EMOJI_FONTS, EMOJI_SIZE)
            if self.emoji is not None:
                self._others.append(self.emoji)
        return next((font for font in self._others if _has(font, character)), None)


@lru_cache(maxsize=8)
def _fonts(size_px: int) -> _Fonts:
    return _Fonts(size_px)


def _open(names: tuple[str, ...], size_px: int) -> Font | None:
    for name in names:
        try:
            return ImageFont.truetype(name, size_px)
        except (OSError, ValueError):
            continue
    return None


def _bundled(size_px: int) -> Font:
    font = ImageFont.load_default(size_px)
    if isinstance(font, ImageFont.FreeTypeFont):
        return font
    raise RuntimeError("this Pillow was built without FreeType, which captions need: install Pillow's own wheel")


def _has(font: Font, character: str) -> bool:
    """Return whether the font draws the character as something other than its missing glyph."""
    try:
        drawn = font.getmask(character, mode="L")
        return drawn.size[0] > 0 and bytes(drawn) != bytes(font.getmask(UNASSIGNED, mode="L"))
    except (OSError, ValueError):
        return False


def _emoji(text: str, font: Font, size_px: int) -> Image.Image:
    """Return colour emoji, scaled to the height of the text."""
    left, top, right, bottom = font.getbbox(text)
    large = Image.new("RGBA", (max(1, round(right - left)), max(1, round(bottom - top))))
    ImageDraw.Draw(large).text((-left, -top), text, font=font, embedded_color=True)
    scale = size_px / EMOJI_SIZE
    return large.resize((max(1, round(large.width * scale)), max(1, round(large.height * scale))), Image.Resampling.LANCZOS)


def _cut(text: str, length: int) -> str:
    return text[:length].rstrip() + ELLIPSIS
