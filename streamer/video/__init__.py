"""What is shown: clock, interpolation, captions, encoding."""
