"""CPU of a streamed token through the adapters for LangChain and Pydantic AI, beside the frameworks' OpenAI models.

All models read the same stream from the same server, a burst of chunks, through the framework's public interface: the
chunks of ``astream``, and the text of ``run_stream``. Most of the time is the framework's own. Its floor is measured by
a model that makes the same messages without a request; further rows compare what each model adds to that floor.

    python benchmarks/adapters.py [--quick] [--json]
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import attrs
from clients import KEY, MODEL, ROOMY
from harness import CPU, Goal, Median, Row, compare_rows, main, measure_medians, print_note, run_server

from gradient_async import AsyncSession

Read = Callable[[], Awaitable[int]]
FLOOR, THEIRS = "the framework alone", "its OpenAI model"
WORD = "token"


@attrs.frozen
class Size:
    """Amount of work in one run."""

    rounds: int
    chunks: int


def make_langchain_readers(base: str, session: AsyncSession, chunks: int) -> dict[str, Read]:
    """Return the readers of one stream through LangChain, by contender; each returns the number of its messages."""
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessageChunk
    from langchain_core.outputs import ChatGenerationChunk
    from langchain_openai import ChatOpenAI
    from pydantic import SecretStr

    from gradient_async.integrations.langchain import ChatGradient

    class Floor(BaseChatModel):
        _llm_type = "floor"

        def _generate(self, *_: Any, **__: Any) -> Any:
            raise NotImplementedError

        async def _astream(self, *_: Any, **__: Any) -> AsyncIterator[ChatGenerationChunk]:
            for _number in range(chunks):
                yield ChatGenerationChunk(message=AIMessageChunk(content=WORD, id="id"))

    def reader(model: BaseChatModel) -> Read:
        async def read() -> int:
            return len([chunk async for chunk in model.astream("Hi")])

        return read

    theirs = ChatOpenAI(model=MODEL, base_url=f"{base}/v1", api_key=SecretStr(KEY))
    return {
        "ours": reader(ChatGradient(session=session, model=MODEL)),
        THEIRS: reader(theirs),
        FLOOR: reader(Floor()),
    }


def make_pydantic_ai_readers(base: str, session: AsyncSession, chunks: int) -> dict[str, Read]:
    """Return the readers of one stream through Pydantic AI, by contender; each returns the number of its texts."""
    from pydantic_ai import Agent
    from pydantic_ai.models import Model, StreamedResponse
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    from gradient_async.integrations.pydantic_ai import GradientModel

    class FloorResponse(StreamedResponse):
        model_name, provider_name, provider_url, timestamp = "floor", "floor", None, datetime.now(UTC)

        async def _get_event_iterator(self) -> AsyncIterator[Any]:
            for _number in range(chunks):
                for event in self._parts_manager.handle_text_delta(vendor_part_id="content", content=WORD):
                    yield event

        async def close_stream(self) -> None:
            raise NotImplementedError

    class Floor(Model[Any]):
        model_name, system = "floor", "floor"

        async def request(self, *_: Any) -> Any:
            raise NotImplementedError

        @asynccontextmanager
        async def request_stream(self, _messages: Any, settings: Any, parameters: Any, *_: Any) -> AsyncIterator[Any]:
            prepared = self.prepare_request(settings, parameters)[1]
            yield FloorResponse(model_request_parameters=prepared)

    def reader(model: Any) -> Read:
        agent = Agent(model)

        async def read() -> int:
            async with agent.run_stream("Hi") as result:
                return len([text async for text in result.stream_text(delta=True, debounce_by=None)])

        return read

    theirs = OpenAIChatModel(MODEL, provider=OpenAIProvider(base_url=f"{base}/v1", api_key=KEY))
    return {
        "ours": reader(GradientModel(MODEL, session=session)),
        THEIRS: reader(theirs),
        FLOOR: reader(Floor()),
    }


FRAMEWORKS = {
    "LangChain astream": (make_langchain_readers, ("langchain_core", "langchain_openai")),
    "Pydantic AI run_stream": (make_pydantic_ai_readers, ("pydantic_ai", "openai")),
}


@asynccontextmanager
async def open_session(base: str) -> AsyncIterator[AsyncSession]:
    """Open a session with a budget that is never exhausted."""
    async with AsyncSession(KEY, base_url=base, limits=ROOMY) as session:
        yield session


def measure_reader(read: Read, chunks: int) -> Callable[[], Awaitable[float]]:
    """Return a contender: the CPU of one stream in microseconds a chunk."""

    async def measure_stream() -> float:
        with CPU() as cpu:
            count = await read()
        if count < chunks:
            raise RuntimeError(f"{count} of {chunks} texts arrived")
        return cpu.seconds / chunks * 1e6

    return measure_stream


def subtract_floor(found: Mapping[str, Median]) -> dict[str, Median]:
    """Return what ours and the OpenAI model add to the framework's floor, round by round."""
    floor = found[FLOOR].rounds
    return {
        name: Median(max(value - low, 0.0) for value, low in zip(found[name].rounds, floor, strict=True))
        for name in ("ours", THEIRS)
        if name in found
    }


async def measure(size: Size) -> list[Row]:
    """Return the rows of each framework that is installed."""
    rows: list[Row] = []
    logging.getLogger("httpx").setLevel(logging.WARNING)
    with run_server() as running:
        base = running.url(f"burst/{size.chunks}")
        async with open_session(base) as session:
            for name, (make_readers, modules) in FRAMEWORKS.items():
                if missing := [module for module in modules if importlib.util.find_spec(module) is None]:
                    print_note(f"not installed and left out: {', '.join(missing)}")
                    continue
                readers = make_readers(base, session, size.chunks)
                contenders = {who: measure_reader(read, size.chunks) for who, read in readers.items()}
                for read in readers.values():
                    await read()  # imports, connections
                found = await measure_medians(contenders, size.rounds)
                rows += compare_rows(f"{name}, CPU a token", "us", found, {THEIRS: Goal(1.0)})
                above = subtract_floor(found)
                rows += compare_rows(f"{name}, above the framework", "us", above, {THEIRS: Goal(1 / 3)})
    return rows


if __name__ == "__main__":
    main(measure, full=Size(7, 2000), quick=Size(3, 1000), tiny=Size(1, 50))
