"""Progress bars of maps and batches, in terminals and notebooks. Loaded by the first call with ``progress=True``."""
