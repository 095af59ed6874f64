"""The conversation of ``gradient-async chat`` in a terminal."""
