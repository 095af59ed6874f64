"""``gradient-async map``: send one request for each row of a source and write the completions as they arrive."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO, Any

import attrs
import click

from gradient_async import AsyncSession, ConfigurationError, GradientError, MapResult
from gradient_async._io.sources.row_source import open_source
from gradient_async._protocol.sources.rows import detect_format
from gradient_async.cli.chat_options import completion_options, open_completions, select_model, service_options
from gradient_async.cli.error_text import name_options
from gradient_async.cli.examples import format_examples
from gradient_async.cli.exit_codes import ExitCode, combine_exit_codes, exit_code_for
from gradient_async.cli.interruption import run_interruptible
from gradient_async.cli.map_estimate import MapEstimate, estimate_map, list_windows
from gradient_async.cli.map_view import create_map_view
from gradient_async.cli.row_options import (
    build_template,
    columns_option,
    split_columns,
    system_option,
    template_option,
)
from gradient_async.cli.terminal import remove_controls
from gradient_async.models._texts import format_duration

STDIN = "-"


@attrs.frozen(kw_only=True)
class MapCommand:
    """The requests of one map, and the form of its output.

    Attributes:
        source: Path of the input, ``-`` for stdin.
        output: File for the results, None for stdout.
        shared_params: Parameters of every request; those in a row override them.
        template: The messages of a row, None if rows bring theirs.
        columns: The columns that are used, None for all.
        agent: Whether to send the requests to the agent.
        concurrency: Maximum number of concurrent requests.
        ordered: Whether results keep the order of the rows.
        as_json: Whether to write whole completions instead of their text.
        base_url: Address of the service, or with *agent* of the agent; None for the configured one.
    """

    source: str
    output: Path | None
    shared_params: dict[str, Any]
    template: Any
    columns: list[str] | None
    agent: bool
    concurrency: int
    ordered: bool
    as_json: bool
    base_url: str | None

    @property
    def checkpoint(self) -> Path | None:
        """The file by which an interrupted map goes on; None for stdout, a pipe or a device, which keep nothing."""
        if self.output is None or (self.output.exists() and not self.output.is_file()):
            return None
        return self.output.with_name(f"{self.output.name}.checkpoint")

    def open_source(self) -> Any:
        """Return the source for ``map``. A line of any text file may be a prompt or a JSON object."""
        if self.source == STDIN:
            return sys.stdin
        is_table = detect_format(self.source) in ("csv", "tsv", "parquet")
        return open_source(self.source, self.columns, None if is_table else "lines")


@click.command(
    "map",
    epilog=format_examples(
        "map questions.txt -o answers.jsonl",
        'map words.csv --template "Translate into French: {word}" --dry-run',
        'echo "Name a river." | gradient-async map',
    ),
)
@click.argument("source", default=STDIN, type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="File for the results.")
@completion_options
@system_option
@template_option
@columns_option
@click.option(
    "-c",
    "--concurrency",
    type=click.IntRange(min=1),
    default=64,
    show_default=True,
    help="Maximum number of concurrent requests.",
)
@click.option("--ordered", is_flag=True, help="Write the responses in the order of the rows.")
@click.option("--json", "as_json", is_flag=True, help="Write whole completions instead of their text.")
@click.option("--dry-run", is_flag=True, help="Count requests, tokens and time; send nothing.")
@service_options
def map_command(
    *,
    model: str | None,
    agent: bool,
    max_tokens: int | None,
    system: str | None,
    template: str | None,
    columns: str | None,
    dry_run: bool,
    **options: Any,
) -> None:
    """Send each row of SOURCE and write the responses as JSON.

    SOURCE is a file (.txt, .jsonl, .csv, .tsv, .parquet, compressed or not) or a pipe; without it, or with -, stdin. A
    line is a prompt, or a JSON object of parameters with its messages. Each response is one line of JSON, written as it
    arrives; its "index" is the number of the row, counted from 0 without blank lines, its "id" the row's own. With -o,
    the same command after an interruption sends only what has no answer. Exit code 3: some requests failed; 1: all
    failed; 2: none could be sent, or the source is malformed.
    """
    params = {"model": select_model(model, agent=agent), "max_tokens": max_tokens}
    names = split_columns(columns)
    command = MapCommand(
        shared_params={name: value for name, value in params.items() if value is not None},
        template=build_template(system, template, names),
        columns=names,
        agent=agent,
        **options,
    )
    if dry_run:
        code = _print_estimate(asyncio.run(_count_requests(command)), as_json=command.as_json)
    else:
        code = _run_until_interrupted(command)
    click.get_current_context().exit(code)


async def _count_requests(command: MapCommand) -> MapEstimate:
    """Return the size of a map at the limits of the session that would send it."""
    async with AsyncSession() as session:
        windows = list_windows(session.limits)
    return await estimate_map(command.open_source(), command.shared_params, command.template, command.columns, windows)


def _run_until_interrupted(command: MapCommand) -> ExitCode:
    """Run the map; after any early end, say how to go on."""
    try:
        return run_interruptible(_run_map(command))
    except KeyboardInterrupt:
        _print_note("Interrupted. " + _advise_rerun(command))
        raise
    except (GradientError, OSError):
        if command.checkpoint is not None and command.checkpoint.exists():
            _print_note(_advise_rerun(command))
        raise


def _advise_rerun(command: MapCommand) -> str:
    if command.checkpoint is None:
        return "With -o FILE, the same command would go on where it was interrupted."
    return f"Run the same command to go on: {command.checkpoint} keeps the answers, and only the rest is sent."


async def _run_map(command: MapCommand) -> ExitCode:
    codes: Counter[ExitCode] = Counter()
    _refuse_foreign_output(command)
    async with open_completions(command.base_url, agent=command.agent) as completions:
        with create_map_view(to_file=command.output is not None) as view:
            results = completions.map(
                command.open_source(),
                template=command.template,
                columns=command.columns,
                concurrency=command.concurrency,
                ordered=command.ordered,
                checkpoint=command.checkpoint,
                on_progress=view.show_progress,
                **command.shared_params,
            )
            async with results:
                with _open_output(command.output) as file:  # while the checkpoint is locked
                    async for result in results:
                        codes[ExitCode.OK if result.error is None else exit_code_for(result.error)] += 1
                        _write_result(file, result, command)
    if not codes:
        raise ConfigurationError("The input is empty: give one line for each request.")
    if failed := codes.total() - codes[ExitCode.OK]:
        _print_note(f"{failed} of {codes.total()} requests failed.")
    return combine_exit_codes(codes)


def _refuse_foreign_output(command: MapCommand) -> None:
    """Raise a `ConfigurationError` if the output file is not that of an earlier map."""
    if command.output is None or command.checkpoint is None or command.checkpoint.exists():
        return
    if command.output.is_file() and command.output.stat().st_size:
        raise ConfigurationError(
            f"{command.output} exists, and {command.checkpoint}, by which a map goes on, does not. "
            "Give another file with -o, or delete it."
        )


def _open_output(path: Path | None) -> AbstractContextManager[IO[str]]:
    """Open the file for the results; one of an earlier run is written anew, first of all from the checkpoint."""
    return nullcontext(sys.stdout) if path is None else path.open("w", encoding="utf-8")


def _write_result(file: Any, result: MapResult, command: MapCommand) -> None:
    line = json.dumps(_result_to_dict(result, as_json=command.as_json))
    if command.output is None:
        click.echo(line)
        return
    try:
        file.write(line + "\n")
        file.flush()
    except OSError as error:
        error.filename = str(command.output)
        raise


def _result_to_dict(result: MapResult, *, as_json: bool) -> dict[str, Any]:
    start = {"index": result.index} if result.id is None else {"index": result.index, "id": result.id}
    if result.error is not None:
        fields = {name: getattr(result.error, name, None) for name in ("status", "code", "request_id")}
        known = {name: value for name, value in fields.items() if value is not None}
        return {**start, "error": name_options(str(result.error)), **known}
    if as_json and result.completion is not None:
        return {**start, "completion": result.completion.to_dict()}
    return {**start, "text": result.text}


def _print_estimate(estimate: MapEstimate, *, as_json: bool) -> ExitCode:
    if as_json:
        click.echo(json.dumps(attrs.asdict(estimate)))
    else:
        click.echo(f"requests: {estimate.requests}")
        click.echo(f"tokens (estimated): {estimate.tokens}")
        click.echo(f"time at the limits: {format_duration(estimate.seconds)}")
    for fault in estimate.faults:
        _print_note(fault)
    return ExitCode.USAGE if estimate.faulty else ExitCode.OK


def _print_note(text: str) -> None:
    click.echo(remove_controls(text, sys.stderr), err=True)
