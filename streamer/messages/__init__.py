"""What passes between the packages: frozen dataclasses, enums and the exception for refusals, by topic."""
