"""Streams and errors of Pydantic AI over a real socket: a run that is left holds nothing, and nothing is hidden."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic_ai import Agent
from pydantic_ai.exceptions import (
    ModelAPIError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelHTTPError,
    ModelRateLimitError,
    ModelTimeoutError,
)
from pydantic_ai.messages import PartDeltaEvent
from pydantic_ai.models.fallback import FallbackModel

from gradient_async import (
    APIStatusError,
    AsyncSession,
    ConfigurationError,
    RateLimits,
    ResponseDecodeError,
    RetryPolicy,
    StreamTruncatedError,
)
from gradient_async.integrations.pydantic_ai import GradientModel
from gradient_async.testing import Emulator
from tests.support.lisbon import ANSWER, CALL, LISBON, City, M, weather
from tests.support.pools import count_acquired

LONG = "one two three four five six seven eight nine ten"


@pytest.fixture
def model(gradient_session: AsyncSession) -> GradientModel:
    return GradientModel(M, session=gradient_session)


@pytest.fixture
async def impatient(gradient_emulator: Emulator) -> Any:
    """A model whose session tries once."""
    retry = RetryPolicy(attempts=1)
    async with AsyncSession("test-key", base_url=gradient_emulator.url, retry=retry) as session:
        yield GradientModel(M, session=session)


def sent(emulator: Emulator, number: int = -1) -> Any:
    return emulator.requests[number].json


def chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


async def _ignore(_: Any, events: Any) -> None:
    async for _ in events:
        pass


def rain(city: str) -> str:
    return f"none in {city}"


# Streams


async def test_a_stream_brings_text_as_it_comes_and_the_same_facts(
    gradient_emulator: Emulator, model: GradientModel
) -> None:
    gradient_emulator.reply(LONG)
    async with Agent(model).run_stream("Hi") as result:
        texts = [text async for text in result.stream_text(delta=True, debounce_by=None)]
    assert len(texts) > 3
    assert "".join(texts) == LONG
    response = result.response
    assert (response.model_name, response.provider_name, response.finish_reason) == (M, "gradient", "stop")
    assert (response.state, response.timestamp.tzinfo is not None) == ("complete", True)
    assert response.provider_response_id
    assert response.provider_details is not None
    assert response.provider_details["request_id"] == gradient_emulator.requests[0].request_id
    assert response.usage.output_tokens > 0
    body = sent(gradient_emulator)
    assert (body["stream"], body["stream_options"]) == (True, {"include_usage": True})


async def test_a_stream_of_structured_output_grows(gradient_emulator: Emulator, model: GradientModel) -> None:
    gradient_emulator.reply(tool_calls=[CALL])
    gradient_emulator.reply(tool_calls=[ANSWER])
    async with Agent(model, tools=[weather], output_type=City).run_stream("Hi") as result:
        seen = [city async for city in result.stream_output(debounce_by=None)]
    assert seen[-1] == LISBON
    assert len(gradient_emulator.requests) == 2


CALLS_IN_PIECES = {
    "without an index": [
        [{"id": "a", "function": {"name": "weather", "arguments": '{"city":'}}],
        [{"function": {"arguments": '"Lisbon"}'}}],
        [{"id": "b", "function": {"name": "rain", "arguments": '{"city":"Porto"}'}}],
        [{}],
    ],
    "with repeated names": [
        [{"index": 0, "id": "a", "function": {"name": "weather", "arguments": '{"city":'}}],
        [{"index": 0, "id": "a", "function": {"name": "weather", "arguments": '"Lisbon"}'}}],
        [{"index": 1, "id": "b", "function": {"name": "rain", "arguments": '{"city":"Porto"}'}}],
    ],
    "with one index for all": [
        [{"index": 0, "id": "a", "function": {"name": "weather", "arguments": '{"city":"Lisbon"}'}}],
        [{"index": 0, "id": "b", "function": {"name": "rain", "arguments": '{"city":"Porto"}'}}],
    ],
    "by turns": [
        [
            {"id": "a", "function": {"name": "weather", "arguments": '{"city":'}},
            {"id": "b", "function": {"name": "rain", "arguments": '{"city":'}},
        ],
        [{"id": "a", "function": {"arguments": '"Lisbon"}'}}, {"id": "b", "function": {"arguments": '"Porto"}'}}],
    ],
}


@pytest.mark.parametrize("pieces", CALLS_IN_PIECES.values(), ids=CALLS_IN_PIECES)
async def test_calls_in_a_stream_are_whole(
    gradient_emulator: Emulator, model: GradientModel, pieces: list[list[dict[str, Any]]]
) -> None:
    chunks = [{"choices": [{"index": 0, "delta": {"tool_calls": piece}}]} for piece in pieces]
    gradient_emulator.reply(chunks=[*chunks, {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}])
    await Agent(model, tools=[weather, rain]).run("Hi", event_stream_handler=_ignore)
    assert [message["content"] for message in sent(gradient_emulator)["messages"][2:]] == [
        "mild in Lisbon",
        "none in Porto",
    ]


async def test_a_run_may_be_iterated_event_by_event(gradient_emulator: Emulator, model: GradientModel) -> None:
    gradient_emulator.reply(LONG)
    deltas = 0
    agent = Agent(model)
    async with agent.iter("Hi") as run:
        async for node in run:
            if agent.is_model_request_node(node):
                async with node.stream(run.ctx) as events:
                    deltas += sum([isinstance(event, PartDeltaEvent) async for event in events])
    assert run.result is not None
    assert run.result.output == LONG
    assert deltas > 3


async def test_a_stream_without_usage_is_unmeasured(gradient_emulator: Emulator, model: GradientModel) -> None:
    gradient_emulator.reply(chunks=[{"choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": "stop"}]}])
    async with Agent(model).run_stream("Hi") as result:
        await result.get_output()
    assert result.response.usage.unmeasured_requests == 1


async def _by_break(agent: Agent[None, str]) -> None:
    async with agent.run_stream("Hi") as result:
        async for _ in result.stream_text(debounce_by=None):
            break


async def _by_error(agent: Agent[None, str]) -> None:
    with pytest.raises(ZeroDivisionError):
        async with agent.run_stream("Hi") as result:
            async for _ in result.stream_text(debounce_by=None):
                raise ZeroDivisionError


async def _by_block(agent: Agent[None, str]) -> None:
    async with agent.run_stream("Hi"):
        pass


async def _by_cancelled_task(agent: Agent[None, str]) -> None:
    started = asyncio.Event()

    async def read() -> None:
        async with agent.run_stream("Hi") as result:
            async for _ in result.stream_text(debounce_by=None):
                started.set()

    task = asyncio.ensure_future(read())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def _by_cancelled_node(agent: Agent[None, str]) -> None:
    async with agent.iter("Hi") as run:
        async for node in run:
            if agent.is_model_request_node(node):
                async with node.stream(run.ctx) as events:
                    async for _ in events:
                        return


@pytest.mark.parametrize("leave", [_by_break, _by_error, _by_block, _by_cancelled_task, _by_cancelled_node])
async def test_a_run_that_is_left_gives_its_connection_back_at_once(
    gradient_emulator: Emulator, gradient_session: AsyncSession, model: GradientModel, leave: Any
) -> None:
    gradient_emulator.reply(LONG, token_delay=0.02)
    gradient_emulator.stall(seconds=60, after=4)
    async with asyncio.timeout(5):
        await leave(Agent(model))
    assert count_acquired(gradient_session) == 0


async def test_a_cancelled_stream_keeps_what_came(
    gradient_emulator: Emulator, gradient_session: AsyncSession, model: GradientModel
) -> None:
    gradient_emulator.reply(LONG)
    gradient_emulator.stall(seconds=60, after=3)
    async with asyncio.timeout(5), Agent(model).run_stream("Hi") as result:
        async for text in result.stream_text(debounce_by=None):
            if text == "one two":
                await result.cancel()
                break
        assert count_acquired(gradient_session) == 0
    assert result.response.state == "interrupted"
    assert result.response.text == "one two"


async def test_many_agents_share_a_session(gradient_emulator: Emulator, model: GradientModel) -> None:
    results = await asyncio.gather(*(Agent(model).run("Capital of Portugal?") for _ in range(10)))
    assert len({result.output for result in results}) == 1
    assert len(gradient_emulator.requests) == 10


# Errors


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "ModelRequestRejectedError"), (401, "ModelAuthenticationError"), (402, "ModelQuotaExceededError"),
        (403, "ModelAuthenticationError"), (404, "ModelNotFoundError"), (409, "ModelHTTPError"),
        (422, "ModelRequestRejectedError"), (429, "ModelRateLimitError"), (500, "ModelServerError"),
        (503, "ModelUnavailableError"),
    ],
)  # fmt: skip
async def test_a_refusal_is_an_http_error_of_its_kind(
    gradient_emulator: Emulator, impatient: GradientModel, status: int, kind: str, streams: bool
) -> None:
    gradient_emulator.fail(status=status, message="No.")
    with pytest.raises(ModelHTTPError) as caught:
        await Agent(impatient).run("Hi", event_stream_handler=_ignore if streams else None)
    error = caught.value
    assert type(error).__name__ == kind
    assert (error.status_code, error.model_name, error.in_stream) == (status, M, False)
    assert isinstance(error.body, dict)
    assert error.body["message"] == "No."
    assert error.body["request_id"] == gradient_emulator.requests[0].request_id
    assert isinstance(error.__cause__, APIStatusError)


async def test_a_rate_limit_says_when_to_come_back(gradient_emulator: Emulator, impatient: GradientModel) -> None:
    gradient_emulator.fail(status=429, retry_after=7)
    with pytest.raises(ModelRateLimitError) as caught:
        await Agent(impatient).run("Hi")
    assert caught.value.retry_after == 7


async def test_an_error_inside_a_stream_is_an_http_error_too(
    gradient_emulator: Emulator, impatient: GradientModel
) -> None:
    gradient_emulator.reply(LONG)
    gradient_emulator.fail(status=429, after=2)
    with pytest.raises(ModelHTTPError) as caught:
        await Agent(impatient).run("Hi", event_stream_handler=_ignore)
    assert (caught.value.status_code, caught.value.in_stream) == (429, True)


async def test_a_truncated_stream_is_a_lost_connection_and_keeps_what_came(
    gradient_emulator: Emulator, gradient_session: AsyncSession, model: GradientModel
) -> None:
    gradient_emulator.reply(LONG)
    gradient_emulator.truncate(after=3)
    texts = []
    with pytest.raises(ModelConnectionError) as caught:
        async with Agent(model).run_stream("Hi") as result:
            async for text in result.stream_text(delta=True, debounce_by=None):
                texts.append(text)
    assert (caught.value.phase, caught.value.in_stream) == ("read", True)
    ours = caught.value.__cause__
    assert isinstance(ours, StreamTruncatedError)
    assert ours.snapshot is not None
    assert ours.snapshot.text == "".join(texts) != ""
    assert result.response.state == "incomplete"
    assert result.response.provider_details == {"request_id": gradient_emulator.requests[0].request_id}
    assert count_acquired(gradient_session) == 0


async def test_what_no_connection_was_made_for_was_not_sent(impatient: GradientModel) -> None:
    async with AsyncSession("test", base_url="http://127.0.0.1:1", retry=RetryPolicy(attempts=1)) as session:
        with pytest.raises(ModelConnectionError) as caught:
            await Agent(GradientModel(M, session=session)).run("Hi")
    assert caught.value.phase == "connect"


async def test_what_waits_for_the_limiter_too_long_was_not_sent(gradient_emulator: Emulator) -> None:
    limits = RateLimits(windows=[(1, 60.0)])
    async with AsyncSession("test", base_url=gradient_emulator.url, limits=limits) as session:
        agent = Agent(GradientModel(M, session=session))
        await agent.run("Hi")
        with pytest.raises(ModelTimeoutError) as caught:
            await agent.run("Hi", model_settings={"timeout": 0.05})
    assert caught.value.phase == "pool"


async def test_an_answer_that_is_none_is_an_api_error(gradient_emulator: Emulator, model: GradientModel) -> None:
    gradient_emulator.reply(body=b"<html>", content_type="text/html")
    with pytest.raises(ModelAPIError) as caught:
        await Agent(model).run("Hi")
    assert isinstance(caught.value.__cause__, ResponseDecodeError)


async def test_a_fallback_takes_over(
    gradient_emulator: Emulator, impatient: GradientModel, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reset()
    gradient_emulator.reply("Hi.")
    other = GradientModel("other", session=gradient_session)
    assert (await Agent(FallbackModel(impatient, other)).run("Hi")).output == "Hi."
    assert sent(gradient_emulator)["model"] == "other"


async def test_a_programs_own_mistake_stays_what_it_is(gradient_emulator: Emulator) -> None:
    async with AsyncSession(base_url=gradient_emulator.url) as session:
        with pytest.raises(ConfigurationError, match="MODEL_ACCESS_KEY"):
            await Agent(GradientModel(M, session=session)).run("Hi")


async def test_keys_and_prompts_show_up_nowhere(gradient_emulator: Emulator) -> None:
    gradient_emulator.fail(status=401)
    async with AsyncSession("sk-do-secret", base_url=gradient_emulator.url) as session:
        model = GradientModel(M, session=session)
        with pytest.raises(ModelAuthenticationError) as caught:
            await Agent(model).run("a secret question")
        shown = repr(model) + "".join(f"{error!r} {error} {vars(error)}" for error in chain(caught.value))
    assert "secret" not in shown
