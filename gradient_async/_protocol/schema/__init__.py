"""The caller's own types: JSON Schema, conversion, function tools, structured output."""
