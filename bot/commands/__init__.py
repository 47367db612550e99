"""The chat commands, one file for each; ``registry.py`` lists them."""
