"""What is made of a line, as it is put together: the classes, and what a viewer is told besides."""

from __future__ import annotations

from dataclasses import dataclass, field

from streamer.messages.refused import Refused
from streamer.requests.phrase_meaning import PhraseMeaning


@dataclass(slots=True)
class MatchBuilder:
    """The classes chosen for a line, and what was passed over."""

    chosen: list[int] = field(default_factory=list)
    """Different ones, in the order named."""
    notes: list[str] = field(default_factory=list)
    """What was guessed or chosen."""
    left_out: list[str] = field(default_factory=list)
    """What was said besides, as typed."""
    several: bool = False
    """Whether things were among it that can be had by joining them."""
    sure: bool = True
    """Whether everything chosen was a name and nothing else."""
    refusal: Refused | None = None
    """Why the first thing that was passed over cannot be dreamt."""
    ornament: str = ""
    """The first emoji that asks for nothing."""

    def add(self, index: int, note: str, phrase_meaning: PhraseMeaning) -> None:
        """Take a class for what was read."""
        self.sure = self.sure and not (phrase_meaning.slip or phrase_meaning.within)
        self.left_out.extend(phrase_meaning.besides)
        if index not in self.chosen:
            self.chosen.append(index)
            self.notes.extend([note] if note else [])

    @property
    def exact(self) -> bool:
        """Whether the line was names and nothing else."""
        return self.sure and not self.left_out

    @property
    def note(self) -> str:
        """What a viewer is told: what was guessed, and what was left out; empty for nothing."""
        return "; ".join([*self.notes, *self._left_out()])

    def _left_out(self) -> list[str]:
        if not self.left_out:
            return []
        *firsts, last = [f"'{words}'" for words in dict.fromkeys(self.left_out)]
        named = f"left out {', '.join(firsts)}{' and ' if firsts else ''}{last}"
        return [named, "join things with +"] if self.several else [named]
