"""Use that must type-check, with the types it must have."""

import dataclasses
from pathlib import Path
from typing import Any, TypedDict, assert_type

import attrs
import msgspec
from openai.types.chat import ChatCompletionMessage as OpenAIMessage
from pydantic import BaseModel

from gradient_async import (
    AgentHealth,
    AsyncInvocation,
    AsyncSession,
    BatchRequest,
    BatchResult,
    ChatCompletion,
    ChatCompletionChunk,
    ChatStream,
    EmbeddingList,
    ImageEvent,
    ImageList,
    ImageStream,
    MapProgress,
    MapResult,
    MediaFile,
    Message,
    MessageEvent,
    MessageReply,
    MessageStream,
    ModelList,
    ParsedCompletion,
    ParsedMessage,
    ParsedResponse,
    RawReply,
    RawStream,
    RerankResult,
    ResponseEvent,
    ResponseReply,
    ResponseStream,
    RetryPolicy,
    ServerSentEvent,
    SystemOneAnswer,
    Timeouts,
    ToolRun,
    ToolStep,
    Usage,
    Video,
)
from gradient_async.models.messages import MessageUsage
from gradient_async.models.responses import ResponseUsage
from gradient_async.params import MessageParam, TurnParam


@attrs.define
class City:
    name: str


class Place(BaseModel):
    city: str


class Point(msgspec.Struct):
    x: int


@dataclasses.dataclass
class Turn:
    content: str
    role: str = "user"


class Country(TypedDict):
    name: str


def weather(city: str, days: int = 1) -> str:
    return f"{city} {days}"


async def forecast(city: City) -> City:
    return city


async def use(session: AsyncSession) -> None:
    messages: list[MessageParam] = [{"role": "user", "content": "Hi"}]
    create = session.chat.completions.create

    assert_type(await create(model="m", messages=messages), ChatCompletion)
    assert_type(await create(model="m", messages=messages, stream=False), ChatCompletion)
    assert_type(await create(model="m", messages=messages, stream=True), ChatStream)
    completion = await create(model="m", messages=messages, temperature=None, timeout=Timeouts(total=None))
    conversation: list[MessageParam | Message] = [*messages, completion.message]
    await create(model="m", messages=conversation, stop=["a"], timeout=5, extra_body={"x": 1})

    await create(model="m", messages=[*messages, Turn("Hi"), OpenAIMessage(role="assistant", content="Hello")])

    async with session.chat.completions.stream(model="m", messages=messages) as stream:
        async for chunk in stream:
            assert_type(chunk, ChatCompletionChunk)
        assert_type(stream.snapshot, ChatCompletion)
    async for text in session.chat.completions.stream(model="m", messages=messages).text():
        assert_type(text, str)

    async with session.chat.completions.map(
        [{"model": "m", "messages": messages}], ordered=True, progress=True
    ) as results:
        async for result in results:
            assert_type(result, MapResult)
            assert_type(result.completion, ChatCompletion | None)
        assert_type(results.progress, MapProgress)

    async with session.chat.completions.map(
        ["One", {"messages": messages}],
        model="m",
        temperature=0.0,
        checkpoint="a.ckpt",
        on_progress=print,
        stop_after=9,
    ) as results:
        assert_type(await anext(results), MapResult)

    agent = session.agent("https://a.agents.do-ai.run", "key").chat.completions
    assert_type(await agent.create(messages=messages, k=3, include_retrieval_info=True), ChatCompletion)
    assert_type(await session.models.list(), ModelList)

    parse = session.chat.completions.parse
    assert_type(await parse(model="m", messages=messages, response_format=City), ParsedCompletion[City])
    assert_type((await parse(model="m", messages=messages, response_format=City, timeout=5)).parsed, City)
    assert_type((await parse(model="m", messages=messages, response_format=Country)).parsed["name"], str)
    assert_type((await agent.parse(messages=messages, response_format=City, k=3)).parsed.name, str)

    assert_type((await parse(model="m", messages=messages, response_format=Place)).parsed.city, str)
    assert_type((await parse(model="m", messages=messages, response_format=Point)).parsed.x, int)
    await create(model="m", messages=[Place(city="Rome"), Point(1)])

    search = {"type": "web_search", "max_uses": 1}
    await create(model="m", messages=messages, tools=[weather, forecast, search])
    run = await session.chat.completions.run_tools(model="m", messages=messages, tools=[weather, forecast])
    assert_type(run, ToolRun)
    assert_type(run.completion, ChatCompletion)
    assert_type(run.steps, list[ToolStep])
    assert_type(run.usage, Usage | Any)
    run = await session.chat.completions.run_tools(model="m", messages=run.messages, tools=[weather], max_rounds=3)
    await agent.run_tools(
        messages=run.messages, tools=[weather], concurrency=1, in_threads=True, provide_citations=True
    )

    assert_type(await session.embeddings.create(model="m", input=(str(n) for n in range(3)), user=None), EmbeddingList)
    assert_type((await session.embeddings.create(model="m", input="a")).data[0].embedding, list[float])
    ranking = await session.rerank.create(model="m", query="q", documents=(str(n) for n in range(3)))
    assert_type(ranking.best_first, list[RerankResult])
    found = await session.knowledge_bases.retrieve("kb", query="q", alpha=0.5, reranking={"enabled": True})
    assert_type([passage.text_content for passage in found], list[str])
    assert_type(await session.agent(path="/v1/chat/completions").health(timeout=5), AgentHealth)
    evaluation = await session.systemone.create(
        model="m", state="s", questions={"a": {"type": "score", "instructions": "i", "criteria": ["low", "high"]}}
    )
    assert_type(evaluation.answers["a"], SystemOneAnswer)
    assert_type(evaluation.answers["a"].value, str | float | None)
    images = await session.images.generate(model="m", prompt="p", size="auto", extra_body={"style": "x"}, timeout=5)
    assert_type(images, ImageList)
    assert_type([image.content for image in images], list[bytes])
    image_stream = session.images.stream(model="m", prompt="p", partial_images=2)
    assert_type(image_stream, ImageStream)
    async for image_event in image_stream:
        assert_type(image_event, ImageEvent)
    assert_type(image_stream.snapshot, ImageList)
    assert_type(await image_stream.images(), ImageList)

    speech = await session.audio.speech.create(model="m", input="Hi", voice="alloy", response_format=None)
    assert_type(speech, MediaFile)
    assert_type(speech.content, bytes)
    assert_type(speech.save("a.mp3"), Path)

    video = await session.videos.create(model="m", prompt="p", fps=16, size=None)
    assert_type(video, Video)
    assert_type(await session.videos.wait(video.id, timeout=60), Video)
    assert_type(await session.videos.content(video.id), MediaFile)
    assert_type(await session.videos.download(video.id, "a.mp4"), Path)

    started = await session.async_invoke.create(model_id="m", input={"prompt": "p"}, tags=[{"key": "k", "value": "v"}])
    assert_type(started, AsyncInvocation)
    await session.async_invoke.create(model_id="m", input={"prompt": "p", "something_new": 1})
    assert_type(await session.async_invoke.status(started.request_id), AsyncInvocation)
    assert_type((await session.async_invoke.wait(started.request_id, timeout=60)).urls, list[str])
    turns: list[TurnParam | MessageReply] = [{"role": "user", "content": "Hi"}]
    reply = await session.messages.create(model="m", max_tokens=9, messages=turns, system="Be brief.", top_k=None)
    assert_type(reply, MessageReply)
    await session.messages.create(model="m", max_tokens=9, messages=[*turns, reply], timeout=5)
    response = await session.responses.create(model="m", input="Hi", reasoning={"effort": "low"})
    assert_type(response, ResponseReply)
    await session.responses.create(model="m", input=[{"role": "user", "content": "Hi"}, *response.output])

    message_stream = session.messages.stream(model="m", max_tokens=9, messages=turns, timeout=Timeouts(idle=5))
    assert_type(message_stream, MessageStream)
    async with message_stream as opened:
        assert_type(opened, MessageStream)
        async for message_event in opened:
            assert_type(message_event, MessageEvent)
        assert_type(opened.snapshot, MessageReply)
    assert_type(await session.messages.stream(model="m", max_tokens=9, messages=turns).message(), MessageReply)

    job = await session.batches.run([BatchRequest(custom_id="a", body={"model": "m"})], endpoint="/v1/responses")
    async for line in job.results():
        assert_type(line, BatchResult)
        assert_type(line.response, ResponseReply | None)
        assert_type(line.completion, ChatCompletion | None)
        assert_type(line.text, str)

    response_stream = session.responses.stream(model="m", input="Hi")
    assert_type(response_stream, ResponseStream)
    async for response_event in response_stream:
        assert_type(response_event, ResponseEvent)
    async for text in response_stream.text():
        assert_type(text, str)
    assert_type(await response_stream.response(), ResponseReply)

    assert_type(await session.request("POST", "/v1/new", json={"a": [1]}, params={"n": 2}, timeout=5), RawReply)
    assert_type(await session.request("GET", "/v1/models", cast_to=ModelList), ModelList)
    assert_type(await session.request("PUT", "/v1/new", data=b"", cast_to=dict[str, int]), dict[str, int])
    assert_type(await session.request("POST", "/v1/new", data={"file": Path("a")}, cast_to=bytes), bytes)
    raw_stream = await session.request("POST", "/v1/new", json={}, stream=True)
    assert_type(raw_stream, RawStream)
    async for server_event in raw_stream:
        assert_type(server_event, ServerSentEvent)
    assert_type(await session.agent().request("GET", "/health"), RawReply)
    view = session.with_options(timeouts=Timeouts(total=5), headers={"X-A": "1"}, priority="bulk")
    assert_type(view.with_options(retry=RetryPolicy()), AsyncSession)


async def use_classes_and_tools(session: AsyncSession) -> None:
    turns: list[TurnParam | MessageReply] = [{"role": "user", "content": "Hi"}]
    search = {"type": "web_search", "max_uses": 1}
    parsed_message = await session.messages.parse(model="m", max_tokens=9, messages=turns, response_format=Place)
    assert_type(parsed_message, ParsedMessage[Place])
    assert_type(parsed_message.parsed, Place)
    assert_type(parsed_message.usage, MessageUsage | Any)
    message_run = await session.messages.run_tools(
        model="m", max_tokens=9, messages=turns, tools=[weather, forecast, search], tool_choice={"type": "any"}
    )
    assert_type(message_run.completion, MessageReply)
    assert_type(message_run.usage, MessageUsage | Any)
    assert_type(message_run.steps, list[ToolStep])
    await session.messages.create(model="m", max_tokens=9, messages=message_run.messages)
    async with session.messages.map(["Hi", {"messages": turns}], model="m", max_tokens=9, checkpoint="a") as messages_:
        async for message_result in messages_:
            assert_type(message_result, MapResult[MessageReply])
            assert_type(message_result.completion, MessageReply | None)
            assert_type(message_result.text, str)

    completion = await session.chat.completions.create(model="m", messages=[])
    assert_type(completion.usage.total_tokens, int | Any)
    plain = [{"role": "user", "content": "Hi"}]
    parts = [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]
    assert_type(await session.chat.completions.create(model="m", messages=plain), ChatCompletion)
    assert_type(await session.chat.completions.create(model="m", messages=parts), ChatCompletion)
    assert_type(await session.messages.create(model="m", max_tokens=9, messages=plain), MessageReply)
    assert_type(await session.responses.create(model="m", input=plain), ResponseReply)
    assert_type(await session.agent().chat.completions.create(messages=plain), ChatCompletion)
    plain.append({"role": "assistant", "content": "Hello"})
    requests = [{"messages": plain, "id": 1}]
    async with session.chat.completions.map(requests, model="m") as plain_results:
        assert_type(await anext(plain_results), MapResult)

    parsed_response = await session.responses.parse(model="m", input="Hi", response_format=City, store=False)
    assert_type(parsed_response, ParsedResponse[City])
    assert_type(parsed_response.parsed.name, str)
    response_run = await session.responses.run_tools(model="m", input="Hi", tools=[weather], max_rounds=2)
    assert_type(response_run.completion, ResponseReply)
    assert_type(response_run.usage, ResponseUsage | Any)
    await session.responses.create(model="m", input=[*response_run.messages, {"role": "user", "content": "And?"}])
    async with session.responses.map(["Hi"], model="m", template="{text}?", ordered=True) as responses:
        assert_type(await anext(responses), MapResult[ResponseReply])
