"""Encodes frames as H.264, once per different specification, in every format that viewers want."""
