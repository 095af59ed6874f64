"""Scripted behaviour: replies and faults that a test queues for the next calls."""
