"""Decisions about rows: how bytes become lines, lines rows, and rows requests."""
