"""Requests as values: paths, headers and JSON bodies of each endpoint."""
