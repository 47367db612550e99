"""Figures of an acceptance script, each printed with its limit when it is measured."""

from __future__ import annotations

from collections.abc import Sequence


class Figures:
    """Prints figures and remembers whether all of them hold."""

    def __init__(self) -> None:
        self.missed: list[str] = []

    def at_most(self, what: str, value: float, limit: float, unit: str = "") -> None:
        """Judge a figure with an upper limit."""
        self._print(what, value <= limit, f"{value:.6g} {unit}".strip(), f"at most {limit:g}")

    def at_least(self, what: str, value: float, limit: float, unit: str = "") -> None:
        """Judge a figure with a lower limit."""
        self._print(what, value >= limit, f"{value:.6g} {unit}".strip(), f"at least {limit:g}")

    def within(self, what: str, value: float, aim: float, share: float, unit: str = "") -> None:
        """Judge a figure that may differ from its aim by a share of it."""
        good = abs(value - aim) <= share * aim
        self._print(what, good, f"{value:.6g} {unit}".strip(), f"{aim:g} ± {100 * share:g} %")

    def holds(self, what: str, good: object, seen: object = "") -> None:
        """Judge a condition that holds or does not."""
        self._print(what, bool(good), str(seen) or ("yes" if good else "no"), "")

    def _print(self, what: str, good: bool, seen: str, limit: str) -> None:
        if not good:
            self.missed.append(what)
        print(f"{'ok ' if good else 'NOT'} {what}: {seen}{f' ({limit})' if limit else ''}", flush=True)

    def end(self) -> int:
        """Print the verdict; return the exit code."""
        print(f"NOT ok: {'; '.join(self.missed)}" if self.missed else "ok", flush=True)
        return int(bool(self.missed))


def note(text: str) -> None:
    """Print a line without a limit."""
    print(f"    {text}", flush=True)


def part(values: Sequence[float], share: float) -> float:
    """Return the value that this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
