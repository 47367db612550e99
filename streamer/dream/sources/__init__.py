"""What a dream starts from or rides on: noise, pictures, films and cameras. No torch here."""
