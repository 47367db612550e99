"""The sound of the stream: music, radio or silence, decoded, levelled and encoded."""
