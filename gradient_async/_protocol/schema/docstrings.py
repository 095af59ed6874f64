"""Docstrings for models: the first paragraph, and the description of each argument.

Contract: any docstring is accepted; only sections in Google style describe arguments.
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


def parse_argument_descriptions(doc: str | None) -> dict[str, str]:
    """Return the descriptions of arguments and attributes in the sections of *doc*, by name."""
    descriptions: dict[str, str] = {}
    name = ""
    for depth, line in _section_lines(inspect.cleandoc(doc or "").splitlines()):
        entry = _ENTRY.fullmatch(line) if depth == 0 else None
        if entry is not None:
            name = entry["name"]
            descriptions[name] = entry["text"]
        elif name:
            descriptions[name] = f"{descriptions[name]} {line}".strip()
    return descriptions


def _section_lines(lines: list[str]) -> Iterator[tuple[int, str]]:
    """Yield each line inside a section, with its indentation relative to the section's first line."""
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
