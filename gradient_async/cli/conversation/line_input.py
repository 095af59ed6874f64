'''Reads what a person types: a line, or several.

A line that ends with a backslash goes on in the next one. Lines between three quotation marks are one text:

    > """
    . def add(a, b):
    .     return a + b
    . """

Contract: the history of the arrow keys is that of readline, where Python has it, and is kept in a file of the owner.
'''

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

PROMPT, CONTINUATION = "> ", ". "
_QUOTES = '"""'
_HISTORY_LINES = 1000

ReadLine = Callable[[str], str]
"""Returns the line that is typed after a prompt; raises EOFError at the end of the input."""


def read_text(read_line: ReadLine) -> str:
    """Return the next text.

    Raises:
        EOFError: The input has ended before a text began.
    """
    line = read_line(PROMPT)
    if line.lstrip().startswith(_QUOTES):
        return _read_quoted(line.lstrip().removeprefix(_QUOTES), read_line)
    lines = [line]
    with suppress(EOFError):
        while lines[-1].endswith("\\"):
            lines[-1] = lines[-1][:-1]
            lines.append(read_line(CONTINUATION))
    return "\n".join(lines)


def _read_quoted(first: str, read_line: ReadLine) -> str:
    """Return the lines up to the closing quotation marks, or up to the end of the input."""
    lines = [first]
    with suppress(EOFError):
        while not lines[-1].rstrip().endswith(_QUOTES):
            lines.append(read_line(CONTINUATION))
    lines[-1] = lines[-1].rstrip().removesuffix(_QUOTES)
    return "\n".join(lines).strip("\n")


def load_line_history(path: Path | None) -> Callable[[], None]:
    """Give `input` its editing keys and the lines of the file at *path*; return the function that saves them there."""
    try:
        import readline  # not on every platform
    except ImportError:
        return lambda: None
    if path is None:
        return lambda: None
    with suppress(OSError):
        readline.read_history_file(path)

    def save_lines() -> None:
        readline.set_history_length(_HISTORY_LINES)
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(mode=0o600)
            readline.write_history_file(path)

    return save_lines
