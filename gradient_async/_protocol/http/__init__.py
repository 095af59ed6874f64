"""Responses and retries: bodies, errors, headers, credentials, timeouts."""
