"""Conversations in which the model's tools are run, over a real socket."""

import asyncio
import json
import pickle
import threading
from typing import Any

import attrs
import pytest

from gradient_async import (
    AsyncSession,
    BadRequestError,
    ConfigurationError,
    RetryPolicy,
    ToolRoundsError,
    ToolRun,
)
from gradient_async.testing import Emulator

M = "llama3.3-70b-instruct"
HI = [{"role": "user", "content": "How warm is it?"}]


@attrs.define
class Place:
    city: str


@attrs.define
class Report:
    celsius: float


async def weather(place: Place, days: int = 1) -> Report:
    """Tell the weather."""
    await asyncio.sleep(0)
    return Report(3.5 * days)


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def broken(why: str) -> None:
    raise ZeroDivisionError(why)


def call(name: str, /, **arguments: Any) -> dict[str, Any]:
    return {"name": name, "arguments": arguments}


async def run(session: AsyncSession, tools: Any, **options: Any) -> ToolRun:
    return await session.chat.completions.run_tools(**{"model": M, "messages": HI, "tools": tools, **options})


def told(emulator: Emulator, request: int = -1) -> list[str]:
    """Return what the model was told of its calls, in this request."""
    return [m["content"] for m in emulator.requests[request].json["messages"] if m["role"] == "tool"]


async def test_the_model_is_told_what_its_tools_returned(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply(tool_calls=[call("weather", place={"city": "Lisbon"}, days=2)])
    gradient_emulator.reply(tool_calls=[call("add", a=1, b=2)])
    gradient_emulator.reply("It is warm.")
    found = await run(gradient_session, [weather, add], temperature=0)
    assert found.text == found.completion.text == "It is warm."
    assert [(step.round, step.result, step.arguments, step.ok) for step in found.steps] == [
        (1, Report(7.0), {"place": Place("Lisbon"), "days": 2}, True),
        (2, 3, {"a": 1, "b": 2}, True),
    ]
    first, second, third = (request.json for request in gradient_emulator.requests)
    assert [tool["function"]["name"] for tool in first["tools"]] == ["weather", "add"]
    assert first["tools"] == third["tools"]
    assert third["temperature"] == 0
    assert [message["role"] for message in third["messages"]] == ["user", "assistant", "tool", "assistant", "tool"]
    assert second["messages"][-1] == {
        "role": "tool",
        "tool_call_id": second["messages"][-2]["tool_calls"][0]["id"],
        "content": '{"celsius":7.0}',
    }


async def test_the_usage_is_that_of_all_answers(gradient_emulator: Emulator, gradient_session: AsyncSession) -> None:
    usages = [{"prompt_tokens": n, "completion_tokens": 2 * n, "total_tokens": 3 * n} for n in (1, 10)]
    gradient_emulator.reply(tool_calls=[call("add", a=1, b=2)], usage=usages[0])
    gradient_emulator.reply("3", usage=usages[1])
    usage = (await run(gradient_session, [add])).usage
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (11, 22, 33)


async def test_an_answer_without_calls_ends_it_at_once(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply("Hello")
    found = await run(gradient_session, [add])
    assert (found.text, found.steps, len(found.messages)) == ("Hello", [], 2)


async def test_the_conversation_goes_on_from_its_messages(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    given = list(HI)
    gradient_emulator.reply(tool_calls=[call("add", a=1, b=2)])
    gradient_emulator.reply("3")
    found = await run(gradient_session, [add], messages=given)
    assert given == HI
    await run(gradient_session, [add], messages=[*found.messages, {"role": "user", "content": "And now?"}])
    roles = [message["role"] for message in gradient_emulator.requests[-1].json["messages"]]
    assert roles == ["user", "assistant", "tool", "assistant", "user"]


async def test_the_tools_of_one_answer_run_at_the_same_time(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    both = asyncio.Barrier(2)

    async def meet(name: str) -> str:
        await both.wait()
        return name

    gradient_emulator.reply(tool_calls=[call("meet", name="a"), call("meet", name="b")])
    gradient_emulator.reply("Done")
    await asyncio.wait_for(run(gradient_session, [meet]), 5)
    assert told(gradient_emulator) == ["a", "b"]


async def unsayable() -> object:
    return object()


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (call("nothing"), "Error: There is no tool 'nothing'; the tools are add, broken, unsayable."),
        (call("add", a=1), "Error: An argument does not fit add: $.b: it is missing."),
        (call("add", a="1", b=2), "Error: An argument does not fit add: $.a: expected an integer, got a string."),
        (call("add", a=1, b=2, c=3), "Error: An argument does not fit add: $: unknown name 'c'."),
        ({"name": "add", "arguments": '{"a": 1, "b'}, "Error: The arguments are not valid JSON."),
        (call("broken", why="It was zero"), "Error: ZeroDivisionError: It was zero"),
        (call("broken", why="w" * 9000), "Error: ZeroDivisionError: " + "w" * 474 + "..."),
        (call("unsayable"), "Error: TypeError: unsayable returned a value without a JSON form"),
    ],
)
async def test_what_goes_wrong_is_told_to_the_model_and_kept(
    asked: dict[str, Any], sentence: str, gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply(tool_calls=[asked, call("add", a=1, b=2)])
    gradient_emulator.reply("Sorry")
    found = await run(gradient_session, [add, broken, unsayable])
    wrong, right = told(gradient_emulator)
    assert wrong.startswith(sentence)
    assert "Traceback" not in wrong
    assert right == "3"
    assert [step.ok for step in found.steps] == [False, True]
    assert (found.steps[0].result, found.steps[0].content) == (None, wrong)
    assert found.text == "Sorry"


async def test_text_is_told_as_it_is_and_nothing_as_null(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    def say(text: str) -> str:
        return text

    def remember(text: str) -> None: ...

    gradient_emulator.reply(tool_calls=[call("say", text='Say "hi"'), call("remember", text="a")])
    gradient_emulator.reply("Done")
    await run(gradient_session, [say, remember])
    assert told(gradient_emulator) == ['Say "hi"', "null"]


async def test_too_many_rounds_keep_the_conversation(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    called: list[int] = []

    def note(number: int) -> None:
        called.append(number)

    for number in range(3):
        gradient_emulator.reply(tool_calls=[call("note", number=number)])
    with pytest.raises(ToolRoundsError, match=r"still calls note in the last of max_rounds=3") as caught:
        await run(gradient_session, [note], max_rounds=3)
    error = pickle.loads(pickle.dumps(caught.value))
    assert called == [0, 1]
    assert error.request_id == gradient_emulator.requests[2].request_id
    assert error.snapshot.tool_calls[0].function.arguments == '{"number": 2}'
    assert len(error.messages) == 5
    gradient_emulator.reply("Enough")
    assert (await run(gradient_session, [note], messages=error.messages)).text == "Enough"


async def test_a_call_that_fails_later_keeps_the_conversation(gradient_emulator: Emulator) -> None:
    gradient_emulator.reply(tool_calls=[call("add", a=1, b=2)])
    gradient_emulator.fail(status=400)
    async with AsyncSession("test", base_url=gradient_emulator.url, retry=RetryPolicy(attempts=1)) as session:
        with pytest.raises(BadRequestError) as caught:
            await run(session, [add])
    assert caught.value.messages is not None
    assert [m["role"] if isinstance(m, dict) else m.role for m in caught.value.messages] == [
        "user",
        "assistant",
        "tool",
    ]
    assert caught.value.snapshot is not None
    assert caught.value.snapshot.tool_calls


async def test_cancellation_passes_through_and_ends_the_tools(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        began.set()
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    gradient_emulator.reply(tool_calls=[call("wait"), call("wait")])
    task = asyncio.create_task(run(gradient_session, [wait]))
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()
    assert len(gradient_emulator.requests) == 1


@pytest.mark.parametrize("in_threads", [False, True])
async def test_plain_functions_run_in_threads_if_asked_for(
    in_threads: bool, gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    threads: list[threading.Thread] = []

    def plain() -> None:
        threads.append(threading.current_thread())

    async def waiting() -> None:
        threads.append(threading.current_thread())

    gradient_emulator.reply(tool_calls=[call("plain")])
    gradient_emulator.reply(tool_calls=[call("waiting")])
    gradient_emulator.reply("Done")
    await run(gradient_session, [plain, waiting], in_threads=in_threads)
    assert [thread is threading.main_thread() for thread in threads] == [not in_threads, True]


@pytest.mark.parametrize("in_threads", [False, True])
async def test_an_exhausted_iterator_ends_its_tool_alone(
    in_threads: bool, gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    def first() -> int:
        return next(iter([]))

    gradient_emulator.reply(tool_calls=[call("first")])
    gradient_emulator.reply("Done")
    await asyncio.wait_for(run(gradient_session, [first], in_threads=in_threads), 5)
    assert told(gradient_emulator)[0].startswith("Error: RuntimeError: ")


async def test_a_forced_tool_is_forced_once(gradient_emulator: Emulator, gradient_session: AsyncSession) -> None:
    gradient_emulator.reply(tool_calls=[call("add", a=1, b=2)])
    gradient_emulator.reply("3")
    await run(gradient_session, [add], tool_choice={"type": "function", "function": {"name": "add"}})
    assert [request.json["tool_choice"] for request in gradient_emulator.requests] == [
        {"type": "function", "function": {"name": "add"}},
        "auto",
    ]


async def test_tools_that_the_service_runs_are_passed_on(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    search = {"type": "web_search", "max_uses": 1}
    gradient_emulator.reply("Done")
    await run(gradient_session, [add, search])
    assert gradient_emulator.requests[0].json["tools"][1] == search


async def test_an_agent_has_it_too(gradient_emulator: Emulator, gradient_session: AsyncSession) -> None:
    gradient_emulator.reply(tool_calls=[call("add", a=1, b=2)])
    gradient_emulator.reply("3")
    found = await gradient_session.agent().chat.completions.run_tools(messages=HI, tools=[add], k=3)
    assert (found.text, [step.result for step in found.steps]) == ("3", [3])
    assert {(request.path, request.json["k"]) for request in gradient_emulator.requests} == {
        ("/api/v1/chat/completions", 3)
    }


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        ({"tools": []}, "run_tools needs functions to run"),
        ({"tools": [{"type": "web_search"}]}, "run_tools needs functions to run"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "give the function instead of its description"),
        ({"tools": [add, add]}, "Two tools are called add"),
        ({"tools": [add], "max_rounds": 0}, "at least 1"),
        ({"tools": [add], "stream": True}, "leave it out"),
        ({"tools": [add], "messages": None}, "messages must be a list"),
        ({"tools": [print]}, r"print\.\w+ takes any number"),
    ],
)
async def test_a_run_that_cannot_work_sends_nothing(
    options: dict[str, Any], advice: str, gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    with pytest.raises(ConfigurationError, match=advice):
        await run(gradient_session, **options)
    assert gradient_emulator.requests == []


@pytest.mark.parametrize("way", ["create", "stream", "map"])
async def test_functions_are_tools_wherever_tools_are_taken(
    way: str, gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    completions, params = gradient_session.chat.completions, {"model": M, "messages": HI, "tools": [add]}
    if way == "create":
        await completions.create(**params)
    elif way == "stream":
        await completions.stream(**params).completion()
    else:
        async with completions.map([params]) as results:
            assert [result.ok async for result in results] == [True]
    (tool,) = gradient_emulator.requests[0].json["tools"]
    assert json.dumps(tool).startswith(
        '{"type": "function", "function": {"name": "add", "description": "Add two numbers."'
    )
