"""Rolling rate limits without I/O: counting, waiting times, priorities, feedback from the service."""
