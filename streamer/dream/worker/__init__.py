"""The process that dreams, and who starts, feeds and watches it."""
