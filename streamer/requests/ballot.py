"""Votes to see something else than what is on air."""

from __future__ import annotations

MOST = 10_000
"""Voters counted for one scene: far more than it can take."""


class Ballot:
    """Who wants which scene to end; a new scene starts at none. Not thread-safe."""

    def __init__(self) -> None:
        self._scene: int | None = None
        self._voters: set[str] = set()

    def cast(self, scene: int, voter: str) -> int:
        """Count a vote against a scene, each voter's once; returns how many there are."""
        if scene != self._scene:
            self._scene, self._voters = scene, set()
        if len(self._voters) < MOST:
            self._voters.add(voter)
        return len(self._voters)
