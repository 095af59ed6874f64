"""The emulator's language model: deterministic text, samples of JSON Schemas, token counts."""
