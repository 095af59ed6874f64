"""Calls as spans and metrics of OpenTelemetry."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import attrs
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from gradient_async import AsyncSession, PermissionDeniedError, StreamTruncatedError
from gradient_async.integrations.otel import Telemetry
from gradient_async.testing import Emulator

SECRET = "a prompt that must not be recorded"
HI: Any = {"model": "llama", "messages": [{"role": "user", "content": SECRET}]}


@attrs.define
class Recording:
    """The spans and metrics that a hook recorded, in memory."""

    exporter: InMemorySpanExporter = attrs.field(factory=InMemorySpanExporter)
    reader: InMemoryMetricReader = attrs.field(factory=InMemoryMetricReader)
    traces: TracerProvider = attrs.field(factory=TracerProvider)
    hook: Telemetry = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.traces.add_span_processor(SimpleSpanProcessor(self.exporter))
        meters = MeterProvider(metric_readers=[self.reader])
        self.hook = Telemetry(tracer_provider=self.traces, meter_provider=meters)

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        return self.exporter.get_finished_spans()

    def attributes(self) -> list[dict[str, Any]]:
        """Return the attributes of each finished span."""
        return [dict(span.attributes or {}) for span in self.spans]

    def metrics(self) -> dict[str, list[tuple[dict[str, Any], float]]]:
        """Return the attributes and the sum of every point, by the metric's name."""
        data = self.reader.get_metrics_data()
        found = data.resource_metrics[0].scope_metrics[0].metrics if data else []
        return {
            metric.name: [
                (dict(point.attributes or {}), point.sum)
                for point in metric.data.data_points
                if isinstance(point, HistogramDataPoint)
            ]
            for metric in found
        }


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
