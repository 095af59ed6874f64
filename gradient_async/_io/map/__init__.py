"""Many calls over one source: concurrency, the checkpoint file, the gate at the limiter, threads for sources."""
