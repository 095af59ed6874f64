"""Raw calls of the batch API and of its storage host."""

from tests.support.emulator_batches import calls, calls_of, dump, gradient, http, line, lines

__all__ = ["calls", "calls_of", "dump", "gradient", "http", "line", "lines"]
