"""``gradient-async batch retry`` and ``batch report``: what a job has answered, and the rest of it again."""

from __future__ import annotations

import json
from itertools import chain
from pathlib import Path
from typing import Any

import attrs
import click

from gradient_async import AsyncSession, BatchJob
from gradient_async.cli.batch.common import (
    PATH,
    batch_id_argument,
    build_row_options,
    every_option,
    json_option,
    open_source,
    run_with_session,
    source_argument,
    timeout_option,
)
from gradient_async.cli.batch.report_view import print_report_faults, summarize_report
from gradient_async.cli.batch.run import Run, RunFiles, build_command, remove_suffixes
from gradient_async.cli.examples import format_examples
from gradient_async.cli.exit_codes import ExitCode
from gradient_async.cli.options import job_options, service_options
from gradient_async.cli.row_options import list_row_options, row_options
from gradient_async.models.batch_result import BatchResult
from gradient_async.resources.batch.options import StepCallback
from gradient_async.resources.batch.result_download import require_distinct_paths


@click.command(
    "retry", epilog=format_examples("batch retry 7f0c6f5e-0000-4000-8000-000000000000 prompts.jsonl --skip-status 400")
)
@batch_id_argument
@source_argument
@click.option("-o", "--output", type=PATH, help="File for the results. Default: SOURCE.retry-ID.results.jsonl.")
@row_options
@click.option("--skip-status", type=int, multiple=True, help="Leave out requests that failed with it; repeatable.")
@click.option("--journal", type=PATH, help="File by which an interrupted retry continues. Default: OUTPUT.ID.journal.")
@every_option
@timeout_option
@json_option
@job_options
def retry_command(
    *,
    batch_id: str,
    source: str,
    output: Path | None,
    skip_status: tuple[int, ...],
    journal: Path | None,
    every: float,
    timeout: float | None,
    as_json: bool,
    base_url: str | None,
    **options: Any,
) -> None:
    """Request again what has no response in the ended job BATCH_ID of SOURCE, as a new job, and save the results.

    What was answered is not requested again. SOURCE and its options are those of batch run. After an interruption, the
    same command continues with the same new job. Exit code 3: some requests failed again or are missing.
    """
    stem = "batch" if source == "-" else remove_suffixes(source)
    output = output or Path(f"{stem}.retry-{batch_id[:8]}.results.jsonl")
    errors = output.with_name(f"{output.name.removesuffix('.jsonl')}.errors.jsonl")
    default_journal = output.with_name(f"{output.name}.{batch_id[:8]}.journal")
    files = RunFiles(output=output, errors=errors, journal=journal or default_journal)
    require_distinct_paths(source=None if source == "-" else source, **attrs.asdict(files))
    content = open_source(source)
    rows, skipped = list_row_options(options), [("--skip-status", str(status)) for status in skip_status]
    arguments = ("retry", batch_id, source, "-o", str(output), *chain.from_iterable(skipped), *rows)
    command = build_command(*arguments, journal=journal, base_url=base_url)
    run = Run(files=files, command=command, every=every, timeout=timeout, as_json=as_json, journal=journal, rows=rows)

    def is_wanted(line: BatchResult) -> bool:
        return line.status not in skip_status

    async def submit(session: AsyncSession, _steps: StepCallback) -> BatchJob:
        ended = session.batches.job(batch_id, source=content, **build_row_options(source, **options))
        return await ended.retry_failed(where=is_wanted, journal=run.choose_journal)

    run.perform(base_url, submit, source)


@click.command("report", epilog=format_examples("batch report 7f0c6f5e-0000-4000-8000-000000000000 prompts.jsonl"))
@batch_id_argument
@click.argument("source", type=click.Path(exists=True, dir_okay=False, allow_dash=True), required=False)
@row_options
@json_option
@service_options
def report_command(*, batch_id: str, source: str | None, as_json: bool, base_url: str | None, **rows: Any) -> None:
    """Compare the results of the ended job BATCH_ID with its input SOURCE.

    Without SOURCE, missing requests are not known. SOURCE and its options are those of batch run. Exit code 3: some
    requests failed or are missing.
    """
    opened = None if source is None else open_source(source)
    options = build_row_options(source or "", **rows)

    async def print_report(session: AsyncSession) -> ExitCode:
        return await _print_report(session.batches.job(batch_id, source=opened, **options), as_json=as_json)

    run_with_session(base_url, print_report, interrupted="Interrupted. Run the same command to compare again.")


async def _print_report(job: BatchJob, *, as_json: bool) -> ExitCode:
    report = await job.report()
    if as_json:
        click.echo(json.dumps(summarize_report(report)))
    else:
        click.echo(str(report))
        click.echo(f"tokens: {report.tokens.input} in, {report.tokens.output} out")
        for reason, count in sorted(report.finish_reasons.items()):
            click.echo(f"{reason}: {count}")
    print_report_faults(report)
    return ExitCode.OK if report.ok else ExitCode.PARTIAL
