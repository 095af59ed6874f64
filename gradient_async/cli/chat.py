"""``gradient-async chat``: one question, its answer on stdout."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import attrs
import click

from gradient_async import AsyncSession, ChatCompletion, ChatStream
from gradient_async.cli.facts import facts
from gradient_async.cli.settings import DEFAULT_MODEL, MODEL_VARIABLE
from gradient_async.cli.terminal import printable
from gradient_async.resources.agent import AgentChatCompletions
from gradient_async.resources.chat import ChatCompletions


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
@click.option("-m", "--model", envvar=MODEL_VARIABLE, show_envvar=True, show_default=DEFAULT_MODEL, help="Who answers.")
@click.option("-s", "--system", help="Instructions that go before the prompt.")
@click.option("--agent", is_flag=True, help="Ask the agent of AGENT_ENDPOINT with AGENT_ACCESS_KEY.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole completion as one line of JSON.")
@click.option("--stream/--no-stream", default=True, show_default=True, help="Print the answer as it arrives.")
@click.option("--stats", is_flag=True, help="Print tokens, timings and rate limits on stderr.")
@click.option("--max-tokens", type=click.IntRange(min=1), help="The longest answer, in tokens.")
@click.option("--temperature", type=click.FloatRange(0, 2), help="0 for the likeliest words, more for others.")
@click.option("--base-url", help="Another address of the service; with --agent, of the agent.")
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
        "model": model or (None if agent else DEFAULT_MODEL),
        "messages": _messages(system, _prompt(prompt)),
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


def _messages(system: str | None, prompt: str) -> list[dict[str, str]]:
    before = [{"role": "system", "content": system}] if system else []
    return [*before, {"role": "user", "content": prompt}]


async def _ask(question: Question) -> None:
    async with _session(question) as session:
        completions = _completions(session, question)
        if question.stream:
            completion = await _show_stream(completions.stream(**_stream_params(question)), question)
        else:
            completion = await completions.create(**question.params)
            click.echo(completion.to_json() if question.as_json else printable(completion.text, sys.stdout))
    _show_notes(completion, question)


def _session(question: Question) -> AsyncSession:
    if question.agent:
        return AsyncSession(agent_endpoint=question.base_url)
    return AsyncSession(base_url=question.base_url)


def _completions(session: AsyncSession, question: Question) -> ChatCompletions | AgentChatCompletions:
    return session.agent().chat.completions if question.agent else session.chat.completions


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
            click.echo(stream.snapshot.to_json())
        elif began:
            click.echo()
    return stream.snapshot


def _show_notes(completion: ChatCompletion, question: Question) -> None:
    if completion.finish_reason == "length":
        click.echo("The answer was cut off by the token limit.", err=True)
    for name, value in facts(completion) if question.stats else ():
        click.echo(f"{name:<10}  {printable(value, sys.stderr)}", err=True)
