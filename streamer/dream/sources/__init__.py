"""Sources of a dream, as its start or its base: noise, pictures, films and cameras. No torch here."""
