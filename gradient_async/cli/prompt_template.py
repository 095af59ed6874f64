"""A prompt that is kept in a file, with ``{name}`` where ``-p name=value`` or the prompt itself is put in.

Contract: pure. ``{{`` and ``}}`` stand for braces; nothing else is evaluated. ``{text}`` is the prompt that the command
line or a pipe gives; a template without it is followed by that prompt.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import click

from gradient_async._protocol.sources.row_template import FIELD

PROMPT_FIELD = "text"


def split_pairs(option: str, pairs: Iterable[str]) -> dict[str, str]:
    """Return the names and values of *pairs* such as ``name=value``.

    Raises:
        click.UsageError: A pair has no name or no equals sign, or a name comes twice.
    """
    values: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise click.UsageError(f"{option} {pair}: give a name and a value, as {option} name=value.")
        if name in values:
            raise click.UsageError(f"{option} {name} is given twice.")
        values[name] = value
    return values


def find_fields(template: str) -> list[str]:
    """Return the names in braces, each once, in the order of the template.

    Raises:
        click.UsageError: A brace stands alone.
    """
    fields = [match for match in FIELD.finditer(template) if match[0] not in ("{{", "}}")]
    if any(not match[1] for match in fields):
        raise click.UsageError("The template has a brace that is not part of a {name}; double it.")
    return list(dict.fromkeys(match[1] for match in fields))


def fill_template(template: str, values: Mapping[str, str], prompt: str | None) -> str:
    """Return the template with *values* and the *prompt* in the place of their names.

    Raises:
        click.UsageError: A name has no value, or a value no place.
    """
    fields = find_fields(template)
    known = {**({} if prompt is None else {PROMPT_FIELD: prompt}), **values}
    if missing := [name for name in fields if name not in known]:
        raise click.UsageError(f"The template needs a value: {', '.join(f'-p {name}=...' for name in missing)}.")
    if unused := [name for name in values if name not in fields]:
        places = ", ".join(f"{{{name}}}" for name in fields) or "none"
        raise click.UsageError(f"The template has no {{{unused[0]}}}; its fields: {places}.")

    def fill_field(match: re.Match[str]) -> str:
        return match[0][0] if match[0] in ("{{", "}}") else known[match[1]]

    text = FIELD.sub(fill_field, template)
    is_placed = PROMPT_FIELD in fields and PROMPT_FIELD not in values
    return text if prompt is None or is_placed else f"{text.rstrip()}\n\n{prompt}"
