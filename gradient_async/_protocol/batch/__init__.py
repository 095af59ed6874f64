"""The batch API without I/O: input lines, validation, journal, results, polling."""
