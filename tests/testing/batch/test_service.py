"""The batch endpoints: file intents, creation, listing, cancellation, results."""

from __future__ import annotations

import itertools
import re
import uuid

import pytest

from gradient_async.testing import Emulator
from tests.support.emulator_client import (
    CHAT,
    BatchClient,
    NewBatchClient,
    RawResponse,
    chat_lines,
    encode_jsonl,
)


async def test_a_file_intent_has_an_id_and_a_url_on_another_host(batch_client: BatchClient, gradient: Emulator) -> None:
    response = await batch_client.call("POST", "/v1/batches/files", {"file_name": "Prompts.JSONL"})
    assert response.status == 201
    assert str(uuid.UUID(response.json["file_id"])) == response.json["file_id"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", response.json["expires_at"])
    assert response.json["upload_url"].startswith("http://127.0.0.1:")
    assert not response.json["upload_url"].startswith(gradient.url)


async def test_a_new_job_has_every_documented_field(batch_client: BatchClient) -> None:
    job = await batch_client.submit(chat_lines(2), metadata={"team": "x"})
    assert job["status"] == "validating"
    assert job["metadata"] == {"team": "x"}
    assert job["request_counts"] == {"total": 0, "completed": 0, "failed": 0}
    assert " ".join(job) == (
        "batch_id status provider endpoint completion_window input_file_id output_file_id error_file_id "
        "request_counts request_id metadata errors created_at expires_at in_progress_at finalizing_at "
        "completed_at cancelled_at failed_at"
    )


async def test_an_unknown_file_is_not_found(batch_client: BatchClient) -> None:
    response = await batch_client.create(str(uuid.uuid4()))
    assert (response.status, response.json["id"]) == (404, "not_found")


async def test_a_file_that_was_not_uploaded_is_refused(batch_client: BatchClient, gradient: Emulator) -> None:
    response = await batch_client.create((await batch_client.create_intent())["file_id"])
    assert (response.status, response.json["id"]) == (409, "conflict")
    assert gradient.batches.jobs == []


async def test_the_same_request_id_is_the_same_job(batch_client: BatchClient, gradient: Emulator) -> None:
    first, again = await batch_client.submit(chat_lines(1)), await batch_client.submit(chat_lines(2))
    other = await batch_client.submit(chat_lines(1), request_id="r-2")
    assert first["batch_id"] == again["batch_id"] != other["batch_id"]
    assert [job.request_id for job in gradient.batches.jobs] == ["r-1", "r-2"]
    assert gradient.batches.job("r-2").id == other["batch_id"]


async def test_a_batch_call_without_a_key_is_unauthorized(batch_client: BatchClient, gradient: Emulator) -> None:
    for method, path in [("POST", "/v1/batches/files"), ("POST", "/v1/batches"), ("GET", "/v1/batches/x")]:
        response = await batch_client.send(method, gradient.url + path)
        assert (response.status, response.json["id"]) == (401, "unauthorized")


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("GET", "/results"), ("POST", "/cancel")])
async def test_an_unknown_job_is_not_found(batch_client: BatchClient, method: str, path: str) -> None:
    response = await batch_client.call(method, f"/v1/batches/{uuid.uuid4()}{path}")
    assert (response.status, response.json["message"]) == (404, "The resource you requested could not be found.")


async def test_jobs_are_listed_newest_first_page_by_page(batch_client: BatchClient) -> None:
    ids = [(await batch_client.submit(chat_lines(1), request_id=str(number)))["batch_id"] for number in range(5)]
    ids.reverse()
    first = (await batch_client.call("GET", "/v1/batches?limit=2")).json
    assert [job["batch_id"] for job in first["data"]] == ids[:2]
    assert (first["object"], first["first_id"], first["last_id"], first["has_more"]) == ("list", *ids[:2], True)
    last = (await batch_client.call("GET", f"/v1/batches?limit=3&after={ids[1]}")).json
    assert [job["batch_id"] for job in last["data"]] == ids[2:]
    assert last["has_more"] is False


async def test_an_empty_page_has_null_ids(batch_client: BatchClient) -> None:
    page = (await batch_client.call("GET", "/v1/batches")).json
    assert page == {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}


async def test_a_job_that_changes_its_status_during_a_call_is_listed(new_batch_client: NewBatchClient) -> None:
    seconds = itertools.count(1_000_000.0, step=10)
    async with Emulator(batch_seconds=1000, clock=lambda: next(seconds)) as gradient:
        batch_client = new_batch_client(gradient)
        await batch_client.submit(chat_lines(1))
        pages = [(await batch_client.call("GET", "/v1/batches")).json["data"] for _ in range(12)]
    assert [len(page) for page in pages] == [1] * 12
    assert len({page[0]["status"] for page in pages}) > 1


async def test_jobs_are_filtered_by_status(batch_client: BatchClient, gradient: Emulator) -> None:
    done = await batch_client.wait((await batch_client.submit(chat_lines(1)))["batch_id"])
    await batch_client.submit(chat_lines(1), request_id="r-2")
    page = (await batch_client.call("GET", "/v1/batches?status=completed")).json
    assert [job["batch_id"] for job in page["data"]] == [done["batch_id"]]


async def test_twenty_jobs_are_a_page(batch_client: BatchClient) -> None:
    file_id = await batch_client.upload(chat_lines(1))
    for number in range(21):
        await batch_client.create(file_id, request_id=str(number))
    page = (await batch_client.call("GET", "/v1/batches")).json
    assert (len(page["data"]), page["has_more"]) == (20, True)


async def test_unavailable_results_are_a_412_or_a_flag(batch_client: BatchClient, gradient: Emulator) -> None:
    job = await batch_client.submit(chat_lines(1))
    path = f"/v1/batches/{job['batch_id']}/results"
    response = await batch_client.call("GET", path)
    assert (response.status, response.json["id"]) == (412, "precondition_failed")
    gradient.batches.not_ready = "flag"
    response = await batch_client.call("GET", path)
    assert (response.status, response.json["result_available"]) == (200, False)


async def test_expired_links_are_replaced_by_the_next_call(batch_client: BatchClient, gradient: Emulator) -> None:
    job = await batch_client.wait((await batch_client.submit(chat_lines(1)))["batch_id"])
    old = await batch_client.links(job["batch_id"])
    gradient.storage.expire()
    response = await batch_client.send("GET", old["output_file_url"])
    assert (response.status, b"Request has expired" in response.body) == (403, True)
    assert len((await batch_client.results(job["batch_id"]))[0]) == 1


async def test_a_key_sees_only_its_own_files_and_jobs(batch_client: BatchClient, gradient: Emulator) -> None:
    file = await batch_client.upload(chat_lines(1))
    mine = (await batch_client.create(file)).json["batch_id"]

    async def call(method: str, path: str, body: object = None) -> RawResponse:
        headers = {"Authorization": "Bearer another"}
        return await batch_client.send(method, gradient.url + path, json=body, headers=headers)

    creation = {"file_id": file, "provider": "openai", "endpoint": "/v1/chat/completions", "request_id": "r-1"}
    paths = [
        ("GET", f"/v1/batches/{mine}"),
        ("GET", f"/v1/batches/{mine}/results"),
        ("POST", f"/v1/batches/{mine}/cancel"),
    ]
    assert [(await call(*each)).status for each in paths] == [404, 404, 404]
    assert (await call("POST", "/v1/batches", creation)).status == 404
    assert (await call("GET", "/v1/batches")).json["data"] == []
    assert (await batch_client.retrieve(mine))["status"] == "validating"
    assert gradient.batches.job("r-1").key == "key"


async def test_the_same_request_id_of_another_key_is_another_job(batch_client: BatchClient, gradient: Emulator) -> None:
    first = await batch_client.submit(chat_lines(1))
    headers = {"Authorization": "Bearer another"}
    intent = await batch_client.send(
        "POST", f"{gradient.url}/v1/batches/files", json={"file_name": "in.jsonl"}, headers=headers
    )
    await batch_client.put(intent.json["upload_url"], encode_jsonl(chat_lines(1)))
    creation = {"file_id": intent.json["file_id"], "provider": "openai", "endpoint": CHAT, "request_id": "r-1"}
    other = await batch_client.send("POST", f"{gradient.url}/v1/batches", json=creation, headers=headers)
    assert (other.status, other.json["batch_id"] != first["batch_id"]) == (201, True)
