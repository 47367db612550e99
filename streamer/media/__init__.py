"""Reading video files: tracks, time stamps, colours, orientation. No torch."""
