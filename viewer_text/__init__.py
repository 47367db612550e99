"""What viewers type, made fit to be read and shown. Pure; the streamer and the bot share it, and it knows neither."""
