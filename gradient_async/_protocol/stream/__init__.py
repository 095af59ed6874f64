"""Server-sent events to typed chunks, and chunks to the assembled response."""

MAX_EVENT_BYTES = 16 * 1024 * 1024
"""Maximum size of one event unless a session says otherwise; here, for a session needs no parser."""
