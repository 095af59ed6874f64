"""The library's advice in the words of the command line: options instead of Python arguments.

Contract: pure.
"""

from __future__ import annotations

_OPTIONS = {
    "Pass split=True for several jobs, or other limits.": "Pass --split for several jobs.",
    "Pass api_key=... or set one of": "Set one of",
    "pass another journal for another job": "pass another --journal for another job",
}


def name_options(text: str) -> str:
    """Return *text* with the names of options in the place of Python arguments."""
    for argument, option in _OPTIONS.items():
        text = text.replace(argument, option)
    return text
