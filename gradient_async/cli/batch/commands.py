"""``gradient-async batch``: thousands of requests as one job.

Contract: results and ids go to stdout, everything else to stderr. `run` never pays twice: repeated with the same
arguments, it continues an interrupted run.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click

from gradient_async import AsyncSession
from gradient_async._io.batch.input_source import Source
from gradient_async.cli.batch.common import (
    JOB_COLUMNS,
    JOB_WIDTHS,
    PATH,
    batch_id_argument,
    build_submit_options,
    every_option,
    json_option,
    list_cells,
    open_source,
    print_job,
    run_with_session,
    source_argument,
    submit_options,
    timeout_option,
    watch_job,
)
from gradient_async.cli.batch.progress_view import create_view, print_note
from gradient_async.cli.batch.report_view import print_validation
from gradient_async.cli.batch.retry import report_command, retry_command
from gradient_async.cli.batch.run import run_command
from gradient_async.cli.examples import format_examples
from gradient_async.cli.exit_codes import ExitCode
from gradient_async.cli.options import job_options, service_options
from gradient_async.cli.terminal import align_cells, print_line
from gradient_async.models.batch import Batch
from gradient_async.resources.batch.options import SubmitOptions


@click.group("batch", epilog=format_examples("batch validate prompts.jsonl", "batch run prompts.jsonl", "batch list"))
def batch_command() -> None:
    """Run thousands of requests as one job, within a day."""


batch_command.add_command(run_command)
batch_command.add_command(retry_command)
batch_command.add_command(report_command)


@batch_command.command(
    "submit",
    epilog=format_examples(
        "batch submit prompts.jsonl --metadata team=search", "batch submit prompts.jsonl --journal prompts.journal"
    ),
)
@source_argument
@click.option("--journal", type=PATH, help="Journal file: with it, repeating the command returns the same job.")
@submit_options
@json_option
@service_options
def submit_command(*, source: str, journal: Path | None, as_json: bool, base_url: str | None, **options: Any) -> None:
    """Submit SOURCE, which is as for batch run, and print the id of its job."""
    submission = build_submit_options(source, **options)
    submission["journal"] = journal
    way_on = (
        "Interrupted. Run the same command to go on; it pays once."
        if journal
        else "Interrupted. The job may exist: gradient-async batch list. With --journal FILE, repeating pays once."
    )
    work = partial(_submit_source, open_source(source), submission, as_json=as_json)
    run_with_session(base_url, work, interrupted=way_on)


async def _submit_source(source: Source, options: SubmitOptions, session: AsyncSession, *, as_json: bool) -> None:
    with create_view() as view:
        options["on_step"] = view.show_step
        job = await session.batches.submit(source, **options)
    if as_json:
        print_line((job.batch or await job.refresh()).to_json())
    else:
        print_line(job.batch_id)


@batch_command.command("status", epilog=format_examples("batch status 7f0c6f5e-0000-4000-8000-000000000000"))
@batch_id_argument
@json_option
@service_options
def status_command(*, batch_id: str, as_json: bool, base_url: str | None) -> None:
    """Show the current status of a job."""

    async def show_status(session: AsyncSession) -> None:
        print_job(await session.batches.job(batch_id).refresh(), as_json=as_json)

    run_with_session(base_url, show_status)


@batch_command.command("wait", epilog=format_examples("batch wait 7f0c6f5e-0000-4000-8000-000000000000 --timeout 3600"))
@batch_id_argument
@every_option
@timeout_option
@json_option
@job_options
def wait_command(*, batch_id: str, every: float, timeout: float | None, as_json: bool, base_url: str | None) -> None:
    """Wait until a job ends. Exit code 1: it did not complete."""

    async def wait_for_job(session: AsyncSession) -> None:
        job = session.batches.job(batch_id)
        with create_view() as view:
            await watch_job(job, view, every, timeout)
        print_job(await job.wait(), as_json=as_json)

    way_on = "Interrupted. The job continues at the service; run the same command to wait for it again."
    run_with_session(base_url, wait_for_job, interrupted=way_on)


@batch_command.command(
    "results",
    epilog=format_examples("batch results 7f0c6f5e-0000-4000-8000-000000000000 -o results.jsonl --errors errors.jsonl"),
)
@batch_id_argument
@click.option("-o", "--output", type=PATH, help="File for the results, instead of stdout.")
@click.option("--errors", type=PATH, help="File for the failed requests, with --output.")
@service_options
def results_command(*, batch_id: str, output: Path | None, errors: Path | None, base_url: str | None) -> None:
    """Print the results of a job, or save them.

    On stdout: the lines of the output file, then those of the failed requests. Exit code 3: some requests failed.
    """
    if errors is not None and output is None:
        raise click.UsageError("--errors needs --output.")
    work = partial(_print_results, batch_id) if output is None else partial(_save_results, batch_id, output, errors)
    run_with_session(base_url, work, interrupted="Interrupted. Run the same command to read the results again.")


async def _print_results(batch_id: str, session: AsyncSession) -> ExitCode:
    failed = 0
    async for result in session.batches.job(batch_id).results():
        failed += not result.ok
        if result.raw:
            sys.stdout.write(json.dumps(result.raw, separators=(",", ":")) + "\n")
        else:
            print_note(str(result.error))
    return ExitCode.PARTIAL if failed else ExitCode.OK


async def _save_results(batch_id: str, output: Path, errors: Path | None, session: AsyncSession) -> ExitCode:
    with create_view() as view:
        saved = await session.batches.job(batch_id).download(output, errors=errors, on_progress=view.show_download)
    click.echo(str(saved.output))
    return ExitCode.PARTIAL if saved.errors_size else ExitCode.OK


@batch_command.command("cancel", epilog=format_examples("batch cancel 7f0c6f5e-0000-4000-8000-000000000000"))
@batch_id_argument
@json_option
@service_options
def cancel_command(*, batch_id: str, as_json: bool, base_url: str | None) -> None:
    """Cancel a job; the results it already has stay available."""

    async def cancel_job(session: AsyncSession) -> None:
        print_job(await session.batches.job(batch_id).cancel(), as_json=as_json)

    run_with_session(base_url, cancel_job)


@batch_command.command(
    "list", epilog=format_examples("batch list --status in_progress", "batch list --json | head -n 1")
)
@click.option(
    "-n", "--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Maximum number of jobs."
)
@click.option("--status", "wanted_status", help="Only jobs with this status.")
@click.option("--no-header", is_flag=True, help="Leave out the line with the names of the columns.")
@json_option
@service_options
def list_command(
    *, limit: int, wanted_status: str | None, no_header: bool, as_json: bool, base_url: str | None
) -> None:
    """List jobs, newest first.

    One line for each job: id, status, completed, failed, total and time. A terminal shows columns with a header; a
    pipe receives the cells separated by tabs.
    """
    is_terminal = sys.stdout.isatty()
    format_line = partial(align_cells, widths=JOB_WIDTHS) if is_terminal else "\t".join
    if is_terminal and not (as_json or no_header):
        print_line(format_line(JOB_COLUMNS))

    def format_batch(batch: Batch) -> str:
        return batch.to_json() if as_json else format_line(list_cells(batch))

    run_with_session(base_url, partial(_list_jobs, limit, wanted_status, format_batch))


async def _list_jobs(
    limit: int, wanted_status: str | None, format_batch: Callable[[Batch], str], session: AsyncSession
) -> None:
    remaining = limit
    async for batch in session.batches.list(limit=min(limit, 100), status=wanted_status):
        print_line(format_batch(batch))
        remaining -= 1
        if not remaining:
            return


@batch_command.command(
    "validate",
    epilog=format_examples(
        "batch validate prompts.jsonl", "batch validate words.csv --columns word --model openai-gpt-5.4-mini"
    ),
)
@source_argument
@submit_options
@json_option
def validate_command(*, source: str, as_json: bool, **options: Any) -> None:
    """Check every line of SOURCE without sending anything. Exit code 2: there are faults.

    SOURCE is as for batch run; - reads stdin.
    """
    submission = build_submit_options(source, **options)
    del submission["metadata"]
    work = partial(_validate_source, open_source(source), submission, as_json=as_json)
    run_with_session(None, work, interrupted="Interrupted. Nothing was sent; run the same command to check again.")


async def _validate_source(source: Source, options: Any, session: AsyncSession, *, as_json: bool) -> ExitCode:
    return print_validation(await session.batches.validate(source, **options), as_json=as_json)
