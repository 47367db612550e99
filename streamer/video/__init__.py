"""Makes the video from keyframes: interpolation, captions, encoding, sound, outputs and files."""
