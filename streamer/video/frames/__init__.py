"""Keyframes to frames: the clock, the path between keyframes, captions."""
