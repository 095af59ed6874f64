"""What a docstring says to a model: its first paragraph, and the descriptions of its arguments.

Contract: a docstring of any shape yields something; only sections as Google's style has them describe arguments.
Source: Google Python Style Guide, 3.8.3 and 3.8.4.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from itertools import takewhile

_SECTIONS = ("Args:", "Arguments:", "Parameters:", "Attributes:")
_ENTRY = re.compile(r"\*{0,2}(?P<name>\w+)\s*(?:\([^)]*\))?:\s*(?P<text>.*)")


def first_paragraph(doc: str | None) -> str:
    """Return the first paragraph of *doc* on one line, ``""`` if there is none."""
    lines = list(takewhile(str.strip, inspect.cleandoc(doc or "").splitlines()))
    return "" if not lines or lines[0] in _SECTIONS else " ".join(line.strip() for line in lines)


def argument_descriptions(doc: str | None) -> dict[str, str]:
    """Return what the sections of *doc* say about each argument or attribute."""
    found: dict[str, str] = {}
    name = ""
    for depth, line in _section_lines(inspect.cleandoc(doc or "").splitlines()):
        entry = _ENTRY.fullmatch(line) if depth == 0 else None
        if entry is not None:
            name = entry["name"]
            found[name] = entry["text"]
        elif name:
            found[name] = f"{found[name]} {line}".strip()
    return found


def _section_lines(lines: list[str]) -> Iterator[tuple[int, str]]:
    """Yield the lines of the sections, and how much deeper each is indented than the section's first."""
    first: int | None = None
    is_inside = False
    for line in lines:
        text = line.strip()
        indent = len(line) - len(line.lstrip())
        if text and not indent:
            is_inside, first = text in _SECTIONS, None
        elif text and is_inside:
            first = indent if first is None else first
            yield max(indent - first, 0), text
