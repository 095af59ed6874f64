"""``gradient-async chat``: send one prompt and print the completion on stdout, or converse in a terminal."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from gradient_async.cli.attachments import Content, build_content, read_attachment
from gradient_async.cli.chat_input import build_prompt, read_system
from gradient_async.cli.chat_options import completion_options, open_completions, select_model, service_options
from gradient_async.cli.chat_output import ChatOptions, print_completion
from gradient_async.cli.conversation.history import Conversation
from gradient_async.cli.conversation.saved import load_conversation, save_conversation
from gradient_async.cli.examples import format_examples
from gradient_async.cli.prompt_template import split_pairs
from gradient_async.cli.request_options import parse_parameters
from gradient_async.cli.wait_notes import WaitNotes

if TYPE_CHECKING:
    from gradient_async import ChatCompletion

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
@completion_options
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
@click.option("--json", "as_json", is_flag=True, help="Print the whole completion as one line of JSON.")
@click.option("--stream/--no-stream", default=True, show_default=True, help="Print the response as it arrives.")
@click.option("--stats", is_flag=True, help="Print tokens, timings and rate limits on stderr.")
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
    continues: bool,
    remember: bool,
    **request: Any,
) -> None:
    """Send PROMPT and print the response.

    With - for PROMPT, the prompt is read from stdin; text that is piped in follows PROMPT. Without PROMPT and without
    a pipe, a terminal becomes a conversation: /help lists its commands, Ctrl-D ends it.

    Ctrl-C stops the response; the text received so far stays,
    and the exit code is 130. In a conversation it stops the response only.
    """
    options, files = build_options(**request), [read_attachment(path) for path in attachments]
    conversation = load_conversation() if continues else Conversation()
    conversation.model = select_model(model if options.agent else model or conversation.model, agent=options.agent)
    conversation.system = read_system(system, system_file) or conversation.system
    if prompt is None and not (template or values or options.as_json) and is_conversation():
        from gradient_async.cli.conversation.start import converse  # a single request does not load it

        converse(conversation, options, files, remember=remember)
        return
    question = build_content(build_prompt(prompt, template, split_pairs("-p", values)), files)
    completion = asyncio.run(_request_completion(conversation, question, options))
    if continues and remember:
        conversation.add_exchange(question, completion.text)
        save_conversation(conversation)


def build_options(
    *, parameters: tuple[str, ...], max_tokens: int | None, temperature: float | None, **output: Any
) -> ChatOptions:
    """Return the options of every request; *output* holds the other fields of `ChatOptions`."""
    extra = parse_parameters(parameters) or None
    return ChatOptions(params={"max_tokens": max_tokens, "temperature": temperature, "extra_body": extra}, **output)


async def _request_completion(conversation: Conversation, question: Content, options: ChatOptions) -> ChatCompletion:
    params = {**options.params, "model": conversation.model, "messages": conversation.build_messages(question)}
    async with open_completions(options.base_url, agent=options.agent, hooks=[WaitNotes()]) as completions:
        return await print_completion(completions, attrs.evolve(options, params=params))


def is_conversation() -> bool:
    """Whether a person can converse: stdin and stdout are a terminal."""
    return sys.stdin.isatty() and sys.stdout.isatty()
