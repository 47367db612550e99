"""Frames to H.264, once for all who want the same, in every form it is handed out in."""
