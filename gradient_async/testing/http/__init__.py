"""The emulator's HTTP server: routing, dispatch, rate limits, delivery of responses."""
