"""Decisions about HTTP: response bodies, errors, headers, retries, credentials, time limits."""
