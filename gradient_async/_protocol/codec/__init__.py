"""JSON text to models and back: the converter, and the fast reader in front of it."""
