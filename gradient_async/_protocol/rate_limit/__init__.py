"""Rolling windows: counting, waiting times, priorities, feedback from the service."""
