"""The steps of the demo, in order. To add a step: a coroutine that takes a `Stage`, and its line in `STEPS`."""

from __future__ import annotations

import asyncio
import textwrap
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from gradient_async import AsyncSession, BatchRequest, Poll
from gradient_async.cli.completion_summary import format_timings, format_tokens
from gradient_async.cli.terminal import Wrapper, build_limits_table, choose_bar_marks, remove_controls
from gradient_async.models import ChatCompletion
from gradient_async.params import MessageParam

INDENT = "   "
WIDTH = 100
BURST = 60
"""Concurrent requests that show the rate limits at work."""


@attrs.frozen(kw_only=True)
class Stage:
    """The console, session and model of the demo.

    Attributes:
        console: Output of the demo.
        session: Session of the emulator or of the service.
        model: Model to use.
        live: Whether the session talks to the real service, which bills each request.
        has_agent: Whether the session has an agent's endpoint and key.
    """

    console: Console
    session: AsyncSession
    model: str
    live: bool = False
    has_agent: bool = True

    def print_text(self, text: str, style: str = "") -> None:
        """Print *text*, indented and wrapped."""
        width = min(self.console.width, WIDTH)
        lines = textwrap.fill(self.clean_text(text), width, initial_indent=INDENT, subsequent_indent=INDENT)
        self.console.print(Text(lines, style), soft_wrap=True)

    def clean_text(self, text: str) -> str:
        """Remove control characters that would drive the terminal."""
        return remove_controls(text, self.console.file)

    def print_question(self, question: str) -> list[MessageParam]:
        """Print *question* and return it as messages."""
        self.print_text(f"> {question}", "italic")
        return [{"role": "user", "content": question}]

    def print_usage(self, completion: ChatCompletion) -> None:
        """Print the tokens and timings of *completion*."""
        tokens = f"{format_tokens(completion.usage)} tokens, " if completion.usage else ""
        self.print_text(f"{tokens}{format_timings(completion.meta.timings)}", "dim")


@attrs.frozen(kw_only=True)
class Step:
    """One step of the demo.

    Attributes:
        title: Heading of the step.
        call: Python call that the step shows.
        run: Coroutine that performs the step.
    """

    title: str
    call: str
    run: Callable[[Stage], Awaitable[None]]


async def _show_chat(stage: Stage) -> None:
    messages = stage.print_question("What is the capital of Portugal?")
    completion = await stage.session.chat.completions.create(model=stage.model, messages=messages, max_tokens=200)
    stage.print_text(completion.text)
    stage.print_usage(completion)


async def _show_stream(stage: Stage) -> None:
    messages = stage.print_question("Tell me about rate limits.")
    wrapper = Wrapper(min(stage.console.width, WIDTH), INDENT)
    async with stage.session.chat.completions.stream(
        model=stage.model, messages=messages, max_tokens=200, stream_options={"include_usage": True}
    ) as stream:
        async for text in stream.text():
            stage.console.print(Text(wrapper.feed(stage.clean_text(text))), end="", soft_wrap=True)
    stage.console.print()
    stage.print_usage(stream.snapshot)


async def _show_agent(stage: Stage) -> None:
    if not stage.has_agent:
        stage.print_text("Skipped: AGENT_ENDPOINT and AGENT_ACCESS_KEY are not both set.", "dim")
        return
    messages = stage.print_question("What do our notes say about batches?")
    completion = await stage.session.agent().chat.completions.create(messages=messages, include_retrieval_info=True)
    stage.print_text(completion.text)
    for found in completion.retrieval.retrieved_data if completion.retrieval else ():
        stage.print_text(f"from the knowledge base: {found.id} of index {found.index}, score {found.score}", "green")
    stage.print_usage(completion)


async def _show_batch(stage: Stage) -> None:
    if stage.live:
        stage.print_text("Skipped: a real batch takes hours. Try: gradient-async batch run prompts.jsonl", "dim")
        return
    countries = ("portugal", "france", "japan")
    requests = [BatchRequest(custom_id=name, body=_build_question(stage.model, name)) for name in countries]
    job = await stage.session.batches.submit(requests, endpoint="/v1/chat/completions")
    async for batch in job.progress(poll=Poll(first=0.05, longest=0.2)):
        counts = batch.request_counts
        stage.print_text(f"{batch.status}, {counts.completed} of {counts.total}", "dim")
    async for line in job.results():
        stage.print_text(f"{line.custom_id}: {line.text if line.ok else line.error}")


def _build_question(model: str, country: str) -> dict[str, Any]:
    content = f"What is the capital of {country.title()}?"
    return {"model": model, "messages": [{"role": "user", "content": content}]}


async def _show_limits(stage: Stage) -> None:
    limiter = stage.session.limits
    if limiter is None:
        return
    if not stage.live:
        await asyncio.gather(*(stage.session.models.list() for _ in range(BURST)))
        stage.print_text(f"after {BURST} more requests at once:", "dim")
    table = build_limits_table(limiter.status(), marks=choose_bar_marks(stage.console))
    stage.console.print(Padding(table, (0, 0, 0, len(INDENT)), expand=False))
    stage.print_text(f"250 more requests could have been sent in {limiter.estimate(250):.1f} s.", "dim")


STEPS = (
    Step(title="A chat", call="await session.chat.completions.create(...)", run=_show_chat),
    Step(title="A stream", call="async for text in session.chat.completions.stream(...).text()", run=_show_stream),
    Step(title="An agent", call="await session.agent().chat.completions.create(...)", run=_show_agent),
    Step(title="A batch", call="await session.batches.submit(...)", run=_show_batch),
    Step(title="The limits", call="session.limits.status()", run=_show_limits),
)
