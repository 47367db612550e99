"""Requests: the vocabulary, the queue and its rules, and the director, which decides what is on air."""
