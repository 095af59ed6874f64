"""``gradient-async map``: send one request for each line of a file and print the completions as they arrive."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

import attrs
import click

from gradient_async import ConfigurationError, MapResult
from gradient_async.cli.chat_options import (
    agent_option,
    base_url_option,
    build_messages,
    max_tokens_option,
    model_option,
    open_completions,
    select_model,
)
from gradient_async.cli.exit_codes import ExitCode, exit_code_for

STDIN = "-"
_BYTE_ORDER_MARK = "\ufeff"


@attrs.frozen(kw_only=True)
class MapOptions:
    """The requests of one map, and the form of its output.

    Attributes:
        source: Path of the input, ``-`` for stdin.
        shared_params: Parameters of every request; those in a line override them.
        system: System instructions for a line that is a prompt.
        agent: Whether to send the requests to the agent.
        concurrency: Maximum number of concurrent requests.
        ordered: Whether results keep the order of the lines.
        as_json: Whether to print whole completions instead of their text.
        base_url: Address of the service, or with *agent* of the agent; None for the configured one.
    """

    source: str
    shared_params: dict[str, Any]
    system: str | None
    agent: bool
    concurrency: int
    ordered: bool
    as_json: bool
    base_url: str | None

    def parse_line(self, line: str, number: int) -> dict[str, Any]:
        """Return the parameters for one line: a prompt, or a JSON object of parameters.

        Raises:
            ConfigurationError: The line begins with a brace and is not a JSON object.
        """
        if not line.startswith("{"):
            return {**self.shared_params, "messages": build_messages(self.system, line)}
        try:
            return {**self.shared_params, **json.loads(line)}
        except ValueError as error:
            problem = str(error)
        raise ConfigurationError(f"Line {number} begins with a brace and is not a JSON object: {problem}.")


@click.command("map")
@click.argument("source", default=STDIN, type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@model_option
@click.option("-s", "--system", help="System instructions, sent before every prompt.")
@agent_option
@max_tokens_option
@click.option(
    "-c",
    "--concurrency",
    type=click.IntRange(min=1),
    default=64,
    show_default=True,
    help="Maximum number of concurrent requests.",
)
@click.option("--ordered", is_flag=True, help="Print the responses in the order of the lines.")
@click.option("--json", "as_json", is_flag=True, help="Print whole completions instead of their text.")
@base_url_option
def map_command(*, model: str | None, agent: bool, max_tokens: int | None, **options: Any) -> None:
    """Send each line of SOURCE and print the responses as JSON.

    Without SOURCE, or with -, the lines are read from stdin. A line is a prompt, or a JSON object of parameters with
    its messages. Each response is one line of JSON, printed as it arrives; its "index" is the number of the line,
    counted from 0 without blank lines. Exit code 3: some requests failed; 1: all failed; 2: none could be sent, or a
    line is not a JSON object (the lines before it were sent).
    """
    params = {"model": select_model(model, agent=agent), "max_tokens": max_tokens}
    shared_params = {name: value for name, value in params.items() if value is not None}
    code = asyncio.run(_run_map(MapOptions(shared_params=shared_params, agent=agent, **options)))
    click.get_current_context().exit(code)


async def _run_map(options: MapOptions) -> ExitCode:
    codes: Counter[ExitCode] = Counter()
    async with (
        open_completions(options.base_url, agent=options.agent) as completions,
        completions.map(_read_requests(options), concurrency=options.concurrency, ordered=options.ordered) as results,
    ):
        async for result in results:
            codes[ExitCode.OK if result.error is None else exit_code_for(result.error)] += 1
            click.echo(json.dumps(_result_to_dict(result, as_json=options.as_json)))
    if not codes:
        raise ConfigurationError("The input is empty: give one line for each request.")
    if failed := codes.total() - codes[ExitCode.OK]:
        click.echo(f"{failed} of {codes.total()} requests failed.", err=True)
    return _combine_exit_codes(codes)


def _combine_exit_codes(codes: Counter[ExitCode]) -> ExitCode:
    """Return the exit code for all requests, from the number of requests with each code."""
    if codes[ExitCode.OK]:
        return ExitCode.OK if codes[ExitCode.OK] == codes.total() else ExitCode.PARTIAL
    return ExitCode.API_ERROR if codes[ExitCode.API_ERROR] else ExitCode.USAGE


def _result_to_dict(result: MapResult, *, as_json: bool) -> dict[str, Any]:
    if result.error is not None:
        fields = {name: getattr(result.error, name, None) for name in ("status", "code", "request_id")}
        known = {name: value for name, value in fields.items() if value is not None}
        return {"index": result.index, "error": str(result.error), **known}
    if as_json and result.completion is not None:
        return {"index": result.index, "completion": result.completion.to_dict()}
    return {"index": result.index, "text": result.text}


async def _read_requests(options: MapOptions) -> AsyncIterator[dict[str, Any]]:
    number = 0
    async for line in _read_lines(options.source):
        number += 1
        if text := line.removeprefix(_BYTE_ORDER_MARK).strip():
            yield options.parse_line(text, number)


async def _read_lines(source: str) -> AsyncIterator[str]:
    """Yield lines as they become available; waiting for stdin does not block the event loop."""
    if source == STDIN:
        while line := await _read_next_line(sys.stdin):
            yield line
        return
    for line in _read_file_lines(Path(source)):
        yield line


def _read_file_lines(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8", errors="replace") as file:
        yield from file


async def _read_next_line(file: TextIO) -> str:
    """Read the next line in a daemon thread, which does not delay the exit on Ctrl-C; ``""`` at the end."""
    loop = asyncio.get_running_loop()
    next_line: asyncio.Future[str] = loop.create_future()

    def set_line(line: str | OSError) -> None:
        if next_line.done():
            return
        if isinstance(line, OSError):
            next_line.set_exception(line)
        else:
            next_line.set_result(line)

    def read_in_thread() -> None:
        line: str | OSError
        try:
            line = file.readline()
        except OSError as error:
            line = error
        with suppress(RuntimeError):  # the loop is closed: the command has ended
            loop.call_soon_threadsafe(set_line, line)

    threading.Thread(target=read_in_thread, daemon=True).start()
    return await next_line
