"""Outside of a running asyncio loop every call fails with an error that names asyncio, under other frameworks too."""

from collections.abc import Awaitable, Callable, Coroutine
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import trio

from gradient_async import AsyncSession, ConfigurationError, RateLimiter, RateLimits

HI: Any = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
LINE = {"custom_id": "1", "body": HI}


def describe_weather(city: str) -> str:
    """Return the weather in *city*."""
    return f"It rains in {city}."


async def read_branch(session: AsyncSession) -> object:
    """Read the first event of one of two branches; the stream is closed if that is refused."""
    with closing(session.chat.completions.stream(**HI)) as stream:
        return await anext(stream.tee(2)[0])


CALLS: dict[str, Callable[[AsyncSession], Awaitable[object]]] = {
    "models": lambda s: s.models.list(),
    "completion": lambda s: s.chat.completions.create(**HI),
    "opened stream": lambda s: s.chat.completions.stream(**HI).open(),
    "block of a stream": lambda s: s.chat.completions.stream(**HI).__aenter__(),
    "next chunk": lambda s: anext(s.chat.completions.stream(**HI)),
    "whole stream": lambda s: s.chat.completions.stream(**HI).completion(),
    "text of a stream": lambda s: anext(s.chat.completions.stream(**HI).text()),
    "tools": lambda s: s.chat.completions.run_tools(**HI, tools=[describe_weather]),
    "agent": lambda s: s.agent("https://x.agents.do-ai.run", "k").chat.completions.create(messages=HI["messages"]),
    "message": lambda s: s.messages.create(**HI, max_tokens=9),
    "response": lambda s: s.responses.create(model="m", input="Hi"),
    "embeddings": lambda s: s.embeddings.create(model="m", input="Hi"),
    "invocation": lambda s: s.async_invoke.wait("id"),
    "batch file": lambda s: s.batches.create_file("a.jsonl"),
    "batch": lambda s: s.batches.submit([LINE]),
    "batch of a file": lambda s: s.batches.submit(Path(__file__)),
    "batch wait": lambda s: s.batches.job("id").wait(),
    "batch progress": lambda s: anext(s.batches.job("id").progress()),
    "batch results": lambda s: anext(s.batches.job("id").results()),
    "map": lambda s: s.chat.completions.map([HI]).__aenter__(),
    "tee": read_branch,
    "limiter": lambda s: RateLimiter(RateLimits()).acquire(),
}


def run_without_loop(awaitable: Awaitable[object]) -> object:
    """Start *awaitable* as another framework would, which does not know what asyncio awaits."""

    async def await_it() -> object:
        return await awaitable

    coroutine: Coroutine[Any, Any, object] = await_it()
    try:
        return coroutine.send(None)
    finally:
        coroutine.close()


@pytest.mark.parametrize("call", ["models", "completion", "next chunk", "batch", "map"])
def test_a_trio_program_is_told_at_its_first_call(call: str) -> None:
    async def main() -> None:
        async with AsyncSession("test", base_url="http://127.0.0.1:9") as session:
            await CALLS[call](session)

    with pytest.raises(ConfigurationError, match="asyncio"):
        trio.run(main)


@pytest.mark.parametrize("limits", [None, RateLimits()], ids=["no limiter", "limiter"])
@pytest.mark.parametrize("call", CALLS)
def test_a_call_outside_of_asyncio_says_what_it_needs(call: str, limits: RateLimits | None) -> None:
    session = AsyncSession("test", base_url="http://127.0.0.1:9", limits=limits)
    with pytest.raises(ConfigurationError, match="asyncio") as caught:
        run_without_loop(CALLS[call](session))
    assert not caught.value.maybe_sent
    assert caught.value.__context__ is None
