"""What the ascent climbs: one file for each kind of target, and what puts several of them together."""
