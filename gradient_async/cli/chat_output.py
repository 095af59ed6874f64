"""The output of a chat: text as it arrives or the whole completion as JSON, and a summary on stderr."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import attrs
import click

from gradient_async.cli.completion_summary import summarize_completion
from gradient_async.cli.terminal import print_line, remove_controls

if TYPE_CHECKING:
    from gradient_async import ChatCompletion, ChatStream
    from gradient_async.resources.chat.agent import AgentChatCompletions
    from gradient_async.resources.chat.completions import ChatCompletions


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

    @property
    def stream_params(self) -> dict[str, Any]:
        """The parameters of a stream, which counts its tokens only when asked."""
        if not (self.stats or self.as_json):
            return self.params
        return {**self.params, "stream_options": {"include_usage": True}}


async def print_completion(completions: ChatCompletions | AgentChatCompletions, options: ChatOptions) -> ChatCompletion:
    """Send the request and print the completion, as a stream or whole, and the notes about it."""
    if options.stream:
        completion = await print_stream(completions.stream(**options.stream_params), options)
    else:
        completion = await completions.create(**options.params)
        print_line(completion.to_json() if options.as_json else completion.text)
    print_notes(completion, stats=options.stats)
    return completion


def print_notes(completion: ChatCompletion, *, stats: bool) -> None:
    """Print on stderr that a completion was cut off, and with *stats* its summary."""
    if completion.finish_reason == "length":
        click.echo("The response was cut off by the token limit.", err=True)
    for name, value in summarize_completion(completion) if stats else ():
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
