"""What the streamer and the bot share: viewers' roles, the cleaning of what viewers type, and the base of settings blocks."""
