"""The emulator's web server: routing, dispatch, rate limits, delivery of responses."""
