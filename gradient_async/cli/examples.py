"""The examples at the end of each command's help.

Contract: pure; loads nothing.
"""

from __future__ import annotations


def format_examples(*commands: str) -> str:
    """Return *commands* as an epilog that click does not wrap; the program's name is added to those that lack it."""
    return "\n".join(["\b", "Examples:", *(f"  {_name_program(command)}" for command in commands)])


def _name_program(command: str) -> str:
    return command if "gradient-async" in command else f"gradient-async {command}"
