"""One dream from start to end, and its drivers: the live worker, a script, a journal, a picture, a film."""
