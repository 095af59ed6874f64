"""The execution of an input file: validation, order, results and sidecar."""

from __future__ import annotations

import json

import pytest

from gradient_async.testing import Emulator
from tests.support.emulator_client import (
    BatchClient,
    chat_line,
    chat_lines,
    encode_jsonl,
)


@pytest.mark.parametrize("count", [2, 3, 50, 600])
async def test_results_are_never_in_the_order_of_the_input(batch_client: BatchClient, count: int) -> None:
    _, output, _ = await batch_client.run(chat_lines(count))
    ids = [found["custom_id"] for found in output]
    assert ids != [f"id-{number}" for number in range(count)]
    assert sorted(ids) == sorted(f"id-{number}" for number in range(count))


async def test_failed_requests_are_in_the_sidecar(batch_client: BatchClient) -> None:
    given = [
        chat_line("ok"),
        chat_line("model", model="fail-1"),
        chat_line("body", temperature=9),
        chat_line("stream", stream=True),
    ]
    job, output, errors = await batch_client.run(given)
    assert job["request_counts"] == {"total": 4, "completed": 1, "failed": 3}
    assert job["error_file_id"] != job["output_file_id"]
    assert [found["custom_id"] for found in output] == ["ok"]
    found = {error["custom_id"]: error["response"] for error in errors}
    assert {name: response["status_code"] for name, response in found.items()} == {
        "model": 404,
        "body": 400,
        "stream": 400,
    }
    assert found["model"]["body"]["error"]["message"] == "The model 'fail-1' does not exist."
    assert [error["error"] for error in errors] == [None] * 3


async def test_without_a_success_there_is_no_output_file(batch_client: BatchClient) -> None:
    job = await batch_client.wait((await batch_client.submit([chat_line("a", model="fail-")]))["batch_id"])
    links = await batch_client.links(job["batch_id"])
    assert (job["status"], job["output_file_id"], links["output_file_url"]) == ("completed", None, None)
    assert job["error_file_id"]
    assert links["error_file_url"]
    assert links["result_available"] is True


async def test_without_a_failure_there_is_no_sidecar(batch_client: BatchClient) -> None:
    job = await batch_client.wait((await batch_client.submit(chat_lines(1)))["batch_id"])
    assert (job["error_file_id"], (await batch_client.links(job["batch_id"]))["error_file_url"]) == (None, None)


async def test_every_problem_of_the_input_is_listed_with_its_line(batch_client: BatchClient) -> None:
    wrong = [
        {name: value for name, value in chat_line("a").items() if name != "custom_id"},
        chat_line("b") | {"url": "/v1/embeddings"},
        chat_line("b"),
        chat_line("b"),
        chat_line("c") | {"method": "GET"},
        chat_line("d") | {"body": []},
        chat_line("") | {},
        5,
    ]
    raw = b"\n" + encode_jsonl(wrong) + b"{\r\n" + b"\xff\n" + b'{"custom_id": NaN}'
    job = await batch_client.wait((await batch_client.submit(raw))["batch_id"])
    assert (job["status"], job["in_progress_at"], job["request_counts"]["total"]) == ("failed", None, 0)
    assert job["failed_at"]
    assert {error["code"] for error in job["errors"]} == {"invalid_input_file"}
    assert [(error["line"], error["message"]) for error in job["errors"]] == [
        (2, "Line 2: missing required field 'custom_id'."),
        (3, "Line 3: url '/v1/embeddings' does not match the endpoint '/v1/chat/completions' of the batch."),
        (5, "Line 5: duplicate custom_id 'b'."),
        (6, "Line 6: method must be POST, got 'GET'."),
        (7, "Line 7: body must be an object."),
        (8, "Line 8: custom_id must be a string."),
        (9, "Line 9: expected a JSON object."),
        (10, "Line 10: invalid JSON."),
        (11, "Line 11: invalid JSON."),
        (12, "Line 12: invalid JSON."),
    ]
    response = await batch_client.call("GET", f"/v1/batches/{job['batch_id']}/results")
    assert response.status == 412


async def test_a_byte_order_mark_is_invalid_json(batch_client: BatchClient) -> None:
    job = await batch_client.wait(
        (await batch_client.submit(b"\xef\xbb\xbf" + encode_jsonl(chat_lines(1))))["batch_id"]
    )
    assert job["errors"][0]["message"] == "Line 1: invalid JSON."


async def test_blank_lines_crlf_and_a_missing_last_newline_are_accepted(batch_client: BatchClient) -> None:
    raw = (
        b"\r\n"
        + encode_jsonl([chat_line("a")]).replace(b"\n", b"\r\n")
        + b"\n\n"
        + encode_jsonl([chat_line("b", "a\u2028b")]).rstrip()
    )
    job, output, _ = await batch_client.run(raw)
    assert (job["status"], len(output)) == ("completed", 2)


@pytest.mark.parametrize(("size", "most"), [(0, 10), (3, 2)])
async def test_too_few_or_too_many_requests_are_refused(
    batch_client: BatchClient, gradient: Emulator, size: int, most: int
) -> None:
    gradient.batches.max_requests = most
    job = await batch_client.wait((await batch_client.submit(chat_lines(size)))["batch_id"])
    message = f"The file has {size} requests; 1 to {most} are allowed."
    assert job["errors"] == [{"code": "invalid_input_file", "message": message, "line": None}]


async def test_the_same_input_has_the_same_output(batch_client: BatchClient) -> None:
    outputs = [(await batch_client.run(chat_lines(20), request_id=name))[1] for name in ("x", "y")]
    choices = [{line["custom_id"]: line["response"]["body"]["choices"] for line in output} for output in outputs]
    assert choices[0] == choices[1]
    assert json.dumps(outputs[0]) != json.dumps(outputs[1])
