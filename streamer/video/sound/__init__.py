"""What is heard: music, radio or silence, decoded, levelled and encoded."""
