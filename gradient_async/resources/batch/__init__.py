"""`session.batches`: submit, wait, results, report, retry."""
