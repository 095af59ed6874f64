"""Cost of an event of a messages or a responses stream.

Measures the CPU of the client process per delta of a stream that arrives as fast as it is read, each event in its own
HTTP chunk, as the services send them: text, thinking and the input of a tool of a message; text and the arguments of a
function call of a response. This library returns typed events, assembles the result, enforces the timeouts and
determines the outcome.

Baselines: bare aiohttp, which reads and discards the bytes; the plain streams of anthropic and openai, which assemble
nothing; and their ``.stream()`` helpers, which assemble the result as this library does and so have the goals.

    python benchmarks/event_streams.py [--quick] [--json]
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
from clients import KEY, MESSAGES, MODEL, Bare, Client, OpenAI, Ours, select_installed, use_client
from harness import CPU, Goal, Median, Row, Server, compare_rows, main, measure_medians, run_server

SLOW_SHARE = 10
QUESTION: list[Any] = MESSAGES[1:]
MESSAGE_GOALS = {"bare aiohttp": Goal(2.4), "anthropic .stream()": Goal(1 / 25)}
RESPONSE_GOALS = {"bare aiohttp": Goal(2.8), "openai .stream()": Goal(1 / 45)}
MESSAGE_STREAMS = {"text": "message-text", "thinking": "message-thinking", "tool input": "message-tool"}
RESPONSE_STREAMS = {"text": "response-text", "function arguments": "response-call"}


class OurMessages(Ours):
    """This library, reading a message."""

    async def read(self) -> None:
        """Read one stream to its end and access each delta."""
        async with self.session.messages.stream(model=MODEL, max_tokens=100, messages=QUESTION) as stream:
            async for event in stream:
                if event.type == "content_block_delta":
                    _ = event.delta
        if stream.outcome not in ("done", "tool_calls"):
            raise RuntimeError(f"the stream ended as {stream.outcome}")


class OurResponses(Ours):
    """This library, reading a response."""

    async def read(self) -> None:
        """Read one stream to its end and access each delta."""
        async with self.session.responses.stream(model=MODEL, input=QUESTION) as stream:
            async for event in stream:
                if event.type.endswith(".delta"):
                    _ = event.delta
        if stream.outcome not in ("done", "tool_calls"):
            raise RuntimeError(f"the stream ended as {stream.outcome}")


class Anthropic(Client):
    """The anthropic package with another base address."""

    name = module = "anthropic"
    is_slow = True

    async def open(self) -> None:
        """Create the client."""
        from anthropic import AsyncAnthropic

        self.client = AsyncAnthropic(api_key=KEY, base_url=self.base)

    async def close(self) -> None:
        """Close the client."""
        await self.client.close()

    async def read(self) -> None:
        """Read one stream to its end and access each delta."""
        stream = await self.client.messages.create(model=MODEL, max_tokens=100, messages=QUESTION, stream=True)
        async for event in stream:
            if event.type == "content_block_delta":
                _ = event.delta


class AnthropicHelper(Anthropic):
    """The anthropic package's ``.stream()``, which also assembles the message."""

    name = "anthropic .stream()"

    async def read(self) -> None:
        """Read one stream to its end and access each delta."""
        async with self.client.messages.stream(model=MODEL, max_tokens=100, messages=QUESTION) as stream:
            async for event in stream:
                if event.type == "content_block_delta":
                    _ = event.delta


class OpenAIResponses(OpenAI):
    """The openai package, reading a response."""

    async def read(self) -> None:
        """Read one stream to its end and access each delta."""
        stream = await self.client.responses.create(model=MODEL, input=QUESTION, stream=True)
        async for event in stream:
            if event.type.endswith(".delta"):
                _ = event.delta


class OpenAIResponsesHelper(OpenAI):
    """The openai package's ``.stream()``, which also assembles the response."""

    name = "openai .stream()"

    async def read(self) -> None:
        """Read one stream to its end and access each delta."""
        async with self.client.responses.stream(model=MODEL, input=QUESTION) as stream:
            async for event in stream:
                if event.type.endswith(".delta"):
                    _ = event.delta


@attrs.frozen
class Size:
    """Amount of work in one run."""

    events: int
    rounds: int
    peers: bool = True


async def time_event(kind: type[Client], running: Server, behaviour: str, events: int) -> float:
    """Return the CPU microseconds per delta of *kind*."""

    async def read(client: Client) -> float:
        with CPU() as cpu:
            await client.read()
        return cpu.seconds / events * 1e6

    return await use_client(kind, running.url(f"{behaviour}/{events}"), read)


async def compare_contenders(
    running: Server, behaviour: str, size: Size, ours: type[Client], peers: tuple[type[Client], ...]
) -> dict[str, Median]:
    """Return the median of each contender."""
    kinds = select_installed([ours, Bare, *(peers if size.peers else ())])
    events = {kind: max(size.events // (SLOW_SHARE if kind.is_slow else 1), 10) for kind in kinds}
    contenders = {kind.name: lambda kind=kind: time_event(kind, running, behaviour, events[kind]) for kind in kinds}
    return await measure_medians(contenders, size.rounds)


async def measure(size: Size) -> list[Row]:
    """Return the rows of each kind of stream."""
    rows: list[Row] = []
    apis: list[tuple[str, Mapping[str, str], Mapping[str, Goal], type[Client], tuple[type[Client], ...]]] = [
        ("messages", MESSAGE_STREAMS, MESSAGE_GOALS, OurMessages, (Anthropic, AnthropicHelper)),
        ("responses", RESPONSE_STREAMS, RESPONSE_GOALS, OurResponses, (OpenAIResponses, OpenAIResponsesHelper)),
    ]
    with run_server() as running:
        for api, streams, goals, ours, peers in apis:
            for name, behaviour in streams.items():
                found = await compare_contenders(running, behaviour, size, ours, peers)
                rows += compare_rows(f"CPU an event, {api}, {name}", "us", found, goals)
    return rows


if __name__ == "__main__":
    main(measure, full=Size(50_000, 7), quick=Size(20_000, 3), tiny=Size(100, 1, peers=False))
