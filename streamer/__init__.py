"""zoomdream: a live stream that dreams what its viewers ask for."""

__version__ = "0.2.0"
"""The only place that states it: pyproject.toml, the command line and the status read it here."""
