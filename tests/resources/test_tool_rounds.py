"""The tool loop in the shape of each API, over a real socket; more of its rules are in `chat/test_run_tools.py`."""

from __future__ import annotations

import asyncio
import json
import pickle
from typing import Any

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
from tests.support.dialects import API, CHAT, MESSAGES, QUESTION, RESPONSES, both_apis, every_api
from tests.support.library_types import City
from tests.support.waiting import HANG_SECONDS


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


async def visit(city: City) -> City:
    return City(name=city.name, people=city.people + 1)


def fail(why: str) -> None:
    raise ZeroDivisionError(why)


def call(name: str, /, **arguments: Any) -> dict[str, Any]:
    return {"name": name, "arguments": arguments}


async def run(session: AsyncSession, api: API, tools: Any, **options: Any) -> ToolRun[Any, Any, Any]:
    result: ToolRun[Any, Any, Any] = await api.find_resource(session).run_tools(
        tools=tools, **api.add_question(**options)
    )
    return result


@every_api
async def test_results_of_tools_are_sent_in_the_shape_of_the_api(
    api: API, gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply(tool_calls=[call("visit", city={"name": "Rome"}), call("add", a=1, b=2)])
    gradient_emulator.reply(tool_calls=[call("add", a=3, b=4)])
    gradient_emulator.reply("Done.")
    result = await run(gradient_session, api, [visit, add])
    assert result.text == result.completion.text == "Done."
    assert [(step.round, step.result, step.arguments, step.ok) for step in result.steps] == [
        (1, City(name="Rome", people=2), {"city": City(name="Rome")}, True),
        (1, 3, {"a": 1, "b": 2}, True),
        (2, 7, {"a": 3, "b": 4}, True),
    ]
    first, _, third = (request.json for request in gradient_emulator.requests)
    assert [tool["name"] for tool in api.list_tools(first)] == ["visit", "add"]
    assert api.list_tools(first) == api.list_tools(third)
    calls, results = api.list_calls(third), api.list_results(third)
    assert [given for _, _, given in calls] == [{"city": {"name": "Rome"}}, {"a": 1, "b": 2}, {"a": 3, "b": 4}]
    assert [content for _, content in results] == ['{"name":"Rome","people":2}', "3", "7"]
    assert [id_ for id_, *_ in calls] == [id_ for id_, _ in results] == [step.call.id for step in result.steps]
    assert len({id_ for id_, _ in results}) == 3


async def test_the_results_of_one_round_are_one_turn_of_the_user(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply("I add.", tool_calls=[call("add", a=1, b=2), call("fail", why="zero")])
    gradient_emulator.reply("Done.")
    await run(gradient_session, MESSAGES, [add, fail])
    _, assistant, results = gradient_emulator.requests[1].json["messages"]
    assert [block["type"] for block in assistant["content"]] == ["text", "tool_use", "tool_use"]
    assert results == {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": assistant["content"][1]["id"], "content": "3"},
            {
                "type": "tool_result",
                "tool_use_id": assistant["content"][2]["id"],
                "content": "Error: ZeroDivisionError: zero",
                "is_error": True,
            },
        ],
    }


async def test_reasoning_items_are_sent_back_with_the_calls(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply(tool_calls=[call("add", a=1, b=2)], reasoning="I add.")
    gradient_emulator.reply("3")
    result = await run(gradient_session, RESPONSES, [add])
    kinds = [item.get("type", "message") for item in gradient_emulator.requests[1].json["input"]]
    assert kinds == ["message", "reasoning", "function_call", "function_call_output"]
    assert len(result.messages) == 5


async def test_the_input_of_a_response_may_be_text(gradient_emulator: Emulator, gradient_session: AsyncSession) -> None:
    gradient_emulator.reply(tool_calls=[call("add", a=1, b=2)])
    gradient_emulator.reply("3")
    result = await gradient_session.responses.run_tools(model="m", input="1 and 2?", tools=[add])
    assert gradient_emulator.requests[1].json["input"][0] == {"role": "user", "content": "1 and 2?"}
    assert result.text == "3"


@both_apis
async def test_the_usage_is_the_sum_of_all_replies(
    api: API, gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    extra = {"input_tokens_details": {"cached_tokens": 2}} if api is RESPONSES else {"cache_read_input_tokens": 2}
    gradient_emulator.reply(tool_calls=[call("add", a=1, b=2)], usage={"input_tokens": 1, "output_tokens": 2, **extra})
    gradient_emulator.reply("3", usage={"input_tokens": 10, "output_tokens": 20, **extra})
    usage: Any = (await run(gradient_session, api, [add])).usage
    assert (usage.input_tokens, usage.output_tokens) == (11, 22)
    assert (usage.input_tokens_details.cached_tokens if api is RESPONSES else usage.cache_read_input_tokens) == 4


@every_api
async def test_the_model_of_the_emulator_calls_a_tool_and_answers(api: API, gradient_session: AsyncSession) -> None:
    asked: list[str] = []

    def count_people(city: str) -> str:
        """Tell how many people live in a city."""
        asked.append(city)
        return "8 million"

    result = await run(gradient_session, api, [count_people])
    assert asked == ["New York"]
    assert result.text == "Here is what I found: 8 million"


@both_apis
async def test_a_conversation_continues_from_its_messages(
    api: API, gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply(tool_calls=[call("add", a=1, b=2)])
    gradient_emulator.reply("3")
    gradient_emulator.reply("Still 3")
    result = await run(gradient_session, api, [add])
    messages = [*result.messages, {"role": "user", "content": "And now?"}]
    again = await run(gradient_session, api, [add], **{api.conversation: messages})
    assert again.text == "Still 3"
    sent = gradient_emulator.requests[-1].json[api.conversation]
    assert len(sent) == len(messages)
    assert "parsed" not in json.dumps(sent)


@both_apis
async def test_the_calls_of_one_reply_run_concurrently_within_their_bound(
    api: API, gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    running, most = 0, 0

    async def work(number: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        running -= 1
        return number

    gradient_emulator.reply(tool_calls=[call("work", number=number) for number in range(6)])
    gradient_emulator.reply("Done")
    await asyncio.wait_for(run(gradient_session, api, [work], concurrency=3), HANG_SECONDS)
    assert most == 3
    assert [content for _, content in api.list_results(gradient_emulator.requests[-1].json)] == list("012345")


@both_apis
async def test_too_many_rounds_raise_with_the_conversation(
    api: API, gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    for number in range(3):
        gradient_emulator.reply(tool_calls=[call("add", a=number, b=0)])
    with pytest.raises(ToolRoundsError, match=r"still calls add in the last of max_rounds=3") as caught:
        await run(gradient_session, api, [add], max_rounds=3)
    error: Any = pickle.loads(pickle.dumps(caught.value))
    assert error.request_id == gradient_emulator.requests[2].request_id
    assert len(error.messages) == 5
    gradient_emulator.reply("Enough")
    assert (await run(gradient_session, api, [add], **{api.conversation: error.messages})).text == "Enough"


@both_apis
async def test_a_request_that_fails_later_raises_with_the_conversation(api: API, gradient_emulator: Emulator) -> None:
    gradient_emulator.reply(tool_calls=[call("add", a=1, b=2)])
    gradient_emulator.fail(status=400)
    async with AsyncSession("test", base_url=gradient_emulator.url, retry=RetryPolicy(attempts=1)) as session:
        with pytest.raises(BadRequestError) as caught:
            await run(session, api, [add])
        assert caught.value.messages is not None
        assert len(caught.value.messages) == 3
        assert caught.value.snapshot is not None
        gradient_emulator.reply("3")
        assert (await run(session, api, [add], **{api.conversation: caught.value.messages})).text == "3"


CHOICES: list[tuple[API, Any, Any]] = [
    (MESSAGES, {"type": "tool", "name": "add"}, {"type": "auto"}),
    (MESSAGES, {"type": "any", "disable_parallel_tool_use": True}, {"type": "auto", "disable_parallel_tool_use": True}),
    (MESSAGES, "any", {"type": "auto"}),
    (MESSAGES, {"type": "auto"}, {"type": "auto"}),
    (RESPONSES, "required", "auto"),
    (RESPONSES, {"type": "function", "name": "add"}, "auto"),
    (RESPONSES, "auto", "auto"),
    (CHAT, "required", "auto"),
]


@pytest.mark.parametrize(("api", "choice", "later"), CHOICES)
async def test_a_forced_tool_choice_holds_for_the_first_round(
    api: API, choice: Any, later: Any, gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply(tool_calls=[call("add", a=1, b=2)])
    gradient_emulator.reply("3")
    await run(gradient_session, api, [add], tool_choice=choice)
    assert [request.json["tool_choice"] for request in gradient_emulator.requests] == [choice, later]


def message_body(stop_reason: str, *blocks: dict[str, Any]) -> str:
    return json.dumps({"role": "assistant", "content": list(blocks), "stop_reason": stop_reason})


def tool_use(given: Any, **fields: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": "t", "name": "add", "input": given, **fields}


def function_call(arguments: str, **fields: Any) -> dict[str, Any]:
    return {"type": "function_call", "call_id": "c", "name": "add", "arguments": arguments, **fields}


def response_body(*items: dict[str, Any], **fields: Any) -> str:
    return json.dumps({"status": "completed", "output": list(items), **fields})


SUM = {"a": 1, "b": 2}


@pytest.mark.parametrize(
    ("api", "body", "expected"),
    [
        (MESSAGES, message_body("tool_use", tool_use(SUM, id=""), tool_use(SUM, id=None)), ["call00001", "call00002"]),
        (MESSAGES, message_body("tool_use", tool_use(SUM), tool_use(SUM)), ["t", "call00001"]),
        (RESPONSES, response_body(*[function_call('{"a": 1, "b": 2}', call_id="")] * 2), ["call00001", "call00002"]),
        (RESPONSES, response_body(*[function_call('{"a": 1, "b": 2}')] * 2), ["c", "call00001"]),
    ],
)
async def test_each_call_has_an_id_of_its_own_in_the_conversation_and_its_result(
    api: API, body: str, expected: list[str], gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply(body=body, content_type="application/json")
    gradient_emulator.reply("3")
    result = await run(gradient_session, api, [add])
    sent = gradient_emulator.requests[-1].json
    assert [id_ for id_, *_ in api.list_calls(sent)] == expected
    assert api.list_results(sent) == [(id_, "3") for id_ in expected]
    assert [step.call.id for step in result.steps] == expected


@pytest.mark.parametrize(
    ("api", "body"),
    [
        (MESSAGES, message_body("max_tokens", tool_use(SUM))),
        (MESSAGES, message_body("tool_use", tool_use('{"a": 1, "b'))),
        (RESPONSES, response_body(function_call('{"a": 1, "b'), status="incomplete")),
    ],
)
async def test_a_call_that_was_cut_off_is_not_run(
    api: API, body: str, gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply(body=body, content_type="application/json")
    gradient_emulator.reply("Sorry")
    (step,) = (await run(gradient_session, api, [add])).steps
    assert (step.ok, step.arguments, step.content) == (False, None, "Error: The arguments are not valid JSON.")


async def test_calls_that_the_service_ran_itself_are_not_run_again(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    search = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "Rome"}}
    found = {"type": "web_search_tool_result", "tool_use_id": "s", "content": []}
    body = message_body("end_turn", search, found, {"type": "text", "text": "Done."})
    gradient_emulator.reply(body=body, content_type="application/json")
    tools = [add, {"type": "web_search_20250305", "name": "web_search"}]
    result = await run(gradient_session, MESSAGES, tools)
    assert (result.text, result.steps) == ("Done.", [])
    assert gradient_emulator.requests[0].json["tools"][1] == tools[1]


@pytest.mark.parametrize(
    ("api", "options", "advice"),
    [
        (MESSAGES, {"tools": []}, "run_tools needs functions to run"),
        (MESSAGES, {"tools": [{"name": "f", "input_schema": {}}]}, "give the function instead of its description"),
        (MESSAGES, {"tools": [{"type": "custom", "name": "f"}]}, "give the function instead of its description"),
        (RESPONSES, {"tools": [{"type": "function", "name": "f"}]}, "give the function instead of its description"),
        (RESPONSES, {"tools": [add, add]}, "Two tools are called add"),
        (RESPONSES, {"tools": [add], "max_rounds": 0}, "at least 1"),
        (MESSAGES, {"tools": [add], "concurrency": 0}, "at least 1"),
        (MESSAGES, {"tools": [add], "stream": True}, "leave it out"),
        (MESSAGES, {"tools": [add], "messages": "Hi"}, "messages must be a list"),
        (RESPONSES, {"tools": [add], "input": None}, "input must be a list"),
    ],
)
async def test_an_invalid_call_of_run_tools_sends_nothing(
    api: API, options: dict[str, Any], advice: str, gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    with pytest.raises(ConfigurationError, match=advice):
        await run(gradient_session, api, **options)
    assert gradient_emulator.requests == []


@both_apis
async def test_the_messages_of_the_caller_stay_unchanged(
    api: API, gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply(tool_calls=[call("add", a=1, b=2)])
    gradient_emulator.reply("3")
    before = json.dumps(QUESTION)
    await run(gradient_session, api, [add])
    assert json.dumps(QUESTION) == before
