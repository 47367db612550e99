"""The pages, the JSON API, live video."""
