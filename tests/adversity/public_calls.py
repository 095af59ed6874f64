"""Every public coroutine, stream and iteration of the client, as a table of calls against the emulator.

Contract: a call that ends well can be made again on the same `World`.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs

from gradient_async import (
    AsyncSession,
    BatchJob,
    ChatStream,
    ImageStream,
    MessageStream,
    Poll,
    RateLimiter,
    RateLimits,
    RawStream,
    ResponseStream,
    RetryPolicy,
)
from gradient_async.resources.async_invoke import AsyncInvoke
from gradient_async.resources.audio import Speech
from gradient_async.resources.batch.batches import Batches
from gradient_async.resources.chat.agent import Agent, AgentChatCompletions
from gradient_async.resources.chat.completions import ChatCompletions
from gradient_async.resources.embeddings import Embeddings
from gradient_async.resources.images import Images
from gradient_async.resources.knowledge_bases import KnowledgeBases
from gradient_async.resources.messages import Messages
from gradient_async.resources.models import Models
from gradient_async.resources.rerank import Rerank
from gradient_async.resources.responses import Responses
from gradient_async.resources.systemone import SystemOne
from gradient_async.resources.videos import Videos
from gradient_async.testing import Emulator
from gradient_async.testing.recorded_request import RecordedRequest
from gradient_async.testing.replies import Reply
from tests.support.waiting import HANG_SECONDS

MODEL = "m"
AGENT_KEY = "the-key-of-an-agent"
SECRET = "a word that is private"
PROMPT = f"Tell me how rain falls, and when, and where, and why, in the north and in the south. {SECRET}"
QUICK = Poll(first=0.001, longest=0.001)
CHAT: Any = {"model": MODEL, "messages": [{"role": "user", "content": PROMPT}]}
MESSAGE: Any = {**CHAT, "max_tokens": 100}
RESPONSE: Any = {"model": MODEL, "input": PROMPT}
IMAGE: Any = {"model": MODEL, "prompt": PROMPT}
ROWS: Any = [{"custom_id": str(number), "body": CHAT} for number in range(2)]
FILE_LINE = (
    b'{"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "m", "messages": []}}\n'
)
PUBLIC_CLASSES = (
    *(AsyncSession, RateLimiter, ChatStream, MessageStream, ResponseStream, ImageStream, RawStream),
    *(ChatCompletions, Messages, Responses, Embeddings, Rerank, SystemOne, KnowledgeBases, Models, Images, Speech),
    *(Videos, AsyncInvoke, Batches, BatchJob, Agent, AgentChatCompletions),
)


@attrs.frozen
class Answer:
    """What `parse` makes of a response."""

    answer: str


def weather(city: str) -> str:
    """Return the weather in *city*."""
    return f"Sunny in {city}."


@attrs.define
class World:
    """What calls need: a session, and a finished job, video and invocation.

    Attributes:
        patience: Seconds to wait for the end of a job.
    """

    emulator: Emulator
    session: AsyncSession
    folder: Path
    job: BatchJob
    video_id: str
    invocation_id: str
    patience: float

    @property
    def agent(self) -> Agent:
        """The emulator's agent."""
        return self.session.agent(self.emulator.agent_url, AGENT_KEY)

    def new_path(self, suffix: str) -> Path:
        """Return the path of a file that does not exist."""
        return self.folder / f"{len(list(self.folder.iterdir()))}{suffix}"


@asynccontextmanager
async def open_world(
    folder: Path, key: str = "sk-of-the-table", patience: float = HANG_SECONDS, **options: Any
) -> AsyncIterator[World]:
    """Start an emulator and open a session of *options* with it."""
    options = {
        "limits": RateLimiter(RateLimits(windows=[(100_000, 60.0)]), guard=0),
        "retry": RetryPolicy(first=0),
        **options,
    }
    async with (
        Emulator(batch_seconds=0.0, video_seconds=0.0, invocation_seconds=0.0, limits=[(100_000, 60.0)]) as emulator,
        AsyncSession(
            key,
            base_url=emulator.url,
            knowledge_base_endpoint=emulator.url,
            knowledge_base_token=key,
            **options,
        ) as session,
    ):
        emulator.on_request(answer_shortly)
        emulator.batches.drop_line("1")  # which `retry_failed` sends again
        job = await session.batches.run(ROWS, poll=QUICK)
        video = await session.videos.create(**IMAGE)
        invocation = await session.async_invoke.create(model_id=MODEL, input={"prompt": PROMPT})
        yield World(emulator, session, folder, job, video.id, invocation.request_id, patience)


def answer_shortly(request: RecordedRequest) -> Reply | str | None:
    """Return a short answer that repeats nothing of the request: a call of its tool, then text."""
    if not request.generates:
        return None
    has_results = any(word in request.body for word in (b'"tool_call_id"', b'"tool_result"', b'"function_call_output"'))
    for tool in request.fields.get("tools", ()) if not has_results else ():
        name = tool.get("function", tool)["name"]
        arguments = {"answer": "Yes."} if name == "Answer" else {"city": "Rome"}
        return Reply(tool_calls=[{"name": name, "arguments": arguments}])
    return (
        '{"answer": "Yes."}' if request.fields.keys() & {"response_format", "text", "output_config"} else "Two words."
    )


async def drain(source: AsyncIterable[object]) -> None:
    """Iterate to the end."""
    async for _ in source:
        pass


async def use_stream(stream: Any) -> None:
    """Read a stream to its end inside a block."""
    async with stream:
        await drain(stream)


async def open_and_close(stream: Any) -> None:
    """Open a stream and close it unread."""
    await stream.open()
    await stream.aclose()


async def read_branches(stream: Any) -> None:
    """Read both branches of a short stream."""
    for branch in stream.tee(2):
        await drain(branch)


async def read_map(results: Any) -> None:
    """Read the results of a map inside a block."""
    async with results:
        await drain(results)


async def upload(world: World) -> None:
    """Take the first two steps of a batch."""
    file = await world.session.batches.create_file("in.jsonl")
    await world.session.batches.upload(file, FILE_LINE)


async def acquire(world: World) -> None:
    """Wait for a permit of a limiter, and close it."""
    limiter = RateLimiter(RateLimits(windows=[(1, 0.001)]), guard=0)
    for _ in range(2):
        await limiter.acquire(timeout=HANG_SECONDS)
    await limiter.aclose()


async def close_session(world: World) -> None:
    """Close a session of its own with an open stream."""
    session = AsyncSession(
        "other",
        base_url=world.emulator.url,
        limits=None,
        retry=RetryPolicy(attempts=1),
        timeouts=world.session._timeouts,
    )
    stream = session.chat.completions.stream(**CHAT)
    try:
        await stream.open()
    finally:
        stream.close()
        await session.aclose()


async def create_job(world: World) -> None:
    """Take the steps of a batch one by one."""
    batches = world.session.batches
    file = await batches.create_file("in.jsonl")
    await batches.upload(file, FILE_LINE)
    batch = await batches.create(file_id=file.file_id, endpoint="/v1/chat/completions")
    await batches.retrieve(batch.batch_id)


async def cancel_job(world: World) -> None:
    """Cancel a job that does not end by itself, by its id and then once more by its object."""
    world.emulator.batches.seconds = None
    try:
        job = await world.session.batches.submit(ROWS)
        await world.session.batches.cancel(job.batch_id)
        await job.cancel()
    finally:
        world.emulator.batches.seconds = 0.0


async def read_raw_stream(world: World) -> None:
    """Read the events of a request to any path."""
    stream = await world.session.request("POST", "/v1/chat/completions", json={**CHAT, "stream": True}, stream=True)
    await stream.open()
    await use_stream(stream)
    await stream.aclose()


def chat(world: World) -> Any:
    """Return a chat stream that is not open."""
    return world.session.chat.completions.stream(**CHAT)


CALLS: dict[str, Callable[[World], Awaitable[object]]] = {
    "AsyncSession.aclose": close_session,
    "AsyncSession.request": lambda world: world.session.request(
        "POST", "/v1/embeddings", json={"model": "m", "input": "a"}
    ),
    "RateLimiter.acquire, RateLimiter.aclose": acquire,
    "ChatCompletions.create": lambda world: world.session.chat.completions.create(**CHAT),
    "ChatCompletions.parse": lambda world: world.session.chat.completions.parse(**CHAT, response_format=Answer),
    "ChatCompletions.run_tools": lambda world: world.session.chat.completions.run_tools(**CHAT, tools=[weather]),
    "ChatCompletions.map": lambda world: read_map(world.session.chat.completions.map([CHAT] * 3, concurrency=2)),
    "ChatCompletions.map with a checkpoint": lambda world: read_map(
        world.session.chat.completions.map([CHAT] * 3, checkpoint=world.new_path(".ckpt"))
    ),
    "ChatStream.completion": lambda world: chat(world).completion(),
    "ChatStream in a block": lambda world: use_stream(chat(world)),
    "ChatStream.text": lambda world: drain(chat(world).text()),
    "ChatStream.sse": lambda world: drain(chat(world).sse()),
    "ChatStream.tool_calls": lambda world: drain(chat(world).tool_calls()),
    "ChatStream.tee": lambda world: read_branches(chat(world)),
    "ChatStream.open, ChatStream.aclose": lambda world: open_and_close(chat(world)),
    "Messages.create": lambda world: world.session.messages.create(**MESSAGE),
    "Messages.parse": lambda world: world.session.messages.parse(**MESSAGE, response_format=Answer),
    "Messages.run_tools": lambda world: world.session.messages.run_tools(**MESSAGE, tools=[weather]),
    "Messages.map": lambda world: read_map(world.session.messages.map([PROMPT] * 3, model=MODEL, max_tokens=100)),
    "MessageStream": lambda world: use_stream(world.session.messages.stream(**MESSAGE)),
    "MessageStream.open, MessageStream.aclose": lambda world: open_and_close(world.session.messages.stream(**MESSAGE)),
    "Responses.create": lambda world: world.session.responses.create(**RESPONSE),
    "Responses.parse": lambda world: world.session.responses.parse(**RESPONSE, response_format=Answer),
    "Responses.run_tools": lambda world: world.session.responses.run_tools(**RESPONSE, tools=[weather]),
    "Responses.map": lambda world: read_map(world.session.responses.map([PROMPT] * 3, model=MODEL)),
    "ResponseStream": lambda world: use_stream(world.session.responses.stream(**RESPONSE)),
    "ResponseStream.open, ResponseStream.aclose": lambda world: open_and_close(
        world.session.responses.stream(**RESPONSE)
    ),
    "Embeddings.create": lambda world: world.session.embeddings.create(model=MODEL, input=["a"]),
    "Embeddings.map": lambda world: read_map(world.session.embeddings.map(["a", "b"], model=MODEL)),
    "Rerank.create": lambda world: world.session.rerank.create(model=MODEL, query=PROMPT, documents=["a", "b"]),
    "SystemOne.create": lambda world: world.session.systemone.create(
        model=MODEL, state=PROMPT, questions={"polite": {"type": "noul", "instructions": "Is it polite?"}}
    ),
    "KnowledgeBases.retrieve": lambda world: world.session.knowledge_bases.retrieve("kb", query=PROMPT),
    "Models.list": lambda world: world.session.models.list(),
    "Images.generate": lambda world: world.session.images.generate(**IMAGE),
    "ImageStream": lambda world: use_stream(world.session.images.stream(**IMAGE)),
    "ImageStream.open, ImageStream.aclose": lambda world: open_and_close(world.session.images.stream(**IMAGE)),
    "Speech.create": lambda world: world.session.audio.speech.create(model=MODEL, input=PROMPT),
    "Videos.create": lambda world: world.session.videos.create(**IMAGE),
    "Videos.retrieve": lambda world: world.session.videos.retrieve(world.video_id),
    "Videos.wait": lambda world: world.session.videos.wait(world.video_id, poll=QUICK, timeout=world.patience),
    "Videos.content": lambda world: world.session.videos.content(world.video_id),
    "Videos.download": lambda world: world.session.videos.download(world.video_id, world.folder / "video.mp4"),
    "AsyncInvoke.create": lambda world: world.session.async_invoke.create(model_id=MODEL, input={"prompt": PROMPT}),
    "AsyncInvoke.status": lambda world: world.session.async_invoke.status(world.invocation_id),
    "AsyncInvoke.result": lambda world: world.session.async_invoke.result(world.invocation_id),
    "AsyncInvoke.wait": lambda world: world.session.async_invoke.wait(
        world.invocation_id, poll=QUICK, timeout=world.patience
    ),
    "Batches.submit": lambda world: world.session.batches.submit(ROWS),
    "Batches.run": lambda world: world.session.batches.run(
        ROWS, poll=QUICK, timeout=world.patience, journal=world.new_path(".journal")
    ),
    "Batches.map": lambda world: read_map(world.session.batches.map([CHAT] * 2, poll=QUICK, timeout=world.patience)),
    "Batches.validate": lambda world: world.session.batches.validate(FILE_LINE),
    "Batches.create_file, Batches.upload": upload,
    "Batches.create, Batches.retrieve": create_job,
    "Batches.cancel, BatchJob.cancel": cancel_job,
    "Batches.list": lambda world: drain(world.session.batches.list(limit=2)),
    "Batches.result_links": lambda world: world.session.batches.result_links(world.job.batch_id),
    "BatchJob.refresh": lambda world: world.job.refresh(),
    "BatchJob.wait": lambda world: world.job.wait(poll=QUICK, timeout=world.patience),
    "BatchJob.progress": lambda world: drain(world.job.progress(poll=QUICK, timeout=world.patience)),
    "BatchJob.results": lambda world: drain(world.job.results()),
    "BatchJob.joined": lambda world: drain(world.job.joined(ROWS, key="custom_id")),
    "BatchJob.download": lambda world: world.job.download(world.new_path(".jsonl"), errors=world.new_path(".errors")),
    "BatchJob.retry_failed": lambda world: world.job.retry_failed(),
    "BatchJob.report": lambda world: world.job.report(),
    "RawStream.open, RawStream.aclose": read_raw_stream,
    "Agent.health": lambda world: world.agent.health(),
    "Agent.request": lambda world: world.agent.request("GET", "/health"),
    "AgentChatCompletions.create": lambda world: world.agent.chat.completions.create(messages=CHAT["messages"]),
    "AgentChatCompletions.parse": lambda world: world.agent.chat.completions.parse(
        messages=CHAT["messages"], response_format=Answer
    ),
    "AgentChatCompletions.run_tools": lambda world: world.agent.chat.completions.run_tools(
        messages=CHAT["messages"], tools=[weather]
    ),
}
"""The calls, by the coroutines that they are there for."""

_READS = ("next_event", "read_event")
"""Steps of an iteration over a stream, which all tables have as a whole."""


def list_coroutines() -> set[str]:
    """Return the names of all public coroutine methods, as ``Class.method``."""
    return {
        f"{cls.__name__}.{name}"
        for cls in PUBLIC_CLASSES
        for name, _ in inspect.getmembers(cls, inspect.iscoroutinefunction)
        if not name.startswith("_") and name not in _READS
    }
