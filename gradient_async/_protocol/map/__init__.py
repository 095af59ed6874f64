"""Decisions of a map: records of a checkpoint, progress, when to stop."""
