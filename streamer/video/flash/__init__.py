"""Limits flashing in the video (WCAG 2.2, success criterion 2.3.1)."""
