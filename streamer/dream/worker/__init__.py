"""The worker process, which renders the dream, and the renderer, which starts, feeds and watches it."""
