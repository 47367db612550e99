"""Films and cameras, and the dream that rides on them."""
