"""What the demo shows, in order. To add a step: a coroutine that takes a `Stage`, and its line in `STEPS`."""

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
from gradient_async.cli.answer_summary import times, tokens
from gradient_async.cli.terminal import Wrapper, bar_marks, limits_table, printable
from gradient_async.models import ChatCompletion
from gradient_async.params import MessageParam

INDENT = "   "
WIDTH = 100
BURST = 60


@attrs.frozen(kw_only=True)
class Stage:
    """What a step works with.

    Attributes:
        live: Whether the session talks to the real service, where every request is paid for.
        has_agent: Whether the session knows an agent and its key.
    """

    console: Console
    session: AsyncSession
    model: str
    live: bool = False
    has_agent: bool = True

    def say(self, text: str, style: str = "") -> None:
        """Print *text* on lines of its own."""
        width = min(self.console.width, WIDTH)
        lines = textwrap.fill(self.printable(text), width, initial_indent=INDENT, subsequent_indent=INDENT)
        self.console.print(Text(lines, style), soft_wrap=True)

    def printable(self, text: str) -> str:
        """Return *text* without what could drive the terminal."""
        return printable(text, self.console.file)

    def ask(self, question: str) -> list[MessageParam]:
        """Print *question* and return it as messages."""
        self.say(f"> {question}", "italic")
        return [{"role": "user", "content": question}]

    def tell(self, completion: ChatCompletion) -> None:
        """Print tokens and times of *completion*."""
        used = f"{tokens(completion.usage)} tokens, " if completion.usage else ""
        self.say(f"{used}{times(completion.meta.timings)}", "dim")


@attrs.frozen(kw_only=True)
class Step:
    """A part of the demo: a title, the call that is shown, and what does it."""

    title: str
    call: str
    run: Callable[[Stage], Awaitable[None]]


async def _chat(stage: Stage) -> None:
    messages = stage.ask("What is the capital of Portugal?")
    completion = await stage.session.chat.completions.create(model=stage.model, messages=messages, max_tokens=200)
    stage.say(completion.text)
    stage.tell(completion)


async def _stream(stage: Stage) -> None:
    messages = stage.ask("Tell me about rate limits.")
    wrapper = Wrapper(min(stage.console.width, WIDTH), INDENT)
    async with stage.session.chat.completions.stream(
        model=stage.model, messages=messages, max_tokens=200, stream_options={"include_usage": True}
    ) as stream:
        async for text in stream.text():
            stage.console.print(Text(wrapper.feed(stage.printable(text))), end="", soft_wrap=True)
    stage.console.print()
    stage.tell(stream.snapshot)


async def _agent(stage: Stage) -> None:
    if not stage.has_agent:
        stage.say("Skipped: AGENT_ENDPOINT and AGENT_ACCESS_KEY are not both set.", "dim")
        return
    messages = stage.ask("What do our notes say about batches?")
    completion = await stage.session.agent().chat.completions.create(messages=messages, include_retrieval_info=True)
    stage.say(completion.text)
    for found in completion.retrieval.retrieved_data if completion.retrieval else ():
        stage.say(f"from the knowledge base: {found.id} of index {found.index}, score {found.score}", "green")
    stage.tell(completion)


async def _batch(stage: Stage) -> None:
    if stage.live:
        stage.say("Skipped: a real batch takes hours. Try: gradient-async batch run prompts.jsonl", "dim")
        return
    countries = ("portugal", "france", "japan")
    requests = [BatchRequest(custom_id=name, body=_question(stage.model, name)) for name in countries]
    job = await stage.session.batches.submit(requests, endpoint="/v1/chat/completions")
    async for batch in job.progress(poll=Poll(first=0.05, longest=0.2)):
        counts = batch.request_counts
        stage.say(f"{batch.status}, {counts.completed} of {counts.total}", "dim")
    async for line in job.results():
        stage.say(f"{line.custom_id}: {line.text if line.ok else line.error}")


def _question(model: str, country: str) -> dict[str, Any]:
    content = f"What is the capital of {country.title()}?"
    return {"model": model, "messages": [{"role": "user", "content": content}]}


async def _limits(stage: Stage) -> None:
    limiter = stage.session.limits
    if limiter is None:
        return
    if not stage.live:
        await asyncio.gather(*(stage.session.models.list() for _ in range(BURST)))
        stage.say(f"after {BURST} more requests at once:", "dim")
    table = limits_table(limiter.status(), marks=bar_marks(stage.console))
    stage.console.print(Padding(table, (0, 0, 0, len(INDENT)), expand=False))
    stage.say(f"250 more requests could have been sent in {limiter.estimate(250):.1f} s.", "dim")


STEPS = (
    Step(title="A chat", call="await session.chat.completions.create(...)", run=_chat),
    Step(title="A stream", call="async for text in session.chat.completions.stream(...).text()", run=_stream),
    Step(title="An agent", call="await session.agent().chat.completions.create(...)", run=_agent),
    Step(title="A batch", call="await session.batches.submit(...)", run=_batch),
    Step(title="The limits", call="session.limits.status()", run=_limits),
)
