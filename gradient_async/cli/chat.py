"""``gradient-async chat``: send one prompt and print the completion on stdout."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import attrs
import click

from gradient_async import ChatCompletion, ChatStream
from gradient_async.cli.chat_options import (
    agent_option,
    build_messages,
    max_tokens_option,
    model_option,
    open_completions,
    select_model,
    service_options,
)
from gradient_async.cli.completion_summary import summarize_completion
from gradient_async.cli.examples import format_examples
from gradient_async.cli.prompt_input import read_prompt
from gradient_async.cli.terminal import print_line, remove_controls
from gradient_async.cli.wait_notes import WaitNotes


@attrs.frozen(kw_only=True)
class ChatOptions:
    """The request of one chat, and the form of its output.

    Attributes:
        params: Parameters of the completion.
        base_url: Address of the inference service, or with *agent* of the agent; None for the configured one.
        agent: Whether to send the request to the agent.
        as_json: Whether to print the whole completion as one line of JSON.
        stream: Whether to request a stream and print text as it arrives.
        stats: Whether to print tokens, timings and rate limits on stderr.
    """

    params: dict[str, Any]
    base_url: str | None = None
    agent: bool = False
    as_json: bool = False
    stream: bool = True
    stats: bool = False


@click.command(
    "chat",
    epilog=format_examples(
        'chat "What is the capital of Portugal?"', 'chat "Summarise this in three points" --stats < notes.txt'
    ),
)
@click.argument("prompt", required=False)
@model_option
@click.option("-s", "--system", help="System instructions, sent before the prompt.")
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
    params = {
        "model": select_model(model, agent=agent),
        "messages": build_messages(system, read_prompt(prompt)),
        "max_tokens": max_tokens,
        "temperature": temperature,
    }
    options = {"agent": agent, "as_json": as_json, "stream": stream, "stats": stats, "base_url": base_url}
    asyncio.run(_run_chat(ChatOptions(params=params, **options)))  # type: ignore[arg-type]  # a mixed dict, each value typed above


async def _run_chat(options: ChatOptions) -> None:
    async with open_completions(options.base_url, agent=options.agent, hooks=[WaitNotes()]) as completions:
        if options.stream:
            params = options.params
            if options.stats or options.as_json:
                params = {**params, "stream_options": {"include_usage": True}}
            completion = await print_stream(completions.stream(**params), options)
        else:
            completion = await completions.create(**options.params)
            print_line(completion.to_json() if options.as_json else completion.text)
    if completion.finish_reason == "length":
        click.echo("The response was cut off by the token limit.", err=True)
    for name, value in summarize_completion(completion) if options.stats else ():
        click.echo(f"{name:<10}  {remove_controls(value, sys.stderr)}", err=True)


async def print_stream(stream: ChatStream, options: ChatOptions) -> ChatCompletion:
    """Print text as it arrives, or the whole completion as JSON at the end.

    An error or a cancellation still prints the partial completion.
    """
    has_text = False
    try:
        async with stream:
            async for text in stream.text():
                has_text = True
                if not options.as_json:
                    click.echo(remove_controls(text, sys.stdout), nl=False)
    finally:
        if options.as_json and (has_text or stream.snapshot.choices):
            print_line(stream.snapshot.to_json())
        elif has_text:
            click.echo()
    return stream.snapshot
