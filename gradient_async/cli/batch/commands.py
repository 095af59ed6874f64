"""``gradient-async batch``: thousands of requests as one job.

Contract: results and ids on stdout, everything else on stderr. What was paid for survives the command: `run` goes
on where an earlier run with the same arguments was interrupted, however that happened.
"""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import click

from gradient_async import AsyncSession
from gradient_async.cli.batch.common import (
    PATH,
    base_url_option,
    batch_id_argument,
    every_option,
    input_of,
    json_option,
    options_of,
    row,
    show,
    source_argument,
    submit_options,
    timeout_option,
    watch,
    with_session,
)
from gradient_async.cli.batch.progress_view import new_view, note, size_of
from gradient_async.cli.batch.run import run
from gradient_async.cli.exit_codes import Exit
from gradient_async.cli.terminal import put
from gradient_async.models.batch_result import BatchResult
from gradient_async.resources.batch.options import SubmitOptions


@click.group("batch")
def command() -> None:
    """Thousands of requests as one job, within a day."""


command.add_command(run)


@command.command()
@source_argument
@click.option("--journal", type=PATH, help="By which the same command returns the same job.")
@submit_options
@json_option
@base_url_option
def submit(*, source: str, journal: Path | None, as_json: bool, base_url: str | None, **options: Any) -> None:
    """Submit SOURCE and print the id of its job."""
    given = options_of(**options)
    given["journal"] = journal
    with_session(base_url, partial(_submit, input_of(source), given, as_json=as_json))


async def _submit(source: str | bytes, options: SubmitOptions, session: AsyncSession, *, as_json: bool) -> None:
    with new_view() as view:
        options["on_step"] = view.step
        job = await session.batches.submit(source, **options)
    if as_json:
        put((job.batch or await job.refresh()).to_json())
    else:
        put(job.batch_id)


@command.command()
@batch_id_argument
@json_option
@base_url_option
def status(*, batch_id: str, as_json: bool, base_url: str | None) -> None:
    """Show how a job is now."""
    with_session(base_url, partial(_status, batch_id, as_json=as_json))


async def _status(batch_id: str, session: AsyncSession, *, as_json: bool) -> None:
    show(await session.batches.job(batch_id).refresh(), as_json=as_json)


@command.command()
@batch_id_argument
@every_option
@timeout_option
@json_option
@base_url_option
def wait(*, batch_id: str, every: float, timeout: float | None, as_json: bool, base_url: str | None) -> None:
    """Wait for the end of a job; exit code 1 if it did not complete."""
    with_session(base_url, partial(_wait, batch_id, every, timeout, as_json=as_json))


async def _wait(batch_id: str, every: float, timeout: float | None, session: AsyncSession, *, as_json: bool) -> None:
    job = session.batches.job(batch_id)
    with new_view() as view:
        await watch(job, view, every, timeout)
    show(await job.wait(), as_json=as_json)


@command.command()
@batch_id_argument
@click.option("-o", "--output", type=PATH, help="A file for the results, instead of stdout.")
@click.option("--errors", type=PATH, help="A file for the failed requests, with --output.")
@base_url_option
def results(*, batch_id: str, output: Path | None, errors: Path | None, base_url: str | None) -> None:
    """Print the results of a job, or save them.

    On stdout come the lines of the output file, then those of the failed requests. Exit code 3: some failed.
    """
    if errors is not None and output is None:
        raise click.UsageError("--errors needs --output.")
    work = partial(_print_results, batch_id) if output is None else partial(_save_results, batch_id, output, errors)
    with_session(base_url, work)


async def _print_results(batch_id: str, session: AsyncSession) -> Exit:
    failed = 0
    async for result in session.batches.job(batch_id).results():
        failed += not result.ok
        _print_result(result)
    return Exit.PARTIAL if failed else Exit.OK


def _print_result(result: BatchResult) -> None:
    if result.raw:
        sys.stdout.write(json.dumps(result.raw, separators=(",", ":")) + "\n")
    else:
        note(str(result.error))


async def _save_results(batch_id: str, output: Path, errors: Path | None, session: AsyncSession) -> Exit:
    with new_view() as view:
        saved = await session.batches.job(batch_id).download(output, errors=errors, on_progress=view.saved)
    click.echo(str(saved.output))
    return Exit.PARTIAL if saved.errors_size else Exit.OK


@command.command()
@batch_id_argument
@json_option
@base_url_option
def cancel(*, batch_id: str, as_json: bool, base_url: str | None) -> None:
    """Ask for the end of a job; what is done by then stays available."""
    with_session(base_url, partial(_cancel, batch_id, as_json=as_json))


async def _cancel(batch_id: str, session: AsyncSession, *, as_json: bool) -> None:
    show(await session.batches.job(batch_id).cancel(), as_json=as_json)


@command.command("list")
@click.option("-n", "--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many jobs.")
@click.option("--status", "wanted", help="Only jobs with this status.")
@json_option
@base_url_option
def list_jobs(*, limit: int, wanted: str | None, as_json: bool, base_url: str | None) -> None:
    """List jobs, newest first: id, status, completed, failed, total and time, separated by tabs."""
    with_session(base_url, partial(_list, limit, wanted, as_json=as_json))


async def _list(limit: int, wanted: str | None, session: AsyncSession, *, as_json: bool) -> None:
    left = limit
    async for batch in session.batches.list(limit=min(limit, 100), status=wanted):
        put(batch.to_json() if as_json else "\t".join(row(batch)))
        left -= 1
        if not left:
            return


@command.command()
@source_argument
@submit_options
@json_option
def validate(*, source: str, as_json: bool, **options: Any) -> None:
    """Check every line of SOURCE; nothing is sent. Exit code 2 if there are faults."""
    given = options_of(**options)
    del given["metadata"]
    with_session(None, partial(_validate, input_of(source), given, as_json=as_json))


async def _validate(source: str | bytes, options: Any, session: AsyncSession, *, as_json: bool) -> Exit:
    report = await session.batches.validate(source, **options)
    if as_json:
        click.echo(json.dumps(attrs.asdict(report) | {"ok": report.ok}))
    else:
        for fault in report.faults:
            click.echo(fault)
    note(f"{report.requests} requests, {size_of(report.size)}, {report.total} fault(s), {len(report.parts)} job(s)")
    return Exit.OK if report.ok else Exit.USAGE
