"""The text of commands that take one: an argument, text that is piped in, or both."""

from __future__ import annotations

import os
import stat
import sys

import click


def read_prompt(prompt: str | None) -> str:
    """Return *prompt*, followed by text that is piped in; without it, or for ``-``, the text from stdin.

    Raises:
        click.UsageError: There is no text.
    """
    if prompt is None and sys.stdin.isatty():
        raise click.UsageError("Give a prompt, or pipe one in.")
    given = "" if prompt in (None, "-") else prompt or ""
    piped = sys.stdin.read() if not given or is_piped() else ""
    text = "\n\n".join(part for part in (given, piped) if part.strip())
    if not text.strip():
        raise click.UsageError("The prompt is empty: give one, or pipe it in.")
    return text


def read_optional_prompt(prompt: str | None) -> str | None:
    """Return the text as `read_prompt` does; None if there is none, which is no mistake beside a template."""
    if prompt is None and not is_piped():
        return None
    text = sys.stdin.read() if prompt is None else read_prompt(prompt)
    return text if text.strip() else None


def is_piped() -> bool:
    """Whether stdin is a pipe or a file, rather than a terminal or the null device."""
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode) or stat.S_ISSOCK(mode)
