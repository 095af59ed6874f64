"""One HTTP request: retries, limiter, hooks, connection pool, response body."""
