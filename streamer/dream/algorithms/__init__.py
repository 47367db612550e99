"""Algorithms, which compute the steps of a dream: one file for each, and the parts that they share."""
