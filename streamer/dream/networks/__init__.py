"""The networks: their layers, their weights, and where those come from."""
