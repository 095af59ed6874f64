"""One budget for many processes and machines, kept in Redis."""
