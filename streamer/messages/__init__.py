"""The types that packages exchange, by topic: frozen dataclasses, enums and the exception for refusals."""
