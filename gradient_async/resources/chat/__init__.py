"""`session.chat` and `session.agent()`: completions, streams, parse, tools, map."""
