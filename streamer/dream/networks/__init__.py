"""The networks: their layers, their weights, and the sources of the weights."""
