"""What a step does: one file for each algorithm, and what they share."""
