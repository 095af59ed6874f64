"""Streams over an open response: iteration, cancellation, idle limits, tee."""
