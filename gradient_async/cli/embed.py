"""``gradient-async embed``: print the vectors of texts."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import IO, Any

import click

from gradient_async import ConfigurationError, EmbeddingResult
from gradient_async.cli.error_text import name_options
from gradient_async.cli.examples import format_examples
from gradient_async.cli.exit_codes import ExitCode, combine_exit_codes, exit_code_for
from gradient_async.cli.file_output import output_option
from gradient_async.cli.options import open_session, service_options
from gradient_async.cli.terminal import remove_controls

DEFAULT_MODEL = "qwen3-embedding-0.6b"


@click.command(
    "embed", epilog=format_examples('embed "How far is the Moon?" --json', "embed -o vectors.jsonl < questions.txt")
)
@click.argument("texts", nargs=-1)
@click.option("-m", "--model", default=DEFAULT_MODEL, show_default=True, help="Embedding model to use.")
@output_option
@click.option("--json", "as_json", is_flag=True, help="Print an object with index, text and vector for each text.")
@service_options
def embed_command(
    *, texts: tuple[str, ...], model: str, output: Path | None, as_json: bool, base_url: str | None
) -> None:
    """Print the vector of each of TEXTS as one line of JSON.

    Without TEXTS, each line of stdin is a text. A text that fails is null, or an object with an "error".
    Exit code 3: some texts failed; 1: all failed.
    """
    if not texts and sys.stdin.isatty():
        raise click.UsageError("Give texts, or pipe them in, one a line.")
    code = asyncio.run(_embed_texts(texts or sys.stdin, model, output, base_url, as_json=as_json))
    click.get_current_context().exit(code)


async def _embed_texts(
    texts: tuple[str, ...] | IO[str], model: str, output: Path | None, base_url: str | None, *, as_json: bool
) -> ExitCode:
    codes: Counter[ExitCode] = Counter()
    async with open_session(base_url) as session:
        with ExitStack() as stack:
            file: IO[str] | None = None
            async with session.embeddings.map(texts, model=model) as results:
                async for result in results:
                    codes[ExitCode.OK if result.error is None else exit_code_for(result.error)] += 1
                    if file is None:  # an older file stays until there is something to write
                        file = stack.enter_context(_open_output(output))
                    _print_result(result, file, as_json=as_json)
    if not codes:
        raise ConfigurationError("The input is empty: give one text a line.")
    return combine_exit_codes(codes)


def _open_output(output: Path | None) -> AbstractContextManager[IO[str]]:
    return nullcontext(sys.stdout) if output is None else output.open("w", encoding="utf-8")


def _print_result(result: EmbeddingResult, file: IO[str], *, as_json: bool) -> None:
    """Print one result as a line of *file*; an error also on stderr."""
    click.echo(json.dumps(_describe_result(result) if as_json else result.embedding), file=file)
    if result.error is not None:
        note = f"Text {result.index + 1} failed: {name_options(str(result.error))}"
        click.echo(remove_controls(note, sys.stderr), err=True)


def _describe_result(result: EmbeddingResult) -> dict[str, Any]:
    start = {"index": result.index, "text": result.text}
    if result.error is None:
        return {**start, "embedding": result.embedding}
    return {**start, "error": name_options(str(result.error))}
