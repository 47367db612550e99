"""Writes frames and sound to files, and reads the facts and sound of videos."""
