"""Turns keyframes into frames: frame clock, interpolation, captions, flash limiter."""
