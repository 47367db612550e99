"""The dream: networks, objectives, algorithms, sources and the worker. The only package that imports torch."""
