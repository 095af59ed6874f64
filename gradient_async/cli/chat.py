"""``gradient-async chat``: send one prompt and print the completion on stdout, or converse in a terminal."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import attrs
import click

from gradient_async import ChatCompletion
from gradient_async.cli.attachments import Content, build_content, decode_text, read_attachment
from gradient_async.cli.chat_options import (
    agent_option,
    max_tokens_option,
    model_option,
    open_completions,
    select_model,
    service_options,
)
from gradient_async.cli.chat_output import ChatOptions, print_completion
from gradient_async.cli.conversation.history import Conversation
from gradient_async.cli.conversation.saved import load_conversation, save_conversation
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
        "chat --continue",
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
@click.option("-c", "--continue", "continues", is_flag=True, help="Go on with the last conversation.")
@click.option(
    "--remember/--no-remember", default=True, help="Keep conversations for --continue, and typed lines. Default: yes."
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
    continues: bool,
    remember: bool,
    agent: bool,
    as_json: bool,
    stream: bool,
    stats: bool,
    max_tokens: int | None,
    temperature: float | None,
    base_url: str | None,
) -> None:
    """Send PROMPT and print the response.

    With - for PROMPT, the prompt is read from stdin; text that is piped in follows PROMPT. Without PROMPT and without
    a pipe, a terminal becomes a conversation: /help lists its commands, Ctrl-D ends it.

    Ctrl-C stops the response; the text received so far stays,
    and the exit code is 130. In a conversation it stops the response only.
    """
    files = [read_attachment(path) for path in attachments]
    conversation = load_conversation() if continues else Conversation()
    conversation.model = select_model(model if agent else model or conversation.model, agent=agent)
    conversation.system = read_system(system, system_file) or conversation.system
    options = ChatOptions(
        params={
            "max_tokens": max_tokens,
            "temperature": temperature,
            "extra_body": parse_parameters(parameters) or None,
        },
        agent=agent,
        as_json=as_json,
        stream=stream,
        stats=stats,
        base_url=base_url,
    )
    if prompt is None and template is None and not as_json and is_conversation():
        from gradient_async.cli.conversation.start import converse  # a single request does not load it

        converse(conversation, options, files, remember=remember)
        return
    question = build_content(build_prompt(prompt, template, split_pairs("-p", values)), files)
    completion = asyncio.run(_request_completion(conversation, question, options))
    if continues and remember:
        conversation.add_exchange(question, completion.text)
        save_conversation(conversation)


async def _request_completion(conversation: Conversation, question: Content, options: ChatOptions) -> ChatCompletion:
    params = {**options.params, "model": conversation.model, "messages": conversation.build_messages(question)}
    async with open_completions(options.base_url, agent=options.agent, hooks=[WaitNotes()]) as completions:
        return await print_completion(completions, attrs.evolve(options, params=params))


def is_conversation() -> bool:
    """Whether a person can converse: stdin and stdout are a terminal."""
    return sys.stdin.isatty() and sys.stdout.isatty()


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


def read_text_file(path: Path) -> str:
    """Return the text of a file.

    Raises:
        click.UsageError: It is not text.
    """
    text = decode_text(path.read_bytes())
    if text is None:
        raise click.UsageError(f"{path} is not text in UTF-8.")
    return text
