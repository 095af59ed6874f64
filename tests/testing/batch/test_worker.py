"""The results of single requests, in the format of each provider."""

from __future__ import annotations

import base64
import struct
from typing import Any, Literal

import pytest

from gradient_async.testing import Emulator
from tests.support.emulator_client import (
    BatchClient,
    EmulatorClient,
    NewBatchClient,
    chat_lines,
)

EMBED, RESPONSES = "/v1/embeddings", "/v1/responses"


def message_line(custom_id: str, **params: Any) -> dict[str, Any]:
    defaults = {"model": "claude", "max_tokens": 50, "messages": [{"role": "user", "content": "What is 2 + 2?"}]}
    return {"custom_id": custom_id, "params": defaults | params}


def embedding_line(custom_id: str, **body: Any) -> dict[str, Any]:
    return {"custom_id": custom_id, "method": "POST", "url": EMBED, "body": {"model": "e", "input": "x", **body}}


async def test_a_line_gets_the_response_of_the_chat_endpoint(batch_client: BatchClient, client: EmulatorClient) -> None:
    _, output, errors = await batch_client.run(chat_lines(3))
    assert errors == []
    for found in output:
        question = next(line for line in chat_lines(3) if line["custom_id"] == found["custom_id"])
        expected = (await client.send(question["body"])).json
        body = found["response"]["body"]
        assert (body["choices"], body["usage"]) == (expected["choices"], expected["usage"])
        assert body["object"] == "chat.completion"
    assert {tuple(found) for found in output} == {("id", "custom_id", "response", "error")}
    assert {found["response"]["status_code"] for found in output} == {200}
    assert len({found["response"]["request_id"] for found in output}) == 3


async def test_a_line_of_the_responses_endpoint_gets_its_response(
    batch_client: BatchClient, client: EmulatorClient
) -> None:
    bodies = {"a": {"model": "m", "input": "What is 2 + 2?"}, "b": {"model": "m", "input": "Why?", "stop": 7}}
    given = [{"custom_id": name, "method": "POST", "url": RESPONSES, "body": body} for name, body in bodies.items()]
    _, (found,), (refused,) = await batch_client.run(given, endpoint=RESPONSES)
    expected = (await client.send(bodies["a"], path=RESPONSES)).json
    said = found["response"]["body"]
    assert (said["object"], said["status"], said["usage"]) == ("response", "completed", expected["usage"])
    assert said["output"][0]["content"] == expected["output"][0]["content"]
    assert (refused["custom_id"], refused["response"]["status_code"]) == ("b", 400)


async def test_anthropic_lines_get_messages(batch_client: BatchClient) -> None:
    given = [message_line("a"), message_line("b", max_tokens=2, system=[{"type": "text", "text": "Be brief."}])]
    _, output, _ = await batch_client.run(given, provider="anthropic", endpoint="/v1/messages")
    found = {line["custom_id"]: line["result"] for line in output}
    assert {result["type"] for result in found.values()} == {"succeeded"}
    said = found["a"]["message"]
    assert (said["type"], said["role"], said["model"]) == ("message", "assistant", "claude")
    assert said["content"] == [{"type": "text", "text": "2 + 2 is 4."}]
    assert (said["stop_reason"], said["usage"]["output_tokens"]) == ("end_turn", 6)
    assert found["b"]["message"]["stop_reason"] == "max_tokens"


async def test_an_anthropic_line_with_tools_gets_a_tool_call(batch_client: BatchClient) -> None:
    tool = {"name": "weather", "description": "The weather of a city", "input_schema": {"type": "object"}}
    said = [{"role": "user", "content": [{"type": "text", "text": "weather in Lisbon?"}]}]
    given = [message_line("a", tools=[tool], messages=said)]
    _, output, _ = await batch_client.run(given, provider="anthropic", endpoint="/v1/messages")
    response = output[0]["result"]["message"]
    assert response["stop_reason"] == "tool_use"
    assert (response["content"][0]["type"], response["content"][0]["name"]) == ("tool_use", "weather")


async def test_failed_anthropic_lines_are_errored_results(batch_client: BatchClient) -> None:
    given = [message_line("a"), message_line("b", model="fail-x"), message_line("c", max_tokens=0)]
    _, _, errors = await batch_client.run(given, provider="anthropic", endpoint="/v1/messages")
    found = {line["custom_id"]: line["result"] for line in errors}
    assert {result["type"] for result in found.values()} == {"errored"}
    assert found["b"]["error"]["error"]["type"] == "not_found_error"
    assert found["c"]["error"]["type"] == "error"


@pytest.mark.parametrize(("ending", "kind"), [("expire", "expired"), ("cancel", "canceled")])
async def test_unfinished_anthropic_lines_are_expired_or_canceled_results(
    batch_client: BatchClient, gradient: Emulator, ending: str, kind: str
) -> None:
    if ending == "expire":
        gradient.batches.expire(after=0.5)
    given = [message_line(f"m{number}") for number in range(4)]
    job = await batch_client.submit(given, provider="anthropic", endpoint="/v1/messages")
    if ending == "cancel":
        gradient.batches.advance()
        await batch_client.cancel(job["batch_id"])
    await batch_client.wait(job["batch_id"])
    output, rest = await batch_client.results(job["batch_id"])
    assert (len(output), [line["result"] for line in rest]) == (2, [{"type": kind}] * 2)


@pytest.mark.parametrize(("mode", "status"), [("required", 422), ("forbidden", 201)])
async def test_the_endpoint_of_an_anthropic_job_is_required_or_forbidden(
    new_batch_client: NewBatchClient, mode: Literal["required", "forbidden"], status: int
) -> None:
    async with Emulator(anthropic_endpoint=mode) as gradient:
        batch_client = new_batch_client(gradient)
        file_id = await batch_client.upload([message_line("a")])
        response = await batch_client.create(file_id, provider="anthropic", endpoint=..., request_id="1")
        assert response.status == status
        response = await batch_client.create(file_id, provider="anthropic", endpoint="/v1/messages", request_id="2")
        assert response.status == (201 if mode == "required" else 422)


async def test_embeddings_are_deterministic_unit_vectors(batch_client: BatchClient) -> None:
    given = [
        embedding_line("one"),
        embedding_line("many", input=["x", "y"]),
        embedding_line("packed", encoding_format="base64"),
        embedding_line("wrong", input=5),
    ]
    _, output, errors = await batch_client.run(given, endpoint=EMBED)
    found = {line["custom_id"]: line["response"]["body"]["data"] for line in output}
    vector = found["one"][0]["embedding"]
    assert sum(number * number for number in vector) == pytest.approx(1, abs=1e-4)
    assert [item["index"] for item in found["many"]] == [0, 1]
    assert found["many"][0]["embedding"] == vector != found["many"][1]["embedding"]
    raw = base64.b64decode(found["packed"][0]["embedding"])
    assert struct.unpack(f"<{len(raw) // 4}f", raw) == pytest.approx(vector)
    assert [line["custom_id"] for line in errors] == ["wrong"]
