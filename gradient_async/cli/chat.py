"""``gradient-async chat``: one question, its answer on stdout."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import attrs
import click

from gradient_async import ChatCompletion, ChatStream
from gradient_async.cli.answer_summary import facts
from gradient_async.cli.chat_options import (
    agent_option,
    base_url_option,
    completions_of,
    conversation,
    max_tokens_option,
    model_for,
    model_option,
)
from gradient_async.cli.terminal import printable, put


@attrs.frozen(kw_only=True)
class Question:
    """What is asked, of whom, and how the answer is shown.

    Attributes:
        params: The parameters of the completion.
        base_url: The address of the inference service, or with *agent* of the agent; None for the configured one.
    """

    params: dict[str, Any]
    base_url: str | None = None
    agent: bool = False
    as_json: bool = False
    stream: bool = True
    stats: bool = False


@click.command("chat")
@click.argument("prompt", required=False)
@model_option
@click.option("-s", "--system", help="Instructions that go before the prompt.")
@agent_option
@click.option("--json", "as_json", is_flag=True, help="Print the whole completion as one line of JSON.")
@click.option("--stream/--no-stream", default=True, show_default=True, help="Print the answer as it arrives.")
@click.option("--stats", is_flag=True, help="Print tokens, timings and rate limits on stderr.")
@max_tokens_option
@click.option("--temperature", type=click.FloatRange(0, 2), help="0 for the likeliest words, more for others.")
@base_url_option
def command(
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
    """Ask PROMPT, or what stdin holds, and print the answer.

    Ctrl-C stops the answer; what came of it stays, and the exit code is 130.
    """
    params = {
        "model": model_for(model, agent=agent),
        "messages": conversation(system, _prompt(prompt)),
        "max_tokens": max_tokens,
        "temperature": temperature,
    }
    how = {"agent": agent, "as_json": as_json, "stream": stream, "stats": stats, "base_url": base_url}
    asyncio.run(_ask(Question(params=params, **how)))  # type: ignore[arg-type]  # a mixed dict, each value typed above


def _prompt(prompt: str | None) -> str:
    if prompt is None and sys.stdin.isatty():
        raise click.UsageError("Give a prompt, or pipe one in.")
    text = sys.stdin.read() if prompt in (None, "-") else prompt or ""
    if not text.strip():
        raise click.UsageError("The prompt is empty.")
    return text


async def _ask(question: Question) -> None:
    async with completions_of(question.base_url, agent=question.agent) as completions:
        if question.stream:
            completion = await _show_stream(completions.stream(**_stream_params(question)), question)
        else:
            completion = await completions.create(**question.params)
            put(completion.to_json() if question.as_json else completion.text)
    _show_notes(completion, question)


def _stream_params(question: Question) -> dict[str, Any]:
    if question.stats or question.as_json:
        return {**question.params, "stream_options": {"include_usage": True}}
    return question.params


async def _show_stream(stream: ChatStream, question: Question) -> ChatCompletion:
    """Print the answer as it arrives, or at the end as JSON; whatever stops it, what came is printed."""
    began = False
    try:
        async with stream:
            async for text in stream.text():
                began = True
                if not question.as_json:
                    click.echo(printable(text, sys.stdout), nl=False)
    finally:
        if question.as_json and (began or stream.snapshot.choices):
            put(stream.snapshot.to_json())
        elif began:
            click.echo()
    return stream.snapshot


def _show_notes(completion: ChatCompletion, question: Question) -> None:
    if completion.finish_reason == "length":
        click.echo("The answer was cut off by the token limit.", err=True)
    for name, value in facts(completion) if question.stats else ():
        click.echo(f"{name:<10}  {printable(value, sys.stderr)}", err=True)
