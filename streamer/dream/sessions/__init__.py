"""One dream from its beginning to its end, and what drives it: a script, a journal, a picture, a film."""
