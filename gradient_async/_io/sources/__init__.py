"""Rows of files, byte streams and tables, for maps and batches."""
