"""``gradient-async map``: a file of questions, their answers on stdout as they come."""

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

from gradient_async import ConfigurationError, GradientError, MapResult
from gradient_async.cli.chat_options import (
    agent_option,
    base_url_option,
    completions_of,
    conversation,
    max_tokens_option,
    model_for,
    model_option,
)
from gradient_async.cli.exit_codes import Exit, exit_of

STDIN = "-"
_BYTE_ORDER_MARK = "\ufeff"


@attrs.frozen(kw_only=True)
class Plan:
    """What is asked, of whom, and how the answers are shown.

    Attributes:
        shared: Parameters of every request that does not have its own.
        system: Instructions that go before a line that is a prompt.
    """

    source: str
    shared: dict[str, Any]
    system: str | None
    agent: bool
    concurrency: int
    ordered: bool
    as_json: bool
    base_url: str | None

    def request(self, line: str, number: int) -> dict[str, Any]:
        """Return the parameters that a line stands for.

        Raises:
            ConfigurationError: It begins like an object and is none.
        """
        if not line.startswith("{"):
            return {**self.shared, "messages": conversation(self.system, line)}
        try:
            return {**self.shared, **json.loads(line)}
        except ValueError as error:
            problem = str(error)
        raise ConfigurationError(f"Line {number} begins with a brace and is no JSON object: {problem}.")


@click.command("map")
@click.argument("source", default=STDIN, type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@model_option
@click.option("-s", "--system", help="Instructions that go before every prompt.")
@agent_option
@max_tokens_option
@click.option(
    "-c", "--concurrency", type=click.IntRange(min=1), default=64, show_default=True, help="The most at once."
)
@click.option("--ordered", is_flag=True, help="Print the answers in the order of the lines, not as they come.")
@click.option("--json", "as_json", is_flag=True, help="Print whole completions.")
@base_url_option
def command(*, model: str | None, agent: bool, max_tokens: int | None, **options: Any) -> None:
    """Ask every line of SOURCE, or of stdin, and print a line of JSON for each answer.

    A line is a prompt, or a JSON object of parameters with its messages. Answers say by "index" which one they are for,
    from 0 and without blank lines. Exit code 3: some failed; 1: all did; 2: none could be sent, or a line is no JSON
    object, before which every line was asked.
    """
    shared = {"model": model_for(model, agent=agent), "max_tokens": max_tokens}
    given = {name: value for name, value in shared.items() if value is not None}
    code = asyncio.run(_map(Plan(shared=given, agent=agent, **options)))
    click.get_current_context().exit(code)


async def _map(plan: Plan) -> Exit:
    ended: Counter[Exit] = Counter()
    async with (
        completions_of(plan.base_url, agent=plan.agent) as completions,
        completions.map(_requests(plan), concurrency=plan.concurrency, ordered=plan.ordered) as results,
    ):
        async for result in results:
            ended[Exit.OK if result.error is None else exit_of(result.error)] += 1
            click.echo(json.dumps(_shown(result, plan)))
    if not ended:
        raise ConfigurationError("There is nothing to ask: give a line for each question.")
    if failed := ended.total() - ended[Exit.OK]:
        click.echo(f"{failed} of {ended.total()} requests failed.", err=True)
    return _exit_after(ended)


def _exit_after(ended: Counter[Exit]) -> Exit:
    """Return the code of all requests together, given how many ended with which."""
    if ended[Exit.OK]:
        return Exit.OK if ended[Exit.OK] == ended.total() else Exit.PARTIAL
    return Exit.API_ERROR if ended[Exit.API_ERROR] else Exit.USAGE


def _shown(result: MapResult, plan: Plan) -> dict[str, Any]:
    if result.error is not None:
        return {"index": result.index, "error": str(result.error), **_facts(result.error)}
    if plan.as_json and result.completion is not None:
        return {"index": result.index, "completion": result.completion.to_dict()}
    return {"index": result.index, "text": result.text}


def _facts(error: GradientError) -> dict[str, Any]:
    facts = {name: getattr(error, name, None) for name in ("status", "code", "request_id")}
    return {name: value for name, value in facts.items() if value is not None}


async def _requests(plan: Plan) -> AsyncIterator[dict[str, Any]]:
    number = 0
    async for line in _lines(plan.source):
        number += 1
        if text := line.removeprefix(_BYTE_ORDER_MARK).strip():
            yield plan.request(text, number)


async def _lines(source: str) -> AsyncIterator[str]:
    """Yield lines as they are there; to wait for the next one on stdin holds up nobody."""
    if source != STDIN:
        for line in _lines_of_file(Path(source)):
            yield line
        return
    while line := await _next_line(sys.stdin):
        yield line


def _lines_of_file(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8", errors="replace") as file:
        yield from file


async def _next_line(file: TextIO) -> str:
    """Return the next line, ``""`` at the end. The thread is a daemon: what waits for stdin must not keep Ctrl-C up."""
    loop = asyncio.get_running_loop()
    found: asyncio.Future[str] = loop.create_future()

    def tell(line: str | OSError) -> None:
        if found.done():
            return
        if isinstance(line, OSError):
            found.set_exception(line)
        else:
            found.set_result(line)

    def read() -> None:
        line = _line_of(file)
        with suppress(RuntimeError):  # the loop is closed: nobody wants it any more
            loop.call_soon_threadsafe(tell, line)

    threading.Thread(target=read, daemon=True).start()
    return await found


def _line_of(file: TextIO) -> str | OSError:
    try:
        return file.readline()
    except OSError as error:
        return error
