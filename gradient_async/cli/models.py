"""``gradient-async models``: list the models that the key may use."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime

import click

from gradient_async import ModelInfo, ModelList
from gradient_async.cli.examples import format_examples
from gradient_async.cli.options import open_session, service_options
from gradient_async.cli.terminal import print_line, remove_controls


@click.command("models", epilog=format_examples("models", "models --json"))
@click.option("--json", "as_json", is_flag=True, help="Print the service's list as one line of JSON.")
@service_options
def models_command(*, as_json: bool, base_url: str | None) -> None:
    """List the models that the key may use.

    In a pipe: one line for each model, with slug, owner and date separated by tabs.
    """
    models = asyncio.run(_fetch_models(base_url))
    if as_json:
        print_line(models.to_json())
    elif sys.stdout.isatty():
        _print_models_table(models)
    else:
        for model in models:
            click.echo("\t".join(_model_cells(model)))


async def _fetch_models(base_url: str | None) -> ModelList:
    async with open_session(base_url) as session:
        return await session.models.list()


def _model_cells(model: ModelInfo) -> tuple[str, str, str]:
    """Return slug, owner and date of creation."""
    created = datetime.fromtimestamp(model.created, UTC).date().isoformat() if model.created else ""
    return model.id, model.owned_by, created


def _print_models_table(models: ModelList) -> None:
    from rich.console import Console  # only for a terminal
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("model", "owner", "since"):
        table.add_column(heading, overflow="fold")
    for model in models:
        table.add_row(*(Text(remove_controls(cell, sys.stdout)) for cell in _model_cells(model)))
    Console().print(table)
