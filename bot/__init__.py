"""The chat bot; speaks HTTP to the streamer and never imports it."""
