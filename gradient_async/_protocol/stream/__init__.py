"""Server-sent events to typed chunks, and chunks to the assembled response."""
