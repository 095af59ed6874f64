"""Hooks with `begin_call` observe the beginning and the end of each call once, however it ends."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from gradient_async import (
    AsyncSession,
    AttemptDetails,
    CallDetails,
    CallOutcome,
    ConfigurationError,
    PermissionDeniedError,
    ResponseDecodeError,
    StreamTruncatedError,
)
from gradient_async.testing import Emulator

HI: Any = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}


class Calls:
    """Records the calls that began and those that ended."""

    def __init__(self) -> None:
        self.begun: list[CallDetails] = []
        self.ended: list[CallOutcome] = []

    def begin_call(self, call: CallDetails) -> Callable[[CallOutcome], None]:
        self.begun.append(call)
        return self.ended.append

    @property
    def outcome(self) -> CallOutcome:
        assert len(self.begun) == len(self.ended) == 1
        return self.ended[0]


@pytest.fixture
def calls() -> Calls:
    return Calls()


@pytest.fixture
async def session(gradient_emulator: Emulator, calls: Calls) -> AsyncIterator[AsyncSession]:
    async with AsyncSession("test", base_url=gradient_emulator.url, hooks=[calls]) as session:
        yield session


async def test_a_response_ends_its_call(gradient_emulator: Emulator, session: AsyncSession, calls: Calls) -> None:
    completion = await session.chat.completions.create(**HI, temperature=0.5)
    (begun,) = calls.begun
    assert begun.url == f"{gradient_emulator.url}/v1/chat/completions"
    assert (begun.method, begun.model, begun.stream, begun.params["temperature"]) == ("POST", "m", False, 0.5)
    assert calls.outcome.result is completion
    assert (calls.outcome.outcome, calls.outcome.error) == ("done", None)
    assert calls.outcome.elapsed >= (completion.meta.timings.total or 0.0) > 0


async def test_attempts_are_parts_of_one_call(gradient_emulator: Emulator) -> None:
    class Both(Calls):
        def __call__(self, attempt: AttemptDetails) -> None:
            attempts.append(attempt)

    attempts: list[AttemptDetails] = []
    gradient_emulator.fail(status=503)
    async with AsyncSession("test", base_url=gradient_emulator.url, hooks=[both := Both()]) as session:
        await session.chat.completions.create(**HI)
    assert [attempt.attempt for attempt in attempts] == [1, 2]
    assert both.outcome.result.meta.attempts == 2


async def test_an_error_ends_its_call(gradient_emulator: Emulator, session: AsyncSession, calls: Calls) -> None:
    gradient_emulator.fail(status=403)
    with pytest.raises(PermissionDeniedError) as caught:
        await session.chat.completions.create(**HI)
    assert (calls.outcome.outcome, calls.outcome.result) == ("error", None)
    assert calls.outcome.error is caught.value


async def test_an_undecodable_response_ends_its_call_with_an_error(
    gradient_emulator: Emulator, session: AsyncSession, calls: Calls
) -> None:
    gradient_emulator.reply(body=b'{"choices": 1}', content_type="application/json")
    with pytest.raises(ResponseDecodeError, match="choices"):
        await session.chat.completions.create(**HI)
    assert calls.outcome.outcome == "error"


async def test_a_cancelled_task_ends_its_call(gradient_emulator: Emulator, session: AsyncSession, calls: Calls) -> None:
    gradient_emulator.stall(seconds=30)
    task = asyncio.create_task(session.chat.completions.create(**HI))
    while not gradient_emulator.requests:
        await asyncio.sleep(0.005)
    task.cancel()
    await asyncio.wait([task])
    assert calls.outcome.outcome == "cancelled"


async def test_a_request_that_was_never_sent_is_not_a_call(session: AsyncSession, calls: Calls) -> None:
    session.chat.completions.stream(**HI).close()
    with pytest.raises(ConfigurationError):
        await session.chat.completions.create(model="m", messages=[])
    assert (calls.begun, calls.ended) == ([], [])


async def test_a_stream_ends_its_call_when_it_ends(session: AsyncSession, calls: Calls) -> None:
    async with session.chat.completions.stream(**HI) as stream:
        assert calls.begun[0].stream
        assert not calls.ended
        completion = await stream.completion()
    assert calls.outcome.outcome == "done"
    assert calls.outcome.result.text == completion.text != ""
    assert calls.outcome.result.meta.timings.first_token > 0


async def test_a_stream_left_early_ends_its_call_with_what_arrived(
    gradient_emulator: Emulator, session: AsyncSession, calls: Calls
) -> None:
    gradient_emulator.reply("one two three four", token_delay=0.01)
    async for text in session.chat.completions.stream(**HI).text():
        assert text == "one"
        break
    assert calls.outcome.outcome == "cancelled"
    assert calls.outcome.result.text == "one"


async def test_a_dropped_stream_ends_its_call(session: AsyncSession, calls: Calls) -> None:
    stream = session.chat.completions.stream(**HI)
    await stream.open()
    with pytest.warns(ResourceWarning):
        del stream
    assert calls.outcome.outcome == "cancelled"


async def test_a_truncated_stream_ends_its_call_with_the_error(
    gradient_emulator: Emulator, session: AsyncSession, calls: Calls
) -> None:
    gradient_emulator.reply("one two three four")
    gradient_emulator.truncate(after=3)
    with pytest.raises(StreamTruncatedError) as caught:
        await session.chat.completions.stream(**HI).completion()
    assert calls.outcome.outcome == "truncated"
    assert calls.outcome.error is caught.value
    assert caught.value.snapshot is not None
    assert calls.outcome.result.text == caught.value.snapshot.text != ""


async def test_a_refused_stream_ends_its_call(gradient_emulator: Emulator, session: AsyncSession, calls: Calls) -> None:
    gradient_emulator.fail(status=403)
    with pytest.raises(PermissionDeniedError):
        await session.chat.completions.stream(**HI).completion()
    assert calls.outcome.outcome == "error"


async def test_a_stream_cancelled_while_it_opens_ends_its_call(
    gradient_emulator: Emulator, session: AsyncSession, calls: Calls
) -> None:
    gradient_emulator.stall(seconds=30)
    stream = session.chat.completions.stream(**HI)
    task = asyncio.create_task(stream.open())
    while not gradient_emulator.requests:
        await asyncio.sleep(0.005)
    stream.cancel()
    await task
    assert calls.outcome.outcome == "cancelled"


CALLS: dict[str, Callable[[AsyncSession], Any]] = {
    "models": lambda session: session.models.list(),
    "embeddings": lambda session: session.embeddings.create(model="m", input="Hi"),
    "messages": lambda session: session.messages.create(**HI, max_tokens=5),
    "messages stream": lambda session: session.messages.stream(**HI, max_tokens=5).message(),
    "responses": lambda session: session.responses.create(model="m", input="Hi"),
    "responses stream": lambda session: session.responses.stream(model="m", input="Hi").response(),
    "images": lambda session: session.images.generate(model="m", prompt="A house"),
    "batch": lambda session: session.batches.create_file("prompts.jsonl"),
}


@pytest.mark.parametrize("name", CALLS)
async def test_every_endpoint_is_observed(session: AsyncSession, calls: Calls, name: str) -> None:
    result = await CALLS[name](session)
    assert calls.outcome.result.to_dict() == result.to_dict()


async def test_the_call_of_an_invocation_has_its_model(session: AsyncSession, calls: Calls) -> None:
    await session.async_invoke.create(model_id="fal-ai/flux/schnell", input={"prompt": "A house"})
    assert calls.begun[0].model == "fal-ai/flux/schnell"


async def test_the_call_of_an_agent_has_no_model(gradient_emulator: Emulator, calls: Calls) -> None:
    async with AsyncSession(agent_access_key="a", agent_endpoint=gradient_emulator.agent_url, hooks=[calls]) as session:
        await session.agent().chat.completions.create(messages=HI["messages"])
    assert calls.begun[0].model is None


@pytest.mark.parametrize("fails", ["begin", "end"])
async def test_a_failing_hook_does_not_break_the_call(
    gradient_emulator: Emulator, caplog: pytest.LogCaptureFixture, fails: str
) -> None:
    class Failing:
        def begin_call(self, _call: CallDetails) -> Callable[[CallOutcome], float]:
            return (lambda _outcome: 1 / 0) if fails == "end" else 1 / 0  # type: ignore[return-value]

    async with AsyncSession("test", base_url=gradient_emulator.url, hooks=[Failing()]) as session:
        assert (await session.chat.completions.create(**HI)).text
    assert "a hook failed" in caplog.text


def test_an_async_hook_is_refused() -> None:
    async def hook(_: AttemptDetails) -> None: ...

    with pytest.raises(ConfigurationError, match="not awaited"):
        AsyncSession("test", hooks=[hook])


def test_an_object_that_is_not_a_hook_is_refused() -> None:
    hook: Any = object()
    with pytest.raises(ConfigurationError, match="begin_call"):
        AsyncSession("test", hooks=[hook])
