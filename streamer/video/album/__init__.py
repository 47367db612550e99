"""Saves dreams that were on air: a picture of each, and a clip of the video that was encoded for viewers."""
