"""What the batch commands share: their options, the session, and how a job is shown."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import click

from gradient_async import AsyncSession, Poll
from gradient_async._protocol.batch.api import AUTO
from gradient_async.cli.batch.progress_view import View, note
from gradient_async.cli.exit_codes import Exit
from gradient_async.cli.terminal import put
from gradient_async.models.batch import Batch
from gradient_async.resources.batch.job import BatchJob
from gradient_async.resources.batch.options import SubmitOptions

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]
PATH = click.Path(path_type=Path)
_READABLE = click.Path(exists=True, dir_okay=False, allow_dash=True)

source_argument = click.argument("source", type=_READABLE)
batch_id_argument = click.argument("batch_id")
json_option = click.option("--json", "as_json", is_flag=True, help="Print the whole answer as JSON.")
base_url_option = click.option("--base-url", help="Another address of the service.")
every_option = click.option(
    "--every", type=click.FloatRange(min=0.01), default=2.0, help="Seconds between looks at first."
)
timeout_option = click.option(
    "--timeout", type=click.FloatRange(min=0), help="Seconds to wait; the job goes on after it."
)


def submit_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of everything that submits."""
    options: list[Decorator] = [
        click.option("--provider", type=click.Choice(["openai", "anthropic"]), default="openai", show_default=True),
        click.option("--endpoint", default=AUTO, help="What every request is sent to; 'none' sends none."),
        click.option("--metadata", multiple=True, metavar="KEY=VALUE", help="To find the job by; any number."),
        click.option("--split", is_flag=True, help="Make several jobs of an input that is too large for one."),
    ]
    for option in reversed(options):
        function = option(function)
    return function


def options_of(provider: Any, endpoint: str, metadata: tuple[str, ...], *, split: bool) -> SubmitOptions:
    """Return the options that `submit_options` added, as the library takes them."""
    if wrong := next((pair for pair in metadata if "=" not in pair), None):
        raise click.UsageError(f"--metadata {wrong}: give a name and a value, as {wrong}=VALUE.")
    pairs = dict(pair.partition("=")[::2] for pair in metadata)
    chosen = None if endpoint == "none" else endpoint
    return SubmitOptions(provider=provider, endpoint=chosen, metadata=pairs or None, split=split)


def input_of(source: str) -> str | bytes:
    """Return the path, or what stdin holds."""
    return sys.stdin.buffer.read() if source == "-" else source


async def watch(job: BatchJob, view: View, every: float, timeout: float | None) -> None:
    """Show a job until its end."""
    async for batch in job.progress(poll=Poll(first=every, longest=max(every, 60.0)), timeout=timeout):
        view.batch(batch)


def show(batch: Batch, *, as_json: bool) -> None:
    """Print a job on stdout, its faults on stderr."""
    put(batch.to_json() if as_json else "\t".join(row(batch)))
    for fault in batch.errors:
        note(str(fault))


def row(batch: Batch) -> tuple[str, ...]:
    """Return a job as cells: id, status, completed, failed, total, time."""
    counts = batch.request_counts
    created = batch.created_at.isoformat() if batch.created_at else ""
    return batch.batch_id, batch.status, str(counts.completed), str(counts.failed), str(counts.total), created


def with_session(base_url: str | None, work: Callable[[AsyncSession], Coroutine[Any, Any, Exit | None]]) -> None:
    """Run *work* with a session; end with its exit code."""

    async def within() -> Exit | None:
        async with AsyncSession(base_url=base_url) as session:
            return await work(session)

    if code := asyncio.run(within()):
        click.get_current_context().exit(code)
