"""Batch files on disk and in storage: input, journal, upload, download, polling."""
