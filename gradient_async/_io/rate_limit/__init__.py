"""The limiter that waits: a queue of callers in front of the token bucket."""
