"""Keeps the video from flashing (WCAG 2.2, success criterion 2.3.1)."""
