"""The emulator's language model: deterministic text, token counts, schema samples."""
