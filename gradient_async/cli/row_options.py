"""The options that say how rows of a source become requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click

system_option = click.option("-s", "--system", help="System instructions, sent before every prompt.")
template_option = click.option(
    "--template", help="Prompt with {column} for the columns of a row, {text} for a line of text."
)
columns_option = click.option("--columns", help="Columns to use, separated by commas; a single one is the prompt.")


def split_columns(columns: str | None) -> list[str] | None:
    """Return the names in *columns*, None without any."""
    return None if columns is None else [name.strip() for name in columns.split(",")]


def build_template(system: str | None, template: str | None, columns: list[str] | None) -> Any:
    """Return the template of a row: *system* instructions, which have no fields, and the prompt."""
    if template is None and columns is not None and len(columns) == 1:
        template = f"{{{columns[0]}}}"
    if system is None:
        return template
    instructions = system.replace("{", "{{").replace("}", "}}")
    return [{"role": "system", "content": instructions}, {"role": "user", "content": template or "{text}"}]


def row_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options for rows to a batch command."""
    options = [
        click.option("-m", "--model", help="Model of the requests that are made of rows. Default: GRADIENT_MODEL."),
        system_option,
        template_option,
        columns_option,
        click.option("--max-tokens", type=click.IntRange(min=1), help="Maximum number of tokens for each row."),
    ]
    for option in reversed(options):
        function = option(function)
    return function


ROW_OPTIONS = ("model", "system", "template", "columns", "max_tokens")


def list_row_options(options: Mapping[str, Any]) -> list[str]:
    """Return the arguments of those of *options* that are set, for a command that goes on."""
    return [
        part
        for name in ROW_OPTIONS
        if options.get(name) is not None
        for part in (f"--{name.replace('_', '-')}", str(options[name]))
    ]
