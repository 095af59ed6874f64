"""Calls as spans and metrics of OpenTelemetry."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor
from opentelemetry.trace import SpanKind, StatusCode

from gradient_async import AsyncSession, NotFoundError, PermissionDeniedError, RateLimits, StreamTruncatedError
from gradient_async.testing import Emulator
from tests.support.otel import Recording
from tests.support.waiting import wait_until

SECRET = "a prompt that must not be recorded"
HI: Any = {"model": "llama", "messages": [{"role": "user", "content": SECRET}]}


@pytest.fixture
def recording() -> Recording:
    return Recording()


@pytest.fixture
async def session(gradient_emulator: Emulator, recording: Recording) -> AsyncIterator[AsyncSession]:
    async with AsyncSession("sk-secret", base_url=gradient_emulator.url, hooks=[recording.hook]) as session:
        yield session


async def test_a_call_is_a_span(gradient_emulator: Emulator, session: AsyncSession, recording: Recording) -> None:
    completion = await session.chat.completions.create(**HI, temperature=0.5, max_tokens=9, stop="!")
    (span,) = recording.spans
    assert (span.name, span.kind, span.status.status_code) == ("chat llama", SpanKind.CLIENT, StatusCode.UNSET)
    assert dict(span.attributes or {}) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "digitalocean.gradient",
        "gen_ai.request.model": "llama",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.max_tokens": 9,
        "gen_ai.request.stop_sequences": ("!",),
        "gen_ai.response.id": completion.id,
        "gen_ai.response.model": completion.model,
        "gen_ai.response.finish_reasons": (completion.choices[0].finish_reason,),
        "gen_ai.usage.input_tokens": completion.usage.prompt_tokens,
        "gen_ai.usage.output_tokens": completion.usage.completion_tokens,
        "gen_ai.usage.cache_read.input_tokens": 0,
        "gen_ai.usage.cache_write.input_tokens": 0,
        "gradient.outcome": "done",
        "server.address": "127.0.0.1",
        "server.port": int(gradient_emulator.url.rpartition(":")[2]),
    }


async def test_prompts_completions_and_keys_are_not_recorded(session: AsyncSession, recording: Recording) -> None:
    completion = await session.chat.completions.create(**HI)
    text = recording.spans[0].to_json() + str(recording.metrics())
    assert all(hidden not in text for hidden in (SECRET, completion.text, "sk-secret"))


async def test_a_span_is_a_child_of_the_callers_span(session: AsyncSession, recording: Recording) -> None:
    with recording.traces.get_tracer("app").start_as_current_span("request") as parent:
        stream = session.chat.completions.stream(**HI)
        await stream.open()
    await stream.completion()
    span = recording.spans[-1]
    assert span.name == "chat llama"
    assert span.parent is not None
    assert span.parent.span_id == parent.get_span_context().span_id


async def test_every_attempt_is_an_event(
    gradient_emulator: Emulator, session: AsyncSession, recording: Recording
) -> None:
    gradient_emulator.fail(status=503)
    await session.chat.completions.create(**HI)
    first, second = (dict(event.attributes or {}) for event in recording.spans[0].events)
    assert first | {"gradient.limiter_wait": 0.0} == {
        "gradient.attempt": 1,
        "gradient.limiter_wait": 0.0,
        "http.response.status_code": 503,
        "gradient.request_id": gradient_emulator.requests[0].request_id,
        "error.type": "InternalServerError",
    }
    assert (second["gradient.attempt"], second["http.response.status_code"]) == (2, 200)


async def test_concurrent_calls_have_their_own_attempts(
    gradient_emulator: Emulator, session: AsyncSession, recording: Recording
) -> None:
    gradient_emulator.fail(status=503, times=3)
    await asyncio.gather(*(session.chat.completions.create(**HI) for _ in range(6)))
    attempts = [[(event.attributes or {})["gradient.attempt"] for event in span.events] for span in recording.spans]
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in attempts)
    assert sum(map(len, attempts)) == 9


async def test_two_hooks_record_the_same(gradient_emulator: Emulator, recording: Recording) -> None:
    other = Recording()
    async with AsyncSession("k", base_url=gradient_emulator.url, hooks=[recording.hook, other.hook]) as session:
        await session.chat.completions.create(**HI)
    assert [len(each.spans[0].events) for each in (recording, other)] == [1, 1]


async def test_a_stream_is_one_span_with_its_usage(session: AsyncSession, recording: Recording) -> None:
    async with session.chat.completions.stream(**HI, stream_options={"include_usage": True}) as stream:
        await anext(stream)
        assert len(recording.spans) == 0
        usage = (await stream.completion()).usage
    assert usage is not None
    (attributes,) = recording.attributes()
    assert attributes["gen_ai.usage.output_tokens"] == usage.completion_tokens
    assert attributes["gradient.outcome"] == "done"


async def test_an_error_sets_the_status_of_its_span(
    gradient_emulator: Emulator, session: AsyncSession, recording: Recording
) -> None:
    gradient_emulator.fail(status=403)
    with pytest.raises(PermissionDeniedError) as caught:
        await session.chat.completions.create(**HI)
    (span,), (attributes,) = recording.spans, recording.attributes()
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, caught.value.message)
    assert attributes["error.type"] == "403"


async def test_a_truncated_stream_is_an_error_with_the_response_id(
    gradient_emulator: Emulator, session: AsyncSession, recording: Recording
) -> None:
    gradient_emulator.truncate(after=2)
    with pytest.raises(StreamTruncatedError):
        await session.chat.completions.stream(**HI).completion()
    (attributes,) = recording.attributes()
    assert attributes["error.type"] == "StreamTruncatedError"
    assert attributes["gen_ai.response.id"]


async def test_an_abandoned_stream_is_not_an_error(session: AsyncSession, recording: Recording) -> None:
    async for _ in session.chat.completions.stream(**HI):
        break
    (span,), (attributes,) = recording.spans, recording.attributes()
    assert (span.status.status_code, attributes["gradient.outcome"]) == (StatusCode.UNSET, "cancelled")


@pytest.mark.parametrize("path", ["/api/v1/chat/completions", "/v1/chat/completions"])
async def test_a_call_to_an_agent_is_an_invoke_agent_span(
    gradient_emulator: Emulator, recording: Recording, path: str
) -> None:
    async with AsyncSession(
        agent_access_key="a", agent_endpoint=gradient_emulator.agent_url, hooks=[recording.hook]
    ) as session:
        await session.agent(path=path).chat.completions.create(messages=HI["messages"])
    (span,), (attributes,) = recording.spans, recording.attributes()
    assert span.name == "invoke_agent"
    assert "gen_ai.request.model" not in attributes


async def test_other_apis_have_their_operations(session: AsyncSession, recording: Recording) -> None:
    await session.embeddings.create(model="e", input="Hi")
    await session.messages.create(**HI, max_tokens=5)
    await session.responses.create(model="r", input="Hi")
    assert [span.name for span in recording.spans] == ["embeddings e", "chat llama", "chat r"]
    await session.audio.speech.create(model="s", input="Hi")
    assert recording.spans[-1].name == "generate_content s"
    assert all(attributes["gen_ai.usage.input_tokens"] > 0 for attributes in recording.attributes()[:3])
    assert recording.attributes()[1]["gen_ai.response.finish_reasons"]


async def test_the_input_of_a_message_counts_its_cached_tokens(
    gradient_emulator: Emulator, session: AsyncSession, recording: Recording
) -> None:
    counts = {"input_tokens": 3, "cache_creation_input_tokens": 40, "cache_read_input_tokens": 500}
    gradient_emulator.reply("Hello", usage=counts)
    await session.messages.create(**HI, max_tokens=5)
    assert recording.attributes()[0]["gen_ai.usage.input_tokens"] == 543
    points = recording.metrics()["gen_ai.client.token.usage"]
    assert [count for attributes, count in points if attributes["gen_ai.token.type"] == "input"] == [543]


async def test_a_call_that_generates_nothing_has_no_span(session: AsyncSession, recording: Recording) -> None:
    await session.chat.completions.create(**HI)
    await session.models.list()
    assert len(recording.spans) == 1
    assert len(recording.spans[0].events) == 1


async def test_duration_tokens_and_first_chunk_are_measured(session: AsyncSession, recording: Recording) -> None:
    stream = session.chat.completions.stream(**HI, stream_options={"include_usage": True})
    usage = (await stream.completion()).usage
    assert usage is not None
    metrics = recording.metrics()
    ((attributes, seconds),) = metrics["gen_ai.client.operation.duration"]
    assert attributes["gen_ai.request.model"] == "llama"
    assert stream.meta.timings.total is not None
    assert seconds >= stream.meta.timings.total
    assert metrics["gen_ai.client.operation.time_to_first_chunk"][0][1] == stream.meta.timings.first_token
    tokens = {attributes["gen_ai.token.type"]: count for attributes, count in metrics["gen_ai.client.token.usage"]}
    assert tokens == {"input": usage.prompt_tokens, "output": usage.completion_tokens}


async def test_failed_calls_have_an_error_type_in_the_metrics(
    gradient_emulator: Emulator, session: AsyncSession, recording: Recording
) -> None:
    gradient_emulator.fail(status=403)
    with pytest.raises(PermissionDeniedError):
        await session.chat.completions.create(**HI)
    await session.chat.completions.create(**HI)
    points = recording.metrics()["gen_ai.client.operation.duration"]
    assert sorted(attributes.get("error.type", "") for attributes, _ in points) == ["", "403"]


async def test_two_hooks_have_trees_of_their_own(gradient_emulator: Emulator, recording: Recording) -> None:
    def weather(city: str) -> str:
        """Tell the weather."""
        with recording.traces.get_tracer("app").start_as_current_span("look up"):
            return city

    other = Recording()
    gradient_emulator.reply(tool_calls=[{"name": "weather", "arguments": {"city": "Rome"}}])
    async with AsyncSession("k", base_url=gradient_emulator.url, hooks=[recording.hook, other.hook]) as session:
        await session.chat.completions.run_tools(**HI, tools=[weather])
    for each in (recording, other):
        root = each.find("invoke_agent llama")
        names = sorted(span.name for span in each.spans if parent_id(span) == root.context.span_id)
        assert (root.parent, names) == (None, ["chat llama", "chat llama", "execute_tool weather"])
    assert parent_id(recording.find("look up")) == other.find("execute_tool weather").context.span_id


# What is and is not recorded.

CHAT_USAGE = {"prompt_tokens": 9, "completion_tokens": 8, "total_tokens": 17}
DETAILS = {"prompt_tokens_details": {"cached_tokens": 4}, "completion_tokens_details": {"reasoning_tokens": 5}}
RESPONSE_USAGE = {
    "input_tokens": 9,
    "output_tokens": 8,
    "input_tokens_details": {"cached_tokens": 4},
    "output_tokens_details": {"reasoning_tokens": 5},
}
MESSAGE_USAGE = {"input_tokens": 2, "output_tokens": 8, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 3}
READ, WRITE, REASONING = "cache_read.input_tokens", "cache_write.input_tokens", "reasoning.output_tokens"
USAGES: dict[str, tuple[dict[str, Any], dict[str, int]]] = {
    "chat": (CHAT_USAGE | DETAILS, {"input_tokens": 9, "output_tokens": 8, READ: 4, REASONING: 5}),
    "chat, no output": ({"prompt_tokens": 9, "total_tokens": 9}, {"input_tokens": 9}),
    "chat, a stated zero": (CHAT_USAGE | {"completion_tokens": 0}, {"input_tokens": 9, "output_tokens": 0}),
    "chat, a written cache": (
        CHAT_USAGE | {"cache_created_input_tokens": 3},
        {"input_tokens": 9, "output_tokens": 8, WRITE: 3},
    ),
    "messages": (MESSAGE_USAGE, {"input_tokens": 9, "output_tokens": 8, READ: 4, WRITE: 3}),
    "responses": (RESPONSE_USAGE, {"input_tokens": 9, "output_tokens": 8, READ: 4, REASONING: 5}),
    "responses, no details": ({"input_tokens": 9, "output_tokens": 8}, {"input_tokens": 9, "output_tokens": 8}),
    "embeddings": ({"prompt_tokens": 9, "completion_tokens": 0}, {"input_tokens": 9}),
}
BODIES: dict[str, dict[str, Any]] = {
    "chat": {"choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}]},
    "messages": {"content": [{"type": "text", "text": "Hi"}], "stop_reason": "end_turn"},
    "responses": {"output": [], "status": "completed"},
    "embeddings": {"data": [{"index": 0, "embedding": [0.5]}]},
}
CALLS: dict[str, Callable[[AsyncSession], Awaitable[object]]] = {
    "chat": lambda session: session.chat.completions.create(**HI),
    "messages": lambda session: session.messages.create(**HI, max_tokens=5),
    "responses": lambda session: session.responses.create(model="r", input="Hi"),
    "embeddings": lambda session: session.embeddings.create(model="e", input="Hi"),
}


@pytest.mark.parametrize("name", USAGES)
async def test_the_tokens_that_the_service_states_are_recorded_and_no_others(
    gradient_emulator: Emulator, session: AsyncSession, recording: Recording, name: str
) -> None:
    usage, expected = USAGES[name]
    api = name.partition(",")[0]
    body = json.dumps({"id": "x", "model": "m", **BODIES[api], "usage": usage}).encode()
    path = "/v1/embeddings" if api == "embeddings" else None
    gradient_emulator.reply(body=body, content_type="application/json", path=path)
    await CALLS[api](session)
    (attributes,), prefix = recording.attributes(), "gen_ai.usage."
    assert {key.removeprefix(prefix): count for key, count in attributes.items() if prefix in key} == expected
    metrics = recording.metrics()
    counted = {point["gen_ai.token.type"]: count for point, count in metrics["gen_ai.client.token.usage"]}
    assert counted == {kind: expected[f"{kind}_tokens"] for kind in counted}
    assert {f"{kind}_tokens" for kind in counted} == expected.keys() & {"input_tokens", "output_tokens"}
    prefix = "gen_ai.client.inference.usage."
    counters = {key.removeprefix(prefix): points[0][1] for key, points in metrics.items() if prefix in key}
    assert counters == ({} if api == "embeddings" else expected)


REQUESTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "one choice": ({"n": 1}, {}),
    "two choices": ({"n": 2}, {"gen_ai.request.choice.count": 2}),
    "effort": ({"reasoning_effort": "low"}, {"gen_ai.request.reasoning.level": "low"}),
    "JSON": ({"response_format": {"type": "json_object"}}, {"gen_ai.output.type": "json"}),
}


@pytest.mark.parametrize("name", REQUESTS)
async def test_parameters_are_attributes(session: AsyncSession, recording: Recording, name: str) -> None:
    params, expected = REQUESTS[name]
    await session.chat.completions.create(**HI, **params)
    (attributes,) = recording.attributes()
    found = {key: value for key, value in attributes.items() if key.startswith(("gen_ai.request.", "gen_ai.output."))}
    assert found == {"gen_ai.request.model": "llama"} | expected


async def test_the_effort_of_a_response_is_an_attribute(session: AsyncSession, recording: Recording) -> None:
    await session.responses.create(model="r", input="Hi", reasoning={"effort": "high"})
    assert recording.attributes()[0]["gen_ai.request.reasoning.level"] == "high"


async def test_a_stream_says_so_and_how_long_its_first_chunk_took(session: AsyncSession, recording: Recording) -> None:
    await session.chat.completions.create(**HI)
    stream = session.chat.completions.stream(**HI)
    await stream.completion()
    whole, streamed = recording.attributes()
    assert "gen_ai.request.stream" not in whole
    assert "gen_ai.response.time_to_first_chunk" not in whole
    assert streamed["gen_ai.request.stream"] is True
    assert streamed["gen_ai.response.time_to_first_chunk"] == stream.meta.timings.first_token


async def test_a_finish_reason_that_did_not_arrive_is_an_error(
    gradient_emulator: Emulator, session: AsyncSession, recording: Recording
) -> None:
    gradient_emulator.truncate(after=2)
    with pytest.raises(StreamTruncatedError):
        await session.chat.completions.stream(**HI).completion()
    assert recording.attributes()[0]["gen_ai.response.finish_reasons"] == ("error",)


async def test_each_operation_has_its_own_duration(session: AsyncSession, recording: Recording) -> None:
    await session.chat.completions.stream(**HI).completion()
    await session.embeddings.create(model="e", input="Hi")
    names = {name for name in recording.metrics() if name.endswith(("duration", "first_chunk"))}
    assert names == {
        "gen_ai.client.operation.duration",
        "gen_ai.client.operation.time_to_first_chunk",
        "gen_ai.client.inference.duration",
        "gen_ai.client.inference.time_to_first_chunk",
        "gen_ai.client.embeddings.duration",
    }


# Waits for the rate limiter.


async def test_a_wait_for_the_rate_limiter_is_an_event_and_no_part_of_the_first_chunk(
    gradient_emulator: Emulator, recording: Recording
) -> None:
    limits = RateLimits(windows=[(1, 0.3)])
    async with AsyncSession("k", base_url=gradient_emulator.url, limits=limits, hooks=[recording.hook]) as session:
        first, second = session.chat.completions.stream(**HI), session.chat.completions.stream(**HI)
        await first.completion()
        await second.completion()
    assert [event.name for event in recording.spans[0].events] == ["gradient.attempt"]
    wait, attempt = recording.spans[1].events
    timings = second.meta.timings
    assert dict(wait.attributes or {}) == {
        "gradient.limiter_wait": timings.limiter_wait,
        "gradient.attempt": 1,
        "gradient.granted": True,
    }
    assert wait.timestamp < attempt.timestamp
    assert timings.first_token is not None
    expected = timings.first_token - timings.limiter_wait
    assert recording.attributes()[1]["gen_ai.response.time_to_first_chunk"] == expected < timings.limiter_wait


async def test_a_wait_in_vain_is_an_event(gradient_emulator: Emulator, recording: Recording) -> None:
    limits = RateLimits(windows=[(1, 60.0)])
    async with AsyncSession("k", base_url=gradient_emulator.url, limits=limits, hooks=[recording.hook]) as session:
        await session.chat.completions.create(**HI)
        waiting = asyncio.create_task(session.chat.completions.create(**HI))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
    (event,) = recording.spans[1].events
    attributes = dict(event.attributes or {})
    assert (event.name, attributes["gradient.granted"]) == ("gradient.limiter_wait", False)
    assert attributes["gradient.limit"] == "1 in 60 s"


async def test_a_cancelled_attempt_is_an_event(
    gradient_emulator: Emulator, session: AsyncSession, recording: Recording
) -> None:
    gradient_emulator.stall(seconds=30)
    call = asyncio.create_task(session.chat.completions.create(**HI))
    await wait_until(lambda: bool(gradient_emulator.requests))
    call.cancel()
    await asyncio.wait([call])
    (event,) = recording.spans[0].events
    assert (event.attributes or {})["gradient.cancelled"] is True
    assert recording.attributes()[0]["gradient.outcome"] == "cancelled"
    assert recording.spans[0].status.status_code is StatusCode.UNSET


# The tree of spans.


def parent_id(span: Any) -> int | None:
    """Return the id of the span that *span* is a child of."""
    return span.parent.span_id if span.parent is not None else None


@pytest.mark.parametrize("is_stream", [False, True])
async def test_http_spans_and_the_traceparent_belong_to_the_span_of_their_call(
    gradient_emulator: Emulator, recording: Recording, *, is_stream: bool
) -> None:
    instrumentor = AioHttpClientInstrumentor()
    instrumentor.instrument(tracer_provider=recording.traces)
    gradient_emulator.fail(status=503)
    try:
        async with AsyncSession("k", base_url=gradient_emulator.url, hooks=[recording.hook]) as session:
            if is_stream:
                await session.chat.completions.stream(**HI).completion()
            else:
                await session.chat.completions.create(**HI)
    finally:
        instrumentor.uninstrument()
    call = recording.find("chat llama")
    attempts = [span for span in recording.spans if span.name == "POST"]
    sent = [request.headers["traceparent"].split("-")[1:3] for request in gradient_emulator.requests]
    assert [parent_id(span) for span in attempts] == [call.context.span_id] * 2
    assert sent == [[f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}"] for span in attempts]
    assert trace.get_current_span() is trace.INVALID_SPAN


@pytest.mark.parametrize("in_threads", [False, True])
async def test_a_conversation_with_tools_is_one_tree(
    gradient_emulator: Emulator, session: AsyncSession, recording: Recording, *, in_threads: bool
) -> None:
    tracer = recording.traces.get_tracer("app")

    def weather(city: str) -> str:
        """Tell the weather."""
        with tracer.start_as_current_span(f"look up {city}"):
            return "Rain"

    gradient_emulator.reply(tool_calls=[{"name": "weather", "arguments": {"city": city}} for city in ("Rome", "Oslo")])
    gradient_emulator.reply("Rain everywhere.")
    with tracer.start_as_current_span("request") as request:
        run = await session.chat.completions.run_tools(**HI, tools=[weather], in_threads=in_threads)
    root = recording.find("invoke_agent llama")
    chats = [span for span in recording.spans if span.name == "chat llama"]
    calls = {(span.attributes or {})["gen_ai.tool.call.id"]: span for span in recording.spans if "execute" in span.name}
    assert parent_id(root) == request.get_span_context().span_id
    assert [parent_id(span) for span in (*chats, *calls.values())] == [root.context.span_id] * 4
    assert calls.keys() == {step.call.id for step in run.steps}
    looked_up = [parent_id(recording.find(f"look up {city}")) for city in ("Rome", "Oslo")]
    assert looked_up == [calls[step.call.id].context.span_id for step in run.steps]
    assert dict(calls[run.steps[0].call.id].attributes or {}) == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.provider.name": "digitalocean.gradient",
        "gen_ai.tool.name": "weather",
        "gen_ai.tool.type": "function",
        "gen_ai.tool.call.id": run.steps[0].call.id,
        "gen_ai.tool.description": "Tell the weather.",
        "gradient.outcome": "done",
    }
    assert {"gen_ai.execute_tool.duration", "gen_ai.invoke_agent.duration"} <= recording.metrics().keys()


async def test_a_tool_that_fails_is_an_error_without_its_message(
    gradient_emulator: Emulator, session: AsyncSession, recording: Recording
) -> None:
    def weather(city: str) -> str:
        """Tell the weather."""
        raise ValueError(SECRET + city)

    gradient_emulator.reply(tool_calls=[{"name": "weather", "arguments": {"city": "Rome"}}])
    gradient_emulator.reply("Sorry.")
    await session.chat.completions.run_tools(**HI, tools=[weather])
    span = recording.find("execute_tool weather")
    assert (span.status.status_code, (span.attributes or {})["error.type"]) == (StatusCode.ERROR, "ValueError")
    assert recording.find("invoke_agent llama").status.status_code is StatusCode.UNSET
    assert SECRET not in "".join(span.to_json() for span in recording.spans)


# Retrieval.


async def test_a_retrieval_is_a_span_with_its_own_duration(recording: Recording) -> None:
    async with (
        Emulator(knowledge_bases={"kb 1": [f"The sun, {SECRET}."]}) as emulator,
        AsyncSession("k", base_url=emulator.url, hooks=[recording.hook]) as session,
    ):
        await session.knowledge_bases.retrieve("kb 1", query="sun", num_results=3)
        with pytest.raises(NotFoundError):
            await session.knowledge_bases.retrieve("other", query="sun")
    done, failed = recording.spans
    assert (done.name, done.kind) == ("retrieval", SpanKind.CLIENT)
    attributes = recording.attributes()[0]
    assert {name: attributes[name] for name in attributes if "gen_ai" in name} == {
        "gen_ai.operation.name": "retrieval",
        "gen_ai.provider.name": "digitalocean.gradient",
        "gen_ai.data_source.id": "kb 1",
        "gen_ai.retrieval.top_k": 3,
    }
    assert SECRET not in done.to_json()
    assert (failed.status.status_code, recording.attributes()[1]["error.type"]) == (StatusCode.ERROR, "404")
    assert {"gen_ai.retrieval.duration", "gen_ai.client.operation.duration"} <= set(recording.metrics())
