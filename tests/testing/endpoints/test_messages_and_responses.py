"""Messages and responses, as in the reference."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from gradient_async.testing import Emulator
from tests.support.emulator_client import EmulatorClient

MESSAGES, RESPONSES = "/v1/messages", "/v1/responses"
HI = [{"role": "user", "content": "Capital of Portugal?"}]
MESSAGE: dict[str, Any] = {"model": "m", "max_tokens": 50, "messages": HI}
RESPONSE: dict[str, Any] = {"model": "m", "input": "Capital of Portugal?"}
BOTH = [(MESSAGES, MESSAGE), (RESPONSES, RESPONSE)]
LISBON = "The capital of Portugal is Lisbon."


def frames(body: bytes) -> list[tuple[str, Any]]:
    """Return the name and the object of each event."""
    lines = [block.split("\n") for block in body.decode().split("\n\n") if block]
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in lines]


async def test_a_whole_message_has_the_documented_fields(client: EmulatorClient) -> None:
    response = (await client.send(MESSAGE, MESSAGES)).json
    assert response.keys() == {"id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "usage"}
    assert response["content"] == [{"type": "text", "text": LISBON}]
    assert response["usage"]["output_tokens"] == 7


async def test_a_whole_response_has_the_documented_fields(client: EmulatorClient) -> None:
    response = (await client.send(RESPONSE, RESPONSES)).json
    assert response.keys() >= {"id", "object", "created", "model", "output", "usage", "status"}
    assert response["output"][0]["content"][0]["text"] == LISBON
    assert response["usage"]["total_tokens"] == response["usage"]["input_tokens"] + response["usage"]["output_tokens"]


@pytest.mark.parametrize("stops", [["is", "no such words"], ["no such words", "is", "Lisbon"]])
async def test_a_message_names_the_stop_sequence_that_ended_it(client: EmulatorClient, stops: list[str]) -> None:
    whole = (await client.send({**MESSAGE, "stop_sequences": stops}, MESSAGES)).json
    assert (whole["stop_reason"], whole["stop_sequence"]) == ("stop_sequence", "is")
    assert whole["content"][0]["text"] == "The capital of Portugal "
    stream = await client.send({**MESSAGE, "stop_sequences": stops, "stream": True}, MESSAGES)
    (ending,) = [value["delta"] for name, value in frames(stream.body) if name == "message_delta"]
    assert ending == {"stop_reason": "stop_sequence", "stop_sequence": "is"}


async def test_a_message_without_its_stop_sequences_ends_by_itself(client: EmulatorClient) -> None:
    whole = (await client.send({**MESSAGE, "stop_sequences": ["no such words"]}, MESSAGES)).json
    assert (whole["stop_reason"], whole["stop_sequence"]) == ("end_turn", None)


@pytest.mark.parametrize(("path", "body"), BOTH)
async def test_every_event_is_named_by_its_type(client: EmulatorClient, path: str, body: dict[str, Any]) -> None:
    response = await client.send({**body, "stream": True}, path)
    assert response.headers["content-type"].startswith("text/event-stream")
    assert all(name == value["type"] for name, value in frames(response.body))


async def test_a_message_streams_in_the_documented_order(client: EmulatorClient) -> None:
    values = [value for _, value in frames((await client.send({**MESSAGE, "stream": True}, MESSAGES)).body)]
    kinds = [value["type"] for value in values]
    assert kinds[:3] == ["message_start", "content_block_start", "ping"]
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert "".join(value["delta"]["text"] for value in values[3:-3]) == LISBON
    assert values[-2]["usage"] == {"output_tokens": 7}


async def test_a_response_streams_in_the_documented_order(client: EmulatorClient) -> None:
    values = [value for _, value in frames((await client.send({**RESPONSE, "stream": True}, RESPONSES)).body)]
    assert [value["sequence_number"] for value in values] == list(range(len(values)))
    assert [value["type"] for value in values][:2] == ["response.created", "response.in_progress"]
    assert values[-1]["type"] == "response.completed"
    assert values[-1]["response"]["output"] == []
    deltas = [value["delta"] for value in values if value["type"] == "response.output_text.delta"]
    assert "".join(deltas) == LISBON


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"max_tokens": None}, "max_tokens must be an integer"),
        ({"max_tokens": 0}, "max_tokens must be at least 1"),
        ({"messages": []}, "messages must have at least 1"),
        ({"messages": [{"role": "system", "content": "x"}]}, "role must be one of user, assistant"),
        ({"messages": [{"role": "user"}]}, "messages[0].content is required"),
        ({"temperature": 1.5}, "temperature must be between 0 and 1"),
        ({"tools": [{"name": "f"}]}, "input_schema is required"),
        ({"speed": "slow"}, "speed must be one of standard, fast"),
    ],
)
async def test_a_malformed_message_is_refused_in_anthropics_envelope(
    client: EmulatorClient, change: dict[str, Any], message: str
) -> None:
    response = await client.send({**MESSAGE, **change}, MESSAGES)
    assert response.status == 400
    assert response.json["type"] == "error"
    assert response.json["error"]["type"] == "invalid_request_error"
    assert message in response.json["error"]["message"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"input": None}, "input must be a string or an array"),
        ({"input": []}, "input must have at least 1"),
        ({"input": [{"role": "robot", "content": "x"}]}, "role must be one of"),
        ({"max_output_tokens": 0}, "max_output_tokens must be at least 1"),
        ({"temperature": 3}, "temperature must be between 0 and 2"),
        ({"tools": [{}]}, "tools[0].type is required"),
        ({"tool_choice": "maybe"}, "tool_choice must be one of"),
    ],
)
async def test_a_malformed_response_is_refused(client: EmulatorClient, change: dict[str, Any], message: str) -> None:
    response = await client.send({**RESPONSE, **change}, RESPONSES)
    assert response.status == 400
    assert response.json["id"] == "bad_request"
    assert message in response.json["message"]


@pytest.mark.parametrize(("path", "body"), BOTH)
async def test_messages_and_responses_check_model_limit_key_and_method(
    new_client: Callable[[Emulator], Any], path: str, body: Any
) -> None:
    async with Emulator(strict_models=True, limits=[(2, 60.0)]) as emulator:
        client = new_client(emulator)
        assert (await client.send(body, path)).status == 404
        assert (await client.send({**body, "model": "openai-gpt-oss-20b"}, path)).status == 200
        assert (await client.send(body, path)).status == 429
        assert (await client.send(body, path, headers={})).status == 401
        assert (await client.send(body, path, method="GET")).status == 405


@pytest.mark.parametrize(("path", "body"), BOTH)
async def test_the_same_request_has_the_same_completion(client: EmulatorClient, path: str, body: Any) -> None:
    asked = {**body, ("messages" if path == MESSAGES else "input"): [{"role": "user", "content": "Tell me about tea"}]}
    first, second = [(await client.send(asked, path)).json for _ in range(2)]
    assert first["usage"] == second["usage"]
    text = [(response.get("content") or response["output"][0]["content"])[0]["text"] for response in (first, second)]
    assert text[0] == text[1] != LISBON


SCHEMA = {"type": "object", "properties": {"country": {"type": "string"}, "people": {"type": "integer"}}}


async def test_a_forced_tool_of_a_message_is_called_with_a_sample_of_its_schema(client: EmulatorClient) -> None:
    tools = [{"name": "look_up", "input_schema": {"type": "object"}}, {"name": "answer", "input_schema": SCHEMA}]
    choice = {"type": "tool", "name": "answer"}
    response = (await client.send({**MESSAGE, "tools": tools, "tool_choice": choice}, MESSAGES)).json
    assert (response["stop_reason"], response["content"][-1]["name"]) == ("tool_use", "answer")
    assert response["content"][-1]["input"].keys() == {"country", "people"}


async def test_a_tool_that_the_service_runs_needs_no_schema(client: EmulatorClient) -> None:
    search = {"type": "web_search_20250305", "name": "web_search"}
    response = await client.send({**MESSAGE, "tools": [search], "tool_choice": {"type": "any"}}, MESSAGES)
    assert response.json["content"] == [{"type": "text", "text": LISBON}]


async def test_a_turn_with_results_of_tools_is_answered_by_them(client: EmulatorClient) -> None:
    called = {"type": "tool_use", "id": "t", "name": "look_up", "input": {}}
    turns = [
        *HI,
        {"role": "assistant", "content": [called]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "Lisboa"}]},
    ]
    tools = [{"name": "look_up", "description": "Capital of Portugal", "input_schema": {"type": "object"}}]
    response = (await client.send({**MESSAGE, "messages": turns, "tools": tools}, MESSAGES)).json
    assert response["content"] == [{"type": "text", "text": "Here is what I found: Lisboa"}]


async def test_the_text_of_a_response_has_the_requested_schema(client: EmulatorClient) -> None:
    text = {"format": {"type": "json_schema", "name": "Answer", "schema": SCHEMA, "strict": True}}
    response = (await client.send({**RESPONSE, "text": text}, RESPONSES)).json
    assert json.loads(response["output"][0]["content"][0]["text"]).keys() == {"country", "people"}


async def test_an_unknown_format_of_the_text_is_refused(client: EmulatorClient) -> None:
    response = await client.send({**RESPONSE, "text": {"format": {"type": "yaml"}}}, RESPONSES)
    assert response.status == 400
    assert "text.format.type must be one of" in response.body.decode()
