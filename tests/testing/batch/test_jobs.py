"""Jobs: how they are created, what becomes of them and when."""

from __future__ import annotations

import asyncio
import re
import uuid

import pytest

from gradient_async.testing import Emulator

TERMINAL_TIMES = ("completed_at", "failed_at", "cancelled_at")


async def test_a_file_intent_has_an_id_and_a_url_on_another_host(calls, gradient):
    answer = await calls.api("POST", "/v1/batches/files", {"file_name": "Prompts.JSONL"})
    assert answer.status == 201
    assert uuid.UUID(answer.json["file_id"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", answer.json["expires_at"])
    assert answer.json["upload_url"].startswith("http://127.0.0.1:")
    assert not answer.json["upload_url"].startswith(gradient.url)


@pytest.mark.parametrize(
    ("body", "status"), [({"file_name": "a.json"}, 422), ({}, 422), ({"file_name": 1}, 422), (None, 400)]
)
async def test_a_file_intent_needs_a_jsonl_name(calls, body, status):
    answer = await calls.api("POST", "/v1/batches/files", body)
    assert (answer.status, answer.json["id"]) == (status, "bad_request" if status == 400 else "unprocessable_entity")


async def test_a_new_job_has_every_documented_field(calls, lines):
    job = await calls.submit(lines(2), metadata={"team": "x"})
    assert job["status"] == "validating"
    assert job["metadata"] == {"team": "x"}
    assert job["request_counts"] == {"total": 0, "completed": 0, "failed": 0}
    assert " ".join(job) == (
        "batch_id status provider endpoint completion_window input_file_id output_file_id error_file_id "
        "request_counts request_id metadata errors created_at expires_at in_progress_at finalizing_at "
        "completed_at cancelled_at failed_at"
    )


async def test_a_job_goes_through_every_status_in_order(calls, gradient, lines):
    seen = [await calls.submit(lines(10))]
    for _ in range(4):
        gradient.batches.advance()
        seen.append(await calls.get(seen[0]["batch_id"]))
    assert [job["status"] for job in seen] == ["validating", "in_progress", "finalizing", "completed", "completed"]
    assert [job["request_counts"]["completed"] for job in seen] == [0, 5, 10, 10, 10]
    assert [job["in_progress_at"] is not None for job in seen] == [False, True, True, True, True]
    assert [job["finalizing_at"] is not None for job in seen] == [False, False, True, True, True]
    assert [job["completed_at"] is not None for job in seen] == [False, False, False, True, True]


async def test_a_job_goes_with_the_clock(calls_of, lines):
    times = [1_000_000.0]
    async with Emulator(batch_seconds=100, clock=lambda: times[-1]) as gradient:
        gradient.batches.queued = True
        calls = calls_of(gradient)
        seen = [await calls.submit(lines(10))]
        for seconds in (15, 55, 95, 101):
            times.append(1_000_000.0 + seconds)
            seen.append(await calls.get(seen[0]["batch_id"]))
    assert [job["status"] for job in seen] == ["queued", "validating", "in_progress", "finalizing", "completed"]
    assert [job["request_counts"]["completed"] for job in seen] == [0, 0, 5, 10, 10]
    assert seen[-1]["completed_at"] == "1970-01-12T13:48:20Z"
    assert seen[-1]["expires_at"] == "1970-01-13T13:46:40Z"


async def test_a_job_takes_its_time_and_no_longer(calls_of, lines):
    async with Emulator(batch_seconds=0.1) as gradient:
        started = asyncio.get_running_loop().time()
        job, output, _ = await calls_of(gradient).run(lines(5))
        assert 0.1 <= asyncio.get_running_loop().time() - started < 5
    assert (job["status"], len(output)) == ("completed", 5)


MALFORMED = [
    ({"file_id": ...}, "file_id is required."),
    ({"provider": "meta"}, "provider must be one of openai, anthropic, got 'meta'."),
    ({"provider": ...}, "provider is required."),
    ({"endpoint": ...}, "endpoint is required."),
    ({"endpoint": None}, "endpoint must be a string, got null."),
    ({"endpoint": "/v1/messages"}, "endpoint must be one of /v1/chat/completions, /v1/embeddings, got '/v1/messages'"),
    ({"provider": "anthropic"}, "endpoint must be one of /v1/messages, got '/v1/chat/completions'."),
    ({"request_id": ...}, "request_id is required."),
    ({"request_id": ""}, "request_id must have a length of at least 1, got 0."),
    ({"completion_window": "48h"}, "completion_window must be one of 24h, got '48h'."),
    ({"completion_window": None}, "completion_window must be a string, got null."),
    ({"metadata": {"a": 1}}, "metadata['a'] must be a string, got integer."),
]


@pytest.mark.parametrize(("fields", "problem"), MALFORMED)
async def test_a_malformed_job_is_refused(calls, gradient, lines, fields, problem):
    answer = await calls.create(await calls.upload(lines(1)), **fields)
    assert (answer.status, answer.json["id"]) == (422, "unprocessable_entity")
    assert answer.json["message"].startswith("request payload validation failed: " + problem)
    assert gradient.batches.jobs == []


async def test_a_body_that_is_no_json_is_a_bad_request(calls, gradient):
    headers = {"Authorization": "Bearer key"}
    answer = await calls.send("POST", gradient.url + "/v1/batches", data=b"{", headers=headers)
    assert (answer.status, answer.json["message"]) == (400, "error parsing request body")


async def test_the_window_and_the_metadata_may_be_left_out_or_null(calls, lines):
    job = await calls.submit(lines(1), metadata=None, completion_window="24h")
    assert (job["completion_window"], job["metadata"]) == ("24h", None)


async def test_an_unknown_file_is_not_found(calls):
    answer = await calls.create(str(uuid.uuid4()))
    assert (answer.status, answer.json["id"]) == (404, "not_found")


async def test_a_file_that_was_not_uploaded_is_refused(calls, gradient):
    answer = await calls.create((await calls.intend())["file_id"])
    assert (answer.status, answer.json["id"]) == (409, "conflict")
    assert gradient.batches.jobs == []


async def test_the_same_request_id_is_the_same_job(calls, gradient, lines):
    first, again = await calls.submit(lines(1)), await calls.submit(lines(2))
    other = await calls.submit(lines(1), request_id="r-2")
    assert first["batch_id"] == again["batch_id"] != other["batch_id"]
    assert [job.request_id for job in gradient.batches.jobs] == ["r-1", "r-2"]
    assert gradient.batches.job("r-2").id == other["batch_id"]


async def test_a_key_is_needed(calls, gradient):
    for method, path in [("POST", "/v1/batches/files"), ("POST", "/v1/batches"), ("GET", "/v1/batches/x")]:
        answer = await calls.send(method, gradient.url + path)
        assert (answer.status, answer.json["id"]) == (401, "unauthorized")


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("GET", "/results"), ("POST", "/cancel")])
async def test_an_unknown_job_is_not_found(calls, method, path):
    answer = await calls.api(method, f"/v1/batches/{uuid.uuid4()}{path}")
    assert (answer.status, answer.json["message"]) == (404, "The resource you requested could not be found.")


async def test_jobs_are_listed_newest_first_page_by_page(calls, lines):
    ids = [(await calls.submit(lines(1), request_id=str(number)))["batch_id"] for number in range(5)]
    ids.reverse()
    first = (await calls.api("GET", "/v1/batches?limit=2")).json
    assert [job["batch_id"] for job in first["data"]] == ids[:2]
    assert (first["object"], first["first_id"], first["last_id"], first["has_more"]) == ("list", *ids[:2], True)
    last = (await calls.api("GET", f"/v1/batches?limit=3&after={ids[1]}")).json
    assert [job["batch_id"] for job in last["data"]] == ids[2:]
    assert last["has_more"] is False


async def test_an_empty_page_has_null_ids(calls):
    page = (await calls.api("GET", "/v1/batches")).json
    assert page == {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}


async def test_jobs_are_filtered_by_status(calls, gradient, lines):
    done = await calls.end((await calls.submit(lines(1)))["batch_id"])
    await calls.submit(lines(1), request_id="r-2")
    page = (await calls.api("GET", "/v1/batches?status=completed")).json
    assert [job["batch_id"] for job in page["data"]] == [done["batch_id"]]


@pytest.mark.parametrize("limit", ["0", "101", "x", "-1"])
async def test_a_limit_out_of_range_is_refused(calls, limit):
    assert (await calls.api("GET", f"/v1/batches?limit={limit}")).status == 400


async def test_twenty_jobs_are_a_page(calls, lines):
    file_id = await calls.upload(lines(1))
    for number in range(21):
        await calls.create(file_id, request_id=str(number))
    page = (await calls.api("GET", "/v1/batches")).json
    assert (len(page["data"]), page["has_more"]) == (20, True)


async def test_a_job_is_cancelled_with_what_it_has(calls, gradient, lines):
    job = await calls.submit(lines(10))
    gradient.batches.advance()
    answer = await calls.api("POST", f"/v1/batches/{job['batch_id']}/cancel")
    assert (answer.status, answer.json["status"]) == (200, "cancelling")
    again = await calls.api("POST", f"/v1/batches/{job['batch_id']}/cancel")
    assert (again.status, again.json["status"]) == (200, "cancelling")
    job = await calls.end(job["batch_id"])
    assert (job["status"], job["completed_at"]) == ("cancelled", None)
    assert job["cancelled_at"]
    assert job["request_counts"] == {"total": 10, "completed": 5, "failed": 0}
    output, errors = await calls.results(job["batch_id"])
    assert (len(output), len(errors)) == (5, 0)


async def test_a_job_cancelled_before_it_began_has_no_results(calls, gradient, lines):
    job = await calls.submit(lines(10))
    await calls.api("POST", f"/v1/batches/{job['batch_id']}/cancel")
    job = await calls.end(job["batch_id"])
    assert job["in_progress_at"] is None
    assert await calls.results(job["batch_id"]) == ([], [])


async def test_a_job_can_be_cancelled_while_its_input_is_read(calls_of, lines):
    async with Emulator() as gradient:
        calls = calls_of(gradient)
        wrong = {"custom_id": "wrong"}
        job = await calls.submit([wrong, *lines(5000)])
        assert not gradient.batches.jobs[0].execution.validated
        await calls.api("POST", f"/v1/batches/{job['batch_id']}/cancel")
        await gradient.batches.settled()
        job = await calls.end(job["batch_id"])
        assert (job["status"], job["errors"], job["in_progress_at"]) == ("cancelled", None, None)
        assert len(gradient.batches.jobs[0].execution.errors) == 1


async def test_a_job_may_take_no_time_at_all(calls_of, lines):
    async with Emulator(batch_seconds=0) as gradient:
        calls = calls_of(gradient)
        batch_id = (await calls.submit(lines(3)))["batch_id"]
        await gradient.batches.settled()
        assert (await calls.api("GET", f"/v1/batches/{batch_id}")).json["status"] == "completed"


async def test_a_finished_job_cannot_be_cancelled(calls, lines):
    job = await calls.end((await calls.submit(lines(1)))["batch_id"])
    answer = await calls.api("POST", f"/v1/batches/{job['batch_id']}/cancel")
    assert (answer.status, answer.json["id"]) == (409, "conflict")


async def test_a_job_expires_with_what_it_has(calls, gradient, lines):
    gradient.batches.expire(after=0.5)
    job, output, errors = await calls.run(lines(10))
    assert (job["status"], [job[name] for name in TERMINAL_TIMES]) == ("expired", [None] * 3)
    assert job["request_counts"] == {"total": 10, "completed": 5, "failed": 5}
    assert (len(output), len(errors)) == (5, 5)
    assert {error["error"]["code"] for error in errors} == {"batch_expired"}
    assert {error["response"] for error in errors} == {None}
    assert {found["custom_id"] for found in output + errors} == {f"id-{number}" for number in range(10)}


async def test_a_job_longer_than_its_window_expires(calls_of, lines):
    now = 0.0
    async with Emulator(batch_seconds=40_000, time_scale=4, clock=lambda: now) as gradient:
        calls = calls_of(gradient)
        job = await calls.submit(lines(10))
        now = 21_601.0
        assert (await calls.get(job["batch_id"]))["status"] == "expired"


async def test_an_unknown_status_is_shown_for_a_while(calls, gradient, lines):
    job = await calls.submit(lines(1))
    gradient.batches.show_status("warming_up", times=2)
    seen = [(await calls.get(job["batch_id"]))["status"] for _ in range(3)]
    assert seen == ["warming_up", "warming_up", "validating"]


async def test_leaving_stops_the_work_and_deletes_the_files(calls_of, lines):
    async with Emulator() as gradient:
        calls = calls_of(gradient)
        await calls.submit(lines(1) + [line | {"custom_id": f"x{n}"} for n in range(5000) for line in lines(1)])
        directory = gradient.storage.new_file().parent
        assert not gradient.batches.jobs[0].execution.done
    assert not directory.exists()
    assert len(asyncio.all_tasks()) == 1
