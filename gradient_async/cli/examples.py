"""The examples at the end of each command's help.

Contract: pure; loads nothing.
"""

from __future__ import annotations


def format_examples(*commands: str) -> str:
    """Return *commands*, without the program's name, as an epilog that click does not wrap."""
    return "\n".join(["\b", "Examples:", *(f"  gradient-async {command}" for command in commands)])
