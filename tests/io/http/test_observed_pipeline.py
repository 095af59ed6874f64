"""Hooks with `begin_call` observe the beginning and the end of each call once, however it ends."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable
from contextvars import ContextVar
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
    ToolCallDetails,
    ToolRunDetails,
)
from gradient_async.testing import Emulator
from tests.support.waiting import wait_until

pytestmark = pytest.mark.usefixtures("steady_clock")

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


async def test_a_form_is_a_call_without_parameters(
    gradient_emulator: Emulator, session: AsyncSession, calls: Calls
) -> None:
    gradient_emulator.reply(body=b"{}", content_type="application/json", path="/v1/other")
    await session.request("POST", "/v1/other", data={"colour": "blue"})
    assert (calls.begun[0].params, calls.outcome.outcome) == ({}, "done")


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


COLOUR: ContextVar[str] = ContextVar("colour", default="none")


class Painter(Calls):
    """Sets a context variable at the beginning of each call, and records its value at each attempt."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def begin_call(self, call: CallDetails) -> Callable[[CallOutcome], None]:
        COLOUR.set(f"blue {len(self.begun)}")
        return super().begin_call(call)

    def __call__(self, _attempt: AttemptDetails) -> None:
        self.seen.append(COLOUR.get())


async def test_a_variable_that_a_hook_sets_is_seen_by_the_attempts_and_not_by_the_caller(
    gradient_emulator: Emulator,
) -> None:
    painter = Painter()
    gradient_emulator.fail(status=503)
    async with AsyncSession("test", base_url=gradient_emulator.url, hooks=[painter]) as session:
        await session.chat.completions.create(**HI)
        await session.chat.completions.stream(**HI).completion()
    assert painter.seen == ["blue 0", "blue 0", "blue 1"]
    assert COLOUR.get() == "none"


async def test_concurrent_calls_have_contexts_of_their_own(gradient_emulator: Emulator) -> None:
    painter = Painter()
    async with AsyncSession("test", base_url=gradient_emulator.url, hooks=[painter]) as session:
        await asyncio.gather(*(session.chat.completions.create(**HI) for _ in range(4)))
    assert sorted(painter.seen) == [f"blue {number}" for number in range(4)]


async def test_a_time_limit_around_a_call_holds(gradient_emulator: Emulator, session: AsyncSession) -> None:
    gradient_emulator.stall(seconds=30)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await session.chat.completions.create(**HI)


Interrupt = Callable[[AsyncSession, "asyncio.Task[Any]", Any], Any]


async def close_session(session: AsyncSession, _task: "asyncio.Task[Any]", _stream: Any) -> None:
    await session.aclose()


INTERRUPTIONS: dict[str, tuple[bool, Interrupt, bool, str]] = {
    "a cancelled task": (False, lambda _session, task, _stream: task.cancel(), True, "NoneType"),
    "a cancelled stream": (True, lambda _session, task, _stream: task.cancel(), True, "NoneType"),
    "a closed stream": (True, lambda _session, _task, stream: stream.close(), True, "NoneType"),
    "a closed session": (False, close_session, False, "SessionClosedError"),
}


@pytest.mark.parametrize("name", INTERRUPTIONS)
async def test_an_attempt_that_is_interrupted_is_told_to_hooks(gradient_emulator: Emulator, name: str) -> None:
    streams, interrupt, is_cancelled, error = INTERRUPTIONS[name]
    attempts: list[AttemptDetails] = []
    gradient_emulator.stall(seconds=30)
    async with AsyncSession("test", base_url=gradient_emulator.url, hooks=[attempts.append]) as session:
        stream = session.chat.completions.stream(**HI) if streams else None
        task = asyncio.create_task(stream.open() if stream else session.chat.completions.create(**HI))
        await wait_until(lambda: bool(gradient_emulator.requests))
        if inspect.isawaitable(waiting := interrupt(session, task, stream)):
            await waiting
        await asyncio.gather(task, return_exceptions=True)
    (attempt,) = attempts
    assert (attempt.cancelled, type(attempt.error).__name__, attempt.status) == (is_cancelled, error, None)


class Tools:
    """Records conversations with tools, and sets a context variable for each call of a tool."""

    def __init__(self) -> None:
        self.begun: list[ToolRunDetails | ToolCallDetails] = []
        self.ended: list[CallOutcome] = []

    def begin_tool_run(self, run: ToolRunDetails) -> Callable[[CallOutcome], None]:
        self.begun.append(run)
        return self.ended.append

    def begin_tool_call(self, call: ToolCallDetails) -> Callable[[CallOutcome], None]:
        COLOUR.set(f"blue {call.name}")
        self.begun.append(call)
        return self.ended.append


@pytest.mark.parametrize("in_threads", [False, True])
async def test_conversations_and_calls_of_tools_are_told_to_hooks(
    gradient_emulator: Emulator, *, in_threads: bool
) -> None:
    def weather(city: str) -> str:
        """Tell the weather."""
        return f"{COLOUR.get()} sky in {city}"

    tools = Tools()
    calls_of_model: list[tuple[str, dict[str, str]]] = [
        ("weather", {"city": "Rome"}),
        ("weather", {"town": "Rome"}),
        ("rain", {}),
    ]
    gradient_emulator.reply(tool_calls=[{"name": name, "arguments": given} for name, given in calls_of_model])
    gradient_emulator.reply("Sunny.")
    async with AsyncSession("test", base_url=gradient_emulator.url, hooks=[tools]) as session:
        run = await session.chat.completions.run_tools(**HI, tools=[weather], in_threads=in_threads)
    begun, calls = tools.begun[0], [call for call in tools.begun if isinstance(call, ToolCallDetails)]
    assert isinstance(begun, ToolRunDetails)
    assert (begun.model, begun.params["messages"]) == ("m", HI["messages"])
    assert [(call.id, call.name) for call in calls] == [(step.call.id, step.call.function.name) for step in run.steps]
    assert (calls[0].description, calls[0].arguments) == ("Tell the weather.", '{"city": "Rome"}')
    assert run.steps[0].result == "blue weather sky in Rome"
    assert calls[2].description is None
    assert {id(end.result): end.outcome for end in tools.ended} == {
        id(run.steps[0]): "done",
        id(run.steps[1]): "error",
        id(run.steps[2]): "error",
        id(run): "done",
    }


async def test_a_failed_conversation_with_tools_is_told_to_hooks(gradient_emulator: Emulator) -> None:
    def weather(city: str) -> str:
        """Tell the weather."""
        return city

    tools = Tools()
    gradient_emulator.fail(status=403)
    async with AsyncSession("test", base_url=gradient_emulator.url, hooks=[tools]) as session:
        with pytest.raises(PermissionDeniedError) as caught:
            await session.chat.completions.run_tools(**HI, tools=[weather])
    assert [(end.outcome, end.error) for end in tools.ended] == [("error", caught.value)]


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
