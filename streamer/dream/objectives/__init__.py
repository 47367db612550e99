"""Objectives: one file for each kind of target, and the modules that combine several targets."""
