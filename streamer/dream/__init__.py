"""What is dreamt: networks, objective, prior, ascent, canvas, worker. The only importer of torch."""
