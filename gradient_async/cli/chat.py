"""``gradient-async chat``: send one prompt and print the completion on stdout."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click

from gradient_async.cli.attachments import build_content, decode_text, read_attachment
from gradient_async.cli.chat_options import (
    agent_option,
    max_tokens_option,
    model_option,
    open_completions,
    select_model,
    service_options,
)
from gradient_async.cli.chat_output import ChatOptions, print_completion
from gradient_async.cli.examples import format_examples
from gradient_async.cli.prompt_input import read_optional_prompt, read_prompt
from gradient_async.cli.prompt_template import PROMPT_FIELD, fill_template, find_fields, split_pairs
from gradient_async.cli.request_options import parse_parameters
from gradient_async.cli.wait_notes import WaitNotes

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(
    "chat",
    epilog=format_examples(
        'chat "What is the capital of Portugal?"',
        'chat "Summarise this in three points" --stats < notes.txt',
        'chat "What is on it?" --attach photo.jpg -o reasoning_effort=low',
        "chat --template review.txt -p language=Python < main.py",
    ),
)
@click.argument("prompt", required=False)
@model_option
@click.option("-s", "--system", help="System instructions, sent before the prompt.")
@click.option("--system-file", type=FILE, help="File with the system instructions.")
@click.option(
    "-a", "--attach", "attachments", type=FILE, multiple=True, help="Image or text file to send along; repeatable."
)
@click.option("--template", type=FILE, help="File with the prompt, with {name} for each -p and {text} for PROMPT.")
@click.option("-p", "--param", "values", metavar="NAME=VALUE", multiple=True, help="Value for --template; repeatable.")
@click.option(
    "-o",
    "--option",
    "parameters",
    metavar="NAME=VALUE",
    multiple=True,
    help="Any parameter of the request, with JSON or text as its value; repeatable.",
)
@agent_option
@click.option("--json", "as_json", is_flag=True, help="Print the whole completion as one line of JSON.")
@click.option("--stream/--no-stream", default=True, show_default=True, help="Print the response as it arrives.")
@click.option("--stats", is_flag=True, help="Print tokens, timings and rate limits on stderr.")
@max_tokens_option
@click.option("--temperature", type=click.FloatRange(0, 2), help="Randomness: 0 always takes the likeliest word.")
@service_options
def chat_command(
    *,
    prompt: str | None,
    model: str | None,
    system: str | None,
    system_file: Path | None,
    attachments: tuple[Path, ...],
    template: Path | None,
    values: tuple[str, ...],
    parameters: tuple[str, ...],
    agent: bool,
    as_json: bool,
    stream: bool,
    stats: bool,
    max_tokens: int | None,
    temperature: float | None,
    base_url: str | None,
) -> None:
    """Send PROMPT and print the response.

    Without PROMPT, or with -, the prompt is read from stdin; text that is piped in follows PROMPT.

    Ctrl-C stops the response; the text received so far stays,
    and the exit code is 130.
    """
    files = [read_attachment(path) for path in attachments]
    text = build_prompt(prompt, template, split_pairs("-p", values))
    params = {
        "model": select_model(model, agent=agent),
        "messages": build_messages(read_system(system, system_file), build_content(text, files)),
        "max_tokens": max_tokens,
        "temperature": temperature,
        "extra_body": parse_parameters(parameters) or None,
    }
    options = {"agent": agent, "as_json": as_json, "stream": stream, "stats": stats, "base_url": base_url}
    asyncio.run(_run_chat(ChatOptions(params=params, **options)))  # type: ignore[arg-type]  # a mixed dict, each value typed above


async def _run_chat(options: ChatOptions) -> None:
    async with open_completions(options.base_url, agent=options.agent, hooks=[WaitNotes()]) as completions:
        await print_completion(completions, options)


def read_system(text: str | None, path: Path | None) -> str | None:
    """Return the system instructions: the *text*, or the content of the file at *path*."""
    if path is None:
        return text
    if text is not None:
        raise click.UsageError("Give --system or --system-file, not both.")
    return read_text_file(path)


def build_prompt(prompt: str | None, template: Path | None, values: dict[str, str]) -> str:
    """Return the text of the user: the prompt, or the *template* that is filled with it and with *values*."""
    if template is None:
        if values:
            raise click.UsageError("-p needs a --template.")
        return read_prompt(prompt)
    text = read_text_file(template)
    needs_prompt = PROMPT_FIELD in find_fields(text) and PROMPT_FIELD not in values
    return fill_template(text, values, read_prompt(prompt) if needs_prompt else read_optional_prompt(prompt))


def build_messages(system: str | None, content: Any) -> list[dict[str, Any]]:
    """Return the messages for the *content* of the user, with the *system* instructions first if there are any."""
    instructions = [{"role": "system", "content": system}] if system else []
    return [*instructions, {"role": "user", "content": content}]


def read_text_file(path: Path) -> str:
    """Return the text of a file.

    Raises:
        click.UsageError: It is not text.
    """
    text = decode_text(path.read_bytes())
    if text is None:
        raise click.UsageError(f"{path} is not text in UTF-8.")
    return text
