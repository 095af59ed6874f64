"""One request on its way: retries, limiter, hooks, connection pool, response body."""
