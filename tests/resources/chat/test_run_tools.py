"""The tool loop: calls of the model, run by the client, over a real socket."""

import asyncio
import json
import pickle
import threading
from datetime import date
from decimal import Decimal
from typing import Any

import attrs
import pytest
from pydantic import BaseModel

from gradient_async import (
    AsyncSession,
    BadRequestError,
    ChatCompletion,
    ConfigurationError,
    Message,
    ResponseDecodeError,
    RetryPolicy,
    ToolRoundsError,
    ToolRun,
)
from gradient_async.params import MessageParam
from gradient_async.testing import Emulator
from tests.support.library_types import City, Point
from tests.support.waiting import HANG_SECONDS

M = "llama3.3-70b-instruct"
HI: list[MessageParam | Message] = [{"role": "user", "content": "How warm is it?"}]


@attrs.define
class Place:
    city: str


@attrs.define
class Report:
    celsius: float


class Visit(BaseModel):
    city: City
    day: date
    spent: Decimal


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


def tool_contents(emulator: Emulator, request: int = -1) -> list[str]:
    """Return the contents of the tool messages in a request, by default in the last one."""
    return [m["content"] for m in emulator.requests[request].json["messages"] if m["role"] == "tool"]


async def test_results_of_tools_are_sent_to_the_model(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply(tool_calls=[call("weather", place={"city": "Lisbon"}, days=2)])
    gradient_emulator.reply(tool_calls=[call("add", a=1, b=2)])
    gradient_emulator.reply("It is warm.")
    result = await run(gradient_session, [weather, add], temperature=0)
    assert result.text == result.completion.text == "It is warm."
    assert [(step.round, step.result, step.arguments, step.ok) for step in result.steps] == [
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


async def visit(city: City, points: list[Point]) -> Visit:
    return Visit(city=city, day=date(2026, 5, 8), spent=Decimal("7.5") * len(points))


async def test_arguments_and_results_may_be_of_libraries(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply(tool_calls=[call("visit", city={"name": "Rome"}, points=[{"leftX": 1}, {"leftX": 2}])])
    gradient_emulator.reply("Done.")
    (step,) = (await run(gradient_session, [visit])).steps
    assert step.arguments == {"city": City(name="Rome"), "points": [Point(1), Point(2)]}
    assert json.loads(step.content) == {"city": {"name": "Rome", "people": 1}, "day": "2026-05-08", "spent": "15.0"}
    assert tool_contents(gradient_emulator) == [step.content]


async def test_an_argument_that_does_not_fit_a_model_is_reported_to_the_model(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply(tool_calls=[call("visit", city={"name": "Rome", "people": -1}, points=[])])
    gradient_emulator.reply("Sorry.")
    (step,) = (await run(gradient_session, [visit])).steps
    assert "$.city.people: input should be greater than 0" in step.content
    assert isinstance(step.error, ResponseDecodeError)


async def test_the_usage_is_the_sum_of_all_completions(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    usages = [{"prompt_tokens": n, "completion_tokens": 2 * n, "total_tokens": 3 * n} for n in (1, 10)]
    gradient_emulator.reply(tool_calls=[call("add", a=1, b=2)], usage=usages[0])
    gradient_emulator.reply("3", usage=usages[1])
    usage = (await run(gradient_session, [add])).usage
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (11, 22, 33)


async def test_a_completion_without_tool_calls_ends_the_loop(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply("Hello")
    result = await run(gradient_session, [add])
    assert (result.text, result.steps, len(result.messages)) == ("Hello", [], 2)


async def test_a_conversation_continues_from_its_messages(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    messages = list(HI)
    gradient_emulator.reply(tool_calls=[call("add", a=1, b=2)])
    gradient_emulator.reply("3")
    result = await run(gradient_session, [add], messages=messages)
    assert messages == HI
    await run(gradient_session, [add], messages=[*result.messages, {"role": "user", "content": "And now?"}])
    roles = [message["role"] for message in gradient_emulator.requests[-1].json["messages"]]
    assert roles == ["user", "assistant", "tool", "assistant", "user"]


async def test_the_tool_calls_of_one_completion_run_concurrently(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    both = asyncio.Barrier(2)

    async def meet(name: str) -> str:
        await both.wait()
        return name

    gradient_emulator.reply(tool_calls=[call("meet", name="a"), call("meet", name="b")])
    gradient_emulator.reply("Done")
    await asyncio.wait_for(run(gradient_session, [meet]), HANG_SECONDS)
    assert tool_contents(gradient_emulator) == ["a", "b"]


async def return_object() -> object:
    return object()


async def await_cancelled() -> None:
    task = asyncio.create_task(asyncio.sleep(60))
    task.cancel()
    await task


async def return_nan() -> dict[str, float]:
    return {"rate": float("nan")}


@pytest.mark.parametrize(
    ("tool_call", "sentence"),
    [
        (
            call("nothing"),
            "Error: There is no tool 'nothing'; the tools are add, broken, await_cancelled, return_object, return_nan.",
        ),
        (call("add", a=1), "Error: An argument does not fit add: $.b: it is missing."),
        (call("add", a="1", b=2), "Error: An argument does not fit add: $.a: expected an integer, got a string."),
        (call("add", a=1, b=2, c=3), "Error: An argument does not fit add: $: unknown name 'c'."),
        ({"name": "add", "arguments": '{"a": 1, "b'}, "Error: The arguments are not valid JSON."),
        (call("broken", why="It was zero"), "Error: ZeroDivisionError: It was zero"),
        (call("broken", why="w" * 9000), "Error: ZeroDivisionError: " + "w" * 474 + "..."),
        (call("await_cancelled"), "Error: RuntimeError: the function awaited a task that was cancelled"),
        (call("return_object"), "Error: TypeError: return_object returned a value without a JSON form"),
        (call("return_nan"), "Error: TypeError: return_nan returned a value without a JSON form: result.rate is nan"),
    ],
)
async def test_a_failed_call_is_reported_to_the_model_and_kept(
    tool_call: dict[str, Any], sentence: str, gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply(tool_calls=[tool_call, call("add", a=1, b=2)])
    gradient_emulator.reply("Sorry")
    result = await run(gradient_session, [add, broken, await_cancelled, return_object, return_nan])
    failed, succeeded = tool_contents(gradient_emulator)
    assert failed.startswith(sentence)
    assert "Traceback" not in failed
    assert succeeded == "3"
    assert [step.ok for step in result.steps] == [False, True]
    assert (result.steps[0].result, result.steps[0].content) == (None, failed)
    assert result.text == "Sorry"


async def test_a_text_result_is_sent_unchanged_and_none_as_null(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    def say(text: str) -> str:
        return text

    def remember(text: str) -> None: ...

    gradient_emulator.reply(tool_calls=[call("say", text='Say "hi"'), call("remember", text="a")])
    gradient_emulator.reply("Done")
    await run(gradient_session, [say, remember])
    assert tool_contents(gradient_emulator) == ['Say "hi"', "null"]


async def test_too_many_rounds_raise_with_the_conversation(
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


async def test_a_request_that_fails_later_raises_with_the_conversation(gradient_emulator: Emulator) -> None:
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
    assert isinstance(caught.value.snapshot, ChatCompletion)
    assert caught.value.snapshot.tool_calls


async def test_cancelling_the_loop_cancels_the_running_tools(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        started.set()
        try:
            await asyncio.sleep(60)
        finally:
            cancelled.set()

    gradient_emulator.reply(tool_calls=[call("wait"), call("wait")])
    task = asyncio.create_task(run(gradient_session, [wait]))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cancelled.is_set()
    assert len(gradient_emulator.requests) == 1


@pytest.mark.parametrize("in_threads", [False, True])
async def test_in_threads_runs_plain_functions_in_threads(
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
async def test_an_exhausted_iterator_fails_only_its_own_call(
    in_threads: bool, gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    def first() -> int:
        return next(iter([]))

    gradient_emulator.reply(tool_calls=[call("first")])
    gradient_emulator.reply("Done")
    await asyncio.wait_for(run(gradient_session, [first], in_threads=in_threads), HANG_SECONDS)
    assert tool_contents(gradient_emulator)[0].startswith("Error: RuntimeError: ")


async def test_a_forced_tool_choice_holds_for_the_first_round(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply(tool_calls=[call("add", a=1, b=2)])
    gradient_emulator.reply("3")
    await run(gradient_session, [add], tool_choice={"type": "function", "function": {"name": "add"}})
    assert [request.json["tool_choice"] for request in gradient_emulator.requests] == [
        {"type": "function", "function": {"name": "add"}},
        "auto",
    ]


async def test_tools_that_the_service_runs_are_sent_unchanged(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    search = {"type": "web_search", "max_uses": 1}
    gradient_emulator.reply("Done")
    await run(gradient_session, [add, search])
    assert gradient_emulator.requests[0].json["tools"][1] == search


async def test_an_agent_runs_tools(gradient_emulator: Emulator, gradient_session: AsyncSession) -> None:
    gradient_emulator.reply(tool_calls=[call("add", a=1, b=2)])
    gradient_emulator.reply("3")
    result = await gradient_session.agent().chat.completions.run_tools(messages=HI, tools=[add], k=3)
    assert (result.text, [step.result for step in result.steps]) == ("3", [3])
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
async def test_an_invalid_call_of_run_tools_sends_nothing(
    options: dict[str, Any], advice: str, gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    with pytest.raises(ConfigurationError, match=advice):
        await run(gradient_session, **options)
    assert gradient_emulator.requests == []


@pytest.mark.parametrize("way", ["create", "stream", "map"])
async def test_functions_are_accepted_as_tools_by_every_method(
    way: str, gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    completions = gradient_session.chat.completions
    params: dict[str, Any] = {"model": M, "messages": HI, "tools": [add]}
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


def reply_body(*calls: dict[str, Any]) -> str:
    message = {"role": "assistant", "content": None, "tool_calls": list(calls)}
    return json.dumps({"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]})


def raw_call(a: int, **fields: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": "add", "arguments": json.dumps({"a": a, "b": 0})}, **fields}


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ([{}, {}], ["call00001", "call00002"]),
        ([{"id": ""}, {"id": None}], ["call00001", "call00002"]),
        ([{"id": "x"}, {"id": "x"}, {"id": "x"}], ["x", "call00001", "call00002"]),
        ([{}, {"id": "call00001"}, {}], ["call00001", "call00002", "call00003"]),
        ([{"id": 7}, {"id": "7"}, {"id": "y"}], ["7", "call00001", "y"]),
        ([{"id": "x"}, {"id": "y"}], ["x", "y"]),
    ],
)
async def test_each_call_has_an_id_of_its_own_in_its_message_and_its_result(
    gradient_emulator: Emulator, gradient_session: AsyncSession, ids: list[dict[str, Any]], expected: list[str]
) -> None:
    body = reply_body(*(raw_call(number, **fields) for number, fields in enumerate(ids)))
    gradient_emulator.reply(body=body, content_type="application/json")
    gradient_emulator.reply("Done")
    result = await run(gradient_session, [add])
    _, assistant, *results = gradient_emulator.requests[-1].json["messages"]
    assert [call["id"] for call in assistant["tool_calls"]] == expected
    assert [(each["tool_call_id"], each["content"]) for each in results] == [
        (id_, str(number)) for number, id_ in enumerate(expected)
    ]
    assert [step.call.id for step in result.steps] == expected


async def test_an_id_of_an_earlier_round_is_replaced(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    for _ in range(2):
        gradient_emulator.reply(body=reply_body(raw_call(1, id="call_0"), raw_call(2)), content_type="application/json")
    gradient_emulator.reply("Done")
    earlier: Any = [{"role": "assistant", "tool_calls": [raw_call(0, id="call00001")]}, *HI]
    await run(gradient_session, [add], messages=earlier)
    messages = gradient_emulator.requests[-1].json["messages"]
    ids = [call["id"] for message in messages for call in message.get("tool_calls", ())]
    assert ids == ["call00001", "call_0", "call00002", "call00003", "call00004"]


@pytest.mark.parametrize(("concurrency", "most"), [(1, 1), (3, 3), (8, 5)])
@pytest.mark.parametrize("in_threads", [True, False])
async def test_a_bounded_number_of_functions_runs_at_once(
    gradient_emulator: Emulator, gradient_session: AsyncSession, concurrency: int, most: int, in_threads: bool
) -> None:
    running, peak = set[int](), set[int]()

    async def wait(number: int) -> int:
        running.add(number)
        peak.add(len(running))
        for _ in range(10):
            await asyncio.sleep(0)
        running.remove(number)
        return number

    gradient_emulator.reply(tool_calls=[call("wait", number=number) for number in range(5)])
    gradient_emulator.reply("Done")
    result = await run(gradient_session, [wait], concurrency=concurrency, in_threads=in_threads)
    assert max(peak) == most
    assert [step.result for step in result.steps] == list(range(5))


@pytest.mark.parametrize("bounds", [{"concurrency": 0}, {"max_rounds": 0}, {"concurrency": -1}])
async def test_a_bound_below_one_is_refused(gradient_session: AsyncSession, bounds: dict[str, int]) -> None:
    with pytest.raises(ConfigurationError, match="give at least 1"):
        await run(gradient_session, [add], **bounds)
