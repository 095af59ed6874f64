"""Shared by the batch commands: options, the session, and the output of a job."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, BinaryIO, TypedDict, cast

import click

from gradient_async import AsyncSession, Poll
from gradient_async._protocol.batch.api_requests import AUTO
from gradient_async.cli.batch.progress_view import ProgressView, print_note
from gradient_async.cli.exit_codes import ExitCode
from gradient_async.cli.interruption import run_interruptible
from gradient_async.cli.options import SECONDS, choice_option, open_session
from gradient_async.cli.row_options import build_template, row_options, split_columns
from gradient_async.cli.settings import MODEL_VARIABLE
from gradient_async.cli.terminal import print_line
from gradient_async.models.batch import Batch
from gradient_async.resources.batch.job import BatchJob
from gradient_async.resources.batch.options import SubmitOptions
from gradient_async.resources.batch.row_lines import is_row_file

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]
PATH = click.Path(path_type=Path)

source_argument = click.argument("source", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
batch_id_argument = click.argument("batch_id")
json_option = click.option("--json", "as_json", is_flag=True, help="Print the whole response as one line of JSON.")
every_option = click.option(
    "--every",
    type=SECONDS,
    default=2.0,
    help="Seconds before the first status request; the interval grows from there.",
)
timeout_option = click.option(
    "--timeout", type=click.FloatRange(min=0), help="Seconds to wait; the job itself continues after that."
)


def submit_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of the commands that submit or validate an input."""
    options: list[Decorator] = [
        choice_option("--provider", "openai", "anthropic", description="Format of the input lines."),
        click.option(
            "--endpoint", default=AUTO, help="Endpoint of all requests; 'none' leaves it out of the submission."
        ),
        click.option("--metadata", multiple=True, metavar="KEY=VALUE", help="Metadata of the job; repeatable."),
        click.option("--split", is_flag=True, help="Submit an input that is too large for one job as several."),
    ]
    for option in reversed(options):
        function = option(function)
    return row_options(function)


def build_submit_options(
    source: str, provider: Any, endpoint: Any, metadata: tuple[str, ...], *, split: bool, **rows: Any
) -> SubmitOptions:
    """Return the values of `submit_options` in the form that `Batches.submit` takes."""
    if wrong := next((pair for pair in metadata if "=" not in pair), None):
        raise click.UsageError(f"--metadata {wrong}: give a name and a value, as {wrong}=VALUE.")
    pairs = dict(pair.partition("=")[::2] for pair in metadata)
    chosen = None if endpoint == "none" else endpoint
    options = SubmitOptions(provider=provider, endpoint=chosen, metadata=pairs or None, split=split)
    return cast("SubmitOptions", {**options, **build_row_options(source, **rows)})  # both are parts of it


class RowArguments(TypedDict, total=False):
    """The options of `Batches.submit` about rows."""

    template: Any
    columns: list[str] | None
    params: dict[str, Any]


def build_row_options(
    source: str,
    *,
    model: str | None,
    system: str | None,
    template: str | None,
    columns: str | None,
    max_tokens: int | None,
) -> RowArguments:
    """Return the values of `row_options` in the form that `Batches.submit` takes.

    Any of them makes rows of the lines of *source*; an environment variable alone does not.
    """
    names = split_columns(columns)
    filled = build_template(system, template, names)
    given = (filled, names, model, max_tokens)
    if all(each is None for each in given) and not is_row_file(source):
        return RowArguments()
    params = {"model": model or os.environ.get(MODEL_VARIABLE), "max_tokens": max_tokens}
    known = {name: value for name, value in params.items() if value is not None}
    return RowArguments(template=filled, columns=names, params=known)


def open_source(source: str) -> str | BinaryIO:
    """Return the path, or for ``-`` stdin, which is read when the source is opened."""
    return sys.stdin.buffer if source == "-" else source


async def watch_job(job: BatchJob, view: ProgressView, every: float, timeout: float | None) -> None:
    """Display the progress of a job until it ends; *every* and *timeout* are in seconds."""
    async for batch in job.progress(poll=Poll(first=every, longest=max(every, 60.0)), timeout=timeout):
        view.show_job(batch)


def print_job(batch: Batch, *, as_json: bool) -> None:
    """Print a job on stdout and its faults on stderr."""
    print_line(batch.to_json() if as_json else format_job(batch))
    for fault in batch.errors:
        print_note(str(fault))


JOB_COLUMNS = ("id", "status", "completed", "failed", "total", "created")
JOB_WIDTHS = (36, 11, 9, 6, 5)
"""Columns of a terminal for all cells but the last: an id is a UUID, the longest status is ``in_progress``."""


def format_job(batch: Batch) -> str:
    """Return the cells of a job, separated by tabs."""
    return "\t".join(list_cells(batch))


def list_cells(batch: Batch) -> tuple[str, ...]:
    """Return the cells of a job, by `JOB_COLUMNS`."""
    counts = batch.request_counts
    created = batch.created_at.isoformat() if batch.created_at else ""
    return (batch.batch_id, batch.status, str(counts.completed), str(counts.failed), str(counts.total), created)


def run_with_session(
    base_url: str | None,
    work: Callable[[AsyncSession], Coroutine[Any, Any, ExitCode | None]],
    *,
    interrupted: str = "",
) -> None:
    """Run *work* with an open session and exit with the code it returns; print *interrupted* after a Ctrl-C."""

    async def run_work() -> ExitCode | None:
        async with open_session(base_url) as session:
            return await work(session)

    try:
        code = run_interruptible(run_work())
    except KeyboardInterrupt:
        if interrupted:
            print_note(interrupted)
        raise
    if code:
        click.get_current_context().exit(code)
