"""What a job answers: output, sidecar, links, and input files that are wrong."""

from __future__ import annotations

import asyncio
import base64
import json
import struct
import time

import pytest

from gradient_async.testing import Emulator

EMBED = "/v1/embeddings"


def message(custom_id, **params):
    defaults = {"model": "claude", "max_tokens": 50, "messages": [{"role": "user", "content": "What is 2 + 2?"}]}
    return {"custom_id": custom_id, "params": defaults | params}


def embedding(custom_id, **body):
    return {"custom_id": custom_id, "method": "POST", "url": EMBED, "body": {"model": "e", "input": "x", **body}}


async def test_each_request_is_answered_by_the_chat(calls, client, lines):
    _, output, errors = await calls.run(lines(3))
    assert errors == []
    for found in output:
        question = next(line for line in lines(3) if line["custom_id"] == found["custom_id"])
        expected = (await client.send(question["body"])).json
        body = found["response"]["body"]
        assert (body["choices"], body["usage"]) == (expected["choices"], expected["usage"])
        assert body["object"] == "chat.completion"
    assert {tuple(found) for found in output} == {("id", "custom_id", "response", "error")}
    assert {found["response"]["status_code"] for found in output} == {200}
    assert len({found["response"]["request_id"] for found in output}) == 3


@pytest.mark.parametrize("count", [2, 3, 50, 600])
async def test_results_are_never_in_the_order_of_the_input(calls, lines, count):
    _, output, _ = await calls.run(lines(count))
    ids = [found["custom_id"] for found in output]
    assert ids != [f"id-{number}" for number in range(count)]
    assert sorted(ids) == sorted(f"id-{number}" for number in range(count))


async def test_failed_requests_are_in_the_sidecar(calls, line):
    given = [
        line("ok"),
        line("model", model="fail-1"),
        line("body", temperature=9),
        line("stream", stream=True),
    ]
    job, output, errors = await calls.run(given)
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


async def test_without_a_success_there_is_no_output_file(calls, line):
    job = await calls.end((await calls.submit([line("a", model="fail-")]))["batch_id"])
    links = await calls.links(job["batch_id"])
    assert (job["status"], job["output_file_id"], links["output_file_url"]) == ("completed", None, None)
    assert job["error_file_id"]
    assert links["error_file_url"]
    assert links["result_available"] is True


async def test_without_a_failure_there_is_no_sidecar(calls, lines):
    job = await calls.end((await calls.submit(lines(1)))["batch_id"])
    assert (job["error_file_id"], (await calls.links(job["batch_id"]))["error_file_url"]) == (None, None)


async def test_a_request_fails_on_demand_once(calls, gradient, lines):
    gradient.batches.fail_line("id-1", status=503, code="busy", message="Busy.")
    gradient.batches.fail_line("id-2", status=None, message="Gone.")
    _, output, errors = await calls.run(lines(4))
    found = {error["custom_id"]: error for error in errors}
    assert found["id-1"]["response"]["status_code"] == 503
    assert found["id-1"]["response"]["body"] == {"error": {"type": "api_error", "message": "Busy.", "code": "busy"}}
    assert (found["id-2"]["response"], found["id-2"]["error"]) == (None, {"code": "server_error", "message": "Gone."})
    assert len(output) == 2
    _, output, errors = await calls.run(lines(4), request_id="again")
    assert (len(output), len(errors)) == (4, 0)


async def test_a_request_is_lost_on_demand(calls, gradient, lines):
    gradient.batches.drop_line("id-1")
    _, output, errors = await calls.run(lines(3))
    assert ({found["custom_id"] for found in output}, errors) == ({"id-0", "id-2"}, [])


async def test_messages_are_answered_in_the_shape_of_their_provider(calls):
    given = [message("a"), message("b", max_tokens=2, system=[{"type": "text", "text": "Be brief."}])]
    _, output, _ = await calls.run(given, provider="anthropic", endpoint="/v1/messages")
    found = {line["custom_id"]: line["result"] for line in output}
    assert {result["type"] for result in found.values()} == {"succeeded"}
    said = found["a"]["message"]
    assert (said["type"], said["role"], said["model"]) == ("message", "assistant", "claude")
    assert said["content"] == [{"type": "text", "text": "2 + 2 is 4."}]
    assert (said["stop_reason"], said["usage"]["output_tokens"]) == ("end_turn", 6)
    assert found["b"]["message"]["stop_reason"] == "max_tokens"


async def test_a_message_can_be_a_tool_call(calls):
    tool = {"name": "weather", "description": "The weather of a city", "input_schema": {"type": "object"}}
    said = [{"role": "user", "content": [{"type": "text", "text": "weather in Lisbon?"}]}]
    given = [message("a", tools=[tool], messages=said)]
    _, output, _ = await calls.run(given, provider="anthropic", endpoint="/v1/messages")
    answer = output[0]["result"]["message"]
    assert answer["stop_reason"] == "tool_use"
    assert (answer["content"][0]["type"], answer["content"][0]["name"]) == ("tool_use", "weather")


async def test_failed_messages_are_errored_results(calls):
    given = [message("a"), message("b", model="fail-x"), message("c", max_tokens=0)]
    _, _, errors = await calls.run(given, provider="anthropic", endpoint="/v1/messages")
    found = {line["custom_id"]: line["result"] for line in errors}
    assert {result["type"] for result in found.values()} == {"errored"}
    assert found["b"]["error"]["error"]["type"] == "not_found_error"
    assert found["c"]["error"]["type"] == "error"


@pytest.mark.parametrize(("ending", "kind"), [("expire", "expired"), ("cancel", "canceled")])
async def test_unfinished_messages_say_so(calls, gradient, ending, kind):
    if ending == "expire":
        gradient.batches.expire(after=0.5)
    given = [message(f"m{number}") for number in range(4)]
    job = await calls.submit(given, provider="anthropic", endpoint="/v1/messages")
    if ending == "cancel":
        gradient.batches.advance()
        await calls.api("POST", f"/v1/batches/{job['batch_id']}/cancel")
    await calls.end(job["batch_id"])
    output, rest = await calls.results(job["batch_id"])
    assert (len(output), [line["result"] for line in rest]) == (2, [{"type": kind}] * 2)


@pytest.mark.parametrize(("mode", "status"), [("required", 422), ("forbidden", 201)])
async def test_whether_the_endpoint_of_messages_is_needed_can_be_chosen(calls_of, mode, status):
    async with Emulator(anthropic_endpoint=mode) as gradient:
        calls = calls_of(gradient)
        file_id = await calls.upload([message("a")])
        answer = await calls.create(file_id, provider="anthropic", endpoint=..., request_id="1")
        assert answer.status == status
        answer = await calls.create(file_id, provider="anthropic", endpoint="/v1/messages", request_id="2")
        assert answer.status == (201 if mode == "required" else 422)


async def test_embeddings_are_deterministic_unit_vectors(calls):
    given = [
        embedding("one"),
        embedding("many", input=["x", "y"]),
        embedding("packed", encoding_format="base64"),
        embedding("wrong", input=5),
    ]
    _, output, errors = await calls.run(given, endpoint=EMBED)
    found = {line["custom_id"]: line["response"]["body"]["data"] for line in output}
    vector = found["one"][0]["embedding"]
    assert sum(number * number for number in vector) == pytest.approx(1, abs=1e-4)
    assert [item["index"] for item in found["many"]] == [0, 1]
    assert found["many"][0]["embedding"] == vector != found["many"][1]["embedding"]
    raw = base64.b64decode(found["packed"][0]["embedding"])
    assert struct.unpack(f"<{len(raw) // 4}f", raw) == pytest.approx(vector)
    assert [line["custom_id"] for line in errors] == ["wrong"]


async def test_every_fault_of_the_input_is_listed_with_its_line(calls, line, dump):
    wrong = [
        {name: value for name, value in line("a").items() if name != "custom_id"},
        line("b") | {"url": "/v1/embeddings"},
        line("b"),
        line("b"),
        line("c") | {"method": "GET"},
        line("d") | {"body": []},
        line("") | {},
        5,
    ]
    raw = b"\n" + dump(wrong) + b"{\r\n" + b"\xff\n" + b'{"custom_id": NaN}'
    job = await calls.end((await calls.submit(raw))["batch_id"])
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
    answer = await calls.api("GET", f"/v1/batches/{job['batch_id']}/results")
    assert answer.status == 412


async def test_a_byte_order_mark_is_no_json(calls, lines, dump):
    job = await calls.end((await calls.submit(b"\xef\xbb\xbf" + dump(lines(1))))["batch_id"])
    assert job["errors"][0]["message"] == "Line 1: invalid JSON."


async def test_blank_lines_crlf_and_a_missing_last_newline_are_fine(calls, line, dump):
    raw = b"\r\n" + dump([line("a")]).replace(b"\n", b"\r\n") + b"\n\n" + dump([line("b", "a\u2028b")]).rstrip()
    job, output, _ = await calls.run(raw)
    assert (job["status"], len(output)) == ("completed", 2)


@pytest.mark.parametrize(("size", "most"), [(0, 10), (3, 2)])
async def test_too_few_or_too_many_requests_are_refused(calls, gradient, lines, size, most):
    gradient.batches.max_requests = most
    job = await calls.end((await calls.submit(lines(size)))["batch_id"])
    message = f"The file has {size} requests; 1 to {most} are allowed."
    assert job["errors"] == [{"code": "invalid_input_file", "message": message, "line": None}]


async def test_results_that_are_not_ready_are_a_precondition_or_a_flag(calls, gradient, lines):
    job = await calls.submit(lines(1))
    path = f"/v1/batches/{job['batch_id']}/results"
    answer = await calls.api("GET", path)
    assert (answer.status, answer.json["id"]) == (412, "precondition_failed")
    gradient.batches.not_ready = "flag"
    answer = await calls.api("GET", path)
    assert (answer.status, answer.json["result_available"]) == (200, False)


async def test_results_can_be_late(calls, gradient, lines):
    gradient.batches.late = 2
    job = await calls.end((await calls.submit(lines(1)))["batch_id"])
    asked = [await calls.api("GET", f"/v1/batches/{job['batch_id']}/results") for _ in range(3)]
    assert [answer.status for answer in asked] == [412, 412, 200]


async def test_links_can_be_expired_and_asked_for_again(calls, gradient, lines):
    job = await calls.end((await calls.submit(lines(1)))["batch_id"])
    old = await calls.links(job["batch_id"])
    gradient.storage.expire()
    answer = await calls.send("GET", old["output_file_url"])
    assert (answer.status, b"Request has expired" in answer.body) == (403, True)
    assert len((await calls.results(job["batch_id"]))[0]) == 1


async def test_the_captured_shape(calls_of, lines, line):
    async with Emulator(batch_shape="captured", batch_seconds=None) as gradient:
        calls = calls_of(gradient)
        job = await calls.submit([*lines(3), line("bad", model="fail-")], request_id="postman-1")
        assert job["status"] == "queued"
        assert " ".join(job) == (
            "batch_id cancel_requested_at completion_window created_at expires_at file_id provider "
            "request_counts request_id result_available status updated_at"
        )
        job = await calls.end(job["batch_id"])
        assert job["result_available"] is True
        links = await calls.links(job["batch_id"])
        assert set(links) == {"download", "output_file_id"}
        assert links["download"]["expires_at"][-11] == "."
        found = (await calls.send("GET", links["download"]["presigned_url"])).lines
        assert len(found) == 4


async def test_the_captured_shape_has_opaque_cursors(calls_of, lines):
    async with Emulator(batch_shape="captured") as gradient:
        calls = calls_of(gradient)
        ids = [(await calls.submit(lines(1), request_id=str(number)))["batch_id"] for number in range(3)]
        page = (await calls.api("GET", "/v1/batches?limit=2")).json
        assert [edge["node"]["batch_id"] for edge in page["edges"]] == ids[:0:-1]
        assert page["page_info"]["hasNextPage"] is True
        cursor = page["page_info"]["endCursor"].replace("=", "%3D")
        page = (await calls.api("GET", f"/v1/batches?limit=2&after={cursor}")).json
        assert [edge["node"]["batch_id"] for edge in page["edges"]] == ids[:1]
        assert (await calls.api("GET", "/v1/batches?after=nonsense")).json["edges"] == []


async def test_the_captured_shape_cancels_at_once(calls_of, lines):
    async with Emulator(batch_shape="captured", batch_seconds=None) as gradient:
        calls = calls_of(gradient)
        job = await calls.submit(lines(3))
        answer = await calls.api("POST", f"/v1/batches/{job['batch_id']}/cancel")
        assert (answer.json["status"], answer.json["cancel_requested_at"] is not None) == ("cancelled", True)


async def test_a_large_job_leaves_the_loop_free(calls_of, lines):
    async with Emulator(batch_seconds=0.01) as gradient:
        calls = calls_of(gradient)
        await calls.run(lines(1))
        file_id = await calls.upload(lines(20_000))
        await calls.create(file_id, request_id="large")
        gaps = []
        while not gradient.batches.job("large").finished:
            started = time.perf_counter()
            await asyncio.sleep(0)
            gaps.append(time.perf_counter() - started)
        assert gradient.batches.job("large").snapshot().counts["completed"] == 20_000
        assert sorted(gaps)[int(len(gaps) * 0.95)] < 0.02


async def test_cancelling_work_that_still_runs_keeps_what_is_done(calls_of, lines):
    async with Emulator(batch_seconds=0.02) as gradient:
        calls = calls_of(gradient)
        job = await calls.submit(lines(3000))
        while (await calls.get(job["batch_id"]))["request_counts"]["completed"] < 100:
            await asyncio.sleep(0.002)
        await calls.api("POST", f"/v1/batches/{job['batch_id']}/cancel")
        await gradient.batches.settled()
        job = await calls.end(job["batch_id"])
        output, _ = await calls.results(job["batch_id"])
        assert len(output) == job["request_counts"]["completed"] < 3000


async def test_the_same_input_has_the_same_output(calls, lines):
    outputs = [(await calls.run(lines(20), request_id=name))[1] for name in ("x", "y")]
    answers = [{line["custom_id"]: line["response"]["body"]["choices"] for line in output} for output in outputs]
    assert answers[0] == answers[1]
    assert json.dumps(outputs[0]) != json.dumps(outputs[1])
