"""``gradient-async batch run``: from an input to its results, whatever happens in between."""

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
    base_url_option,
    every_option,
    input_of,
    json_option,
    options_of,
    source_argument,
    submit_options,
    timeout_option,
    watch,
    with_session,
)
from gradient_async.cli.batch.progress_view import counts_of, new_view, note, size_of
from gradient_async.cli.exit_codes import Exit
from gradient_async.resources.batch.options import SubmitOptions
from gradient_async.resources.batch.result_download import require_distinct_paths


@click.command("run")
@source_argument
@click.option("-o", "--output", type=PATH, help="For the results. Default: SOURCE.results.jsonl.")
@click.option("--errors", type=PATH, help="For the failed requests. Default: OUTPUT.errors.jsonl.")
@click.option("--journal", type=PATH, help="By which an interrupted run goes on. Default: OUTPUT.journal.")
@submit_options
@every_option
@timeout_option
@json_option
@base_url_option
def run(
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

    SOURCE is JSON Lines, packed with gzip or not; - is stdin. The same command goes on with a job that an earlier
    one was interrupted in, and never pays for it twice. Exit code 3: some requests failed.
    """
    output = output or Path("batch.results.jsonl" if source == "-" else f"{_stem(source)}.results.jsonl")
    files = RunFiles(
        output=output,
        errors=errors or output.with_name(f"{_stem(output.name)}.errors.jsonl"),
        journal=journal or output.with_name(f"{output.name}.journal"),
    )
    require_distinct_paths(source=None if source == "-" else source, **attrs.asdict(files))
    work = partial(_run, input_of(source), files, options_of(**options), every, timeout, as_json=as_json)
    try:
        with_session(base_url, work)
    except KeyboardInterrupt:
        if files.journal.exists():
            note("Interrupted. What was submitted goes on at the service; the same command goes on with it.")
        raise
    except BatchFailedError:
        note(f"The journal {files.journal} keeps this job; delete it to submit a new one.")
        raise


@attrs.frozen(kw_only=True)
class RunFiles:
    """Where a run leaves what it makes."""

    output: Path
    errors: Path
    journal: Path


def _stem(name: str) -> str:
    return name.removesuffix(".gz").removesuffix(".jsonl")


async def _run(
    source: str | bytes,
    files: RunFiles,
    options: SubmitOptions,
    every: float,
    timeout: float | None,
    session: AsyncSession,
    *,
    as_json: bool,
) -> Exit:
    with new_view() as view:
        options["journal"], options["on_step"] = files.journal, view.step
        job = await session.batches.submit(source, **options)
        await watch(job, view, every, timeout)
        saved = await job.download(files.output, errors=files.errors, on_progress=view.saved)
    batch = await job.wait()
    if as_json:
        paths = {"output": str(saved.output), "errors": str(saved.errors)}
        click.echo(json.dumps(batch.to_dict() | {"saved": paths}))
    else:
        click.echo(str(saved.output))
    note(f"{counts_of(batch)}; {size_of(saved.size)} in {saved.output}, {size_of(saved.errors_size)} in {saved.errors}")
    return Exit.PARTIAL if saved.errors_size or batch.request_counts.failed else Exit.OK
