"""``gradient-async batch run``: submit an input, wait and save its results; continue after an interruption."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import click

from gradient_async import AsyncSession, BatchFailedError
from gradient_async.cli.batch.common import (
    PATH,
    build_submit_options,
    every_option,
    json_option,
    read_source,
    run_with_session,
    source_argument,
    submit_options,
    timeout_option,
    watch_job,
)
from gradient_async.cli.batch.progress_view import create_view, format_counts, format_size, print_note
from gradient_async.cli.exit_codes import ExitCode
from gradient_async.cli.options import base_url_option
from gradient_async.resources.batch.options import SubmitOptions
from gradient_async.resources.batch.result_download import require_distinct_paths


@attrs.frozen(kw_only=True)
class RunFiles:
    """The files that a run writes.

    Attributes:
        output: Results of the requests that succeeded.
        errors: Failed requests.
        journal: State by which an interrupted run continues.
    """

    output: Path
    errors: Path
    journal: Path


@click.command("run")
@source_argument
@click.option("-o", "--output", type=PATH, help="File for the results. Default: SOURCE.results.jsonl.")
@click.option("--errors", type=PATH, help="File for the failed requests. Default: OUTPUT.errors.jsonl.")
@click.option("--journal", type=PATH, help="File by which an interrupted run continues. Default: OUTPUT.journal.")
@submit_options
@every_option
@timeout_option
@json_option
@base_url_option
def run_command(
    *,
    source: str,
    output: Path | None,
    errors: Path | None,
    journal: Path | None,
    every: float,
    timeout: float | None,
    as_json: bool,
    base_url: str | None,
    **options: Any,
) -> None:
    """Submit SOURCE, wait for its job and save the results.

    SOURCE is a file of JSON Lines, optionally compressed with gzip; - reads stdin. After an interruption, the same
    command continues with the same job and never pays for it twice. Exit code 3: some requests failed.
    """
    output = output or Path("batch.results.jsonl" if source == "-" else f"{_remove_suffixes(source)}.results.jsonl")
    files = RunFiles(
        output=output,
        errors=errors or output.with_name(f"{_remove_suffixes(output.name)}.errors.jsonl"),
        journal=journal or output.with_name(f"{output.name}.journal"),
    )
    require_distinct_paths(source=None if source == "-" else source, **attrs.asdict(files))
    submission = build_submit_options(**options)
    work = partial(_run_job, read_source(source), files, submission, every, timeout, as_json=as_json)
    try:
        run_with_session(base_url, work)
    except KeyboardInterrupt:
        if files.journal.exists():
            print_note("Interrupted. The submitted job continues at the service; run the same command to resume it.")
        raise
    except BatchFailedError:
        print_note(f"The journal {files.journal} still refers to this job; delete it to submit a new one.")
        raise


def _remove_suffixes(name: str) -> str:
    return name.removesuffix(".gz").removesuffix(".jsonl")


async def _run_job(
    source: str | bytes,
    files: RunFiles,
    options: SubmitOptions,
    every: float,
    timeout: float | None,
    session: AsyncSession,
    *,
    as_json: bool,
) -> ExitCode:
    with create_view() as view:
        options["journal"], options["on_step"] = files.journal, view.show_step
        job = await session.batches.submit(source, **options)
        await watch_job(job, view, every, timeout)
        saved = await job.download(files.output, errors=files.errors, on_progress=view.show_download)
    batch = await job.wait()
    if as_json:
        paths = {"output": str(saved.output), "errors": str(saved.errors)}
        click.echo(json.dumps(batch.to_dict() | {"saved": paths}))
    else:
        click.echo(str(saved.output))
    output_note = f"{format_size(saved.size)} in {saved.output}"
    errors_note = f"{format_size(saved.errors_size)} in {saved.errors}"
    print_note(f"{format_counts(batch)}; {output_note}, {errors_note}")
    return ExitCode.PARTIAL if saved.errors_size or batch.request_counts.failed else ExitCode.OK
