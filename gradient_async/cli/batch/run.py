"""``gradient-async batch run``: submit an input, wait and save its results; continue after an interruption."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import click

from gradient_async import AsyncSession, BatchFailedError, BatchJob, GradientError
from gradient_async._io.stream.body_file import resolve_target
from gradient_async._protocol.batch.api_requests import AUTO, COMPRESSIONS
from gradient_async.cli.batch.common import (
    PATH,
    build_submit_options,
    every_option,
    json_option,
    open_source,
    run_with_session,
    source_argument,
    submit_options,
    timeout_option,
    watch_job,
)
from gradient_async.cli.batch.journal_index import JournalIndex
from gradient_async.cli.batch.progress_view import create_view, print_note
from gradient_async.cli.batch.report_view import print_dry_run, print_report_faults, summarize_report
from gradient_async.cli.examples import format_examples
from gradient_async.cli.exit_codes import ExitCode
from gradient_async.cli.options import job_options
from gradient_async.cli.row_options import list_row_options
from gradient_async.cli.state_folder import find_state_folder
from gradient_async.models._texts import format_size
from gradient_async.resources.batch.options import StepCallback, SubmitOptions
from gradient_async.resources.batch.result_download import require_distinct_paths

Submit = Callable[[AsyncSession, StepCallback], Awaitable[BatchJob]]
"""Submits the job of a run; the callback displays its steps."""


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

    def __attrs_post_init__(self) -> None:
        for path in (self.output, self.errors):
            resolve_target(path)  # results that cannot be saved are billed


@click.command(
    "run",
    epilog=format_examples(
        "batch run prompts.jsonl", "batch run words.csv --columns word --model openai-gpt-5.4-mini --dry-run"
    ),
)
@source_argument
@click.option("-o", "--output", type=PATH, help="File for the results. Default: SOURCE.results.jsonl.")
@click.option("--errors", type=PATH, help="File for the failed requests. Default: OUTPUT.errors.jsonl.")
@click.option(
    "--journal",
    type=PATH,
    help="File by which an interrupted run continues. Default: that of the same input, else OUTPUT.journal.",
)
@submit_options
@click.option("--dry-run", is_flag=True, help="Count requests, tokens and jobs; send nothing.")
@every_option
@timeout_option
@json_option
@job_options
def run_command(
    *,
    source: str,
    output: Path | None,
    errors: Path | None,
    journal: Path | None,
    dry_run: bool,
    every: float,
    timeout: float | None,
    as_json: bool,
    base_url: str | None,
    **options: Any,
) -> None:
    """Submit SOURCE, wait for its job and save the results.

    SOURCE is a file of JSON Lines, one request a line, with "custom_id", "method", "url" and "body"; - reads stdin.
    Rows of a .txt, .csv, .tsv or .parquet file, and with --model, --template or --columns those of any source, become
    requests. Files may be compressed. After an interruption, the same command continues with the same job and never
    pays for it twice. Exit code 3: some requests failed or are missing.
    """
    output = output or Path("batch.results.jsonl" if source == "-" else f"{remove_suffixes(source)}.results.jsonl")
    files = RunFiles(
        output=output,
        errors=errors or output.with_name(f"{remove_suffixes(output.name)}.errors.jsonl"),
        journal=journal or output.with_name(f"{output.name}.journal"),
    )
    require_distinct_paths(source=None if source == "-" else source, **attrs.asdict(files))
    submission = build_submit_options(source, **options)
    if dry_run:
        _count_input(source, submission, as_json=as_json)
        return
    rows = list_row_options(options)
    command = build_command(*list_run_arguments(source, files, options), *rows, journal=journal, base_url=base_url)
    run = Run(files=files, command=command, every=every, timeout=timeout, as_json=as_json, journal=journal, rows=rows)
    content = open_source(source)

    async def submit(session: AsyncSession, steps: StepCallback) -> BatchJob:
        submission["journal"], submission["on_step"] = run.choose_journal, steps
        return await session.batches.submit(content, **submission)

    run.perform(base_url, submit, source)


def _count_input(source: str, submission: SubmitOptions, *, as_json: bool) -> None:
    """Print the requests, tokens and jobs of the input of a run, or its faults."""

    async def count(session: AsyncSession) -> ExitCode:
        kept: Any = {name: value for name, value in submission.items() if name != "metadata"}
        return print_dry_run(await session.batches.validate(open_source(source), **kept), as_json=as_json)

    run_with_session(None, count, interrupted="Interrupted. Nothing was sent.")


def remove_suffixes(name: str) -> str:
    """Return a file name without its endings, to make others of it."""
    for suffix in (*COMPRESSIONS, ".jsonl"):
        name = name.removesuffix(suffix)
    return name


def build_command(*arguments: str, journal: Path | None, base_url: str | None) -> list[str]:
    """Return the batch command that goes on, with the journal and the address that the user chose."""
    command = ["gradient-async", "batch", *arguments]
    command += ["--journal", str(journal)] if journal else []
    return command + ([] if base_url is None else ["--base-url", base_url])


def list_run_arguments(source: str, files: RunFiles, options: Mapping[str, Any]) -> list[str]:
    """Return the arguments of a run, with every option about jobs that differs from its default."""
    arguments = ["run", source, "-o", str(files.output), "--errors", str(files.errors)]
    arguments += ["--provider", options["provider"]] if options["provider"] != "openai" else []
    arguments += ["--endpoint", options["endpoint"]] if options["endpoint"] != AUTO else []
    arguments += ["--split"] if options["split"] else []
    return arguments + [part for pair in options["metadata"] for part in ("--metadata", pair)]


@attrs.define(kw_only=True)
class Run:
    """A job from its submission to its saved results, with the way to go on after each way to end.

    Attributes:
        command: The command that goes on.
        journal: The journal that the user chose; None to find it by input and account.
        rows: The arguments that say how rows of the source become requests.
    """

    files: RunFiles
    command: Sequence[str]
    every: float
    timeout: float | None
    as_json: bool
    journal: Path | None
    rows: Sequence[str]
    _index: JournalIndex = attrs.field(init=False)
    _job: BatchJob | None = attrs.field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._index = JournalIndex(find_state_folder(os.environ) / "journals", self.files.journal)

    def choose_journal(self, identity: str) -> Path:
        """Return the journal of the job *identity*."""
        if self.journal is not None:
            self._index.chosen = self.journal
            return self.journal
        chosen = self._index.choose(identity)
        if self._index.is_known:
            print_note(f"Continuing the job of {chosen}, which has the same input; --journal FILE starts another.")
        return chosen

    def perform(self, base_url: str | None, submit: Submit, source: str) -> None:
        """Run the job; print how to go on if it is interrupted or fails."""
        try:
            run_with_session(base_url, partial(self._submit_and_save, submit))
        except KeyboardInterrupt:
            print_note(self._describe_interruption())
            raise
        except BatchFailedError:
            ids = self._job.batch_id if self._job is not None else "ID"
            retry = shlex.join(["gradient-async", "batch", "retry", ids, source, *self.rows])
            print_note(f"To request only what has no response, without paying again for the rest: {retry}")
            raise
        except (GradientError, OSError):
            self._print_way_on()
            raise

    def _describe_interruption(self) -> str:
        """Return a note about the state after an interruption, with the command that goes on."""
        command = shlex.join(self.command)
        if self._index.chosen is None or not self._index.chosen.exists():
            return f"Interrupted before anything was submitted. To begin again: {command}"
        if self._job is None:
            return f"Interrupted while submitting. The same command goes on and pays once: {command}"
        return f"Interrupted. The submitted job continues at the service; run the same command to resume it: {command}"

    def _print_way_on(self) -> None:
        chosen = self._index.chosen
        if chosen is None or not chosen.exists():
            return
        job = f"Job {self._job.batch_id}, journal" if self._job is not None else "Journal"
        print_note(f"{job} {chosen}. To go on without paying again: {shlex.join(self.command)}")

    async def _submit_and_save(self, submit: Submit, session: AsyncSession) -> ExitCode:
        with create_view() as view:
            self._job = job = await submit(session, view.show_step)
            await watch_job(job, view, self.every, self.timeout)
            saved = await job.download(self.files.output, errors=self.files.errors, on_progress=view.show_download)
        batch = await job.wait()
        report = await job.report(saved=saved)
        if self.as_json:
            paths = {"output": str(saved.output), "errors": str(saved.errors)}
            click.echo(json.dumps(batch.to_dict() | {"saved": paths, "report": summarize_report(report)}))
        else:
            click.echo(str(saved.output))
        output_note = f"{format_size(saved.size)} in {saved.output}"
        errors_note = f"{format_size(saved.errors_size)} in {saved.errors}"
        print_note(f"{batch.request_counts}; {output_note}, {errors_note}")
        print_report_faults(report)
        if saved.errors_problem is not None:
            print_note(f"The failed requests could not be read: {saved.errors_problem}")
        return ExitCode.OK if report.ok and saved.errors_problem is None else ExitCode.PARTIAL
