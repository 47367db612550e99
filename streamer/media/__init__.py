"""What a film holds and how it is meant: its tracks, its times, its colours, which way is up. No torch."""
