"""Scripted faults of batch calls and lines."""

from __future__ import annotations

import aiohttp
import pytest

from gradient_async.testing import Emulator
from tests.support.emulator_client import BatchClient, EmulatorClient, chat_lines


async def test_a_job_is_created_although_its_response_is_lost(batch_client: BatchClient, gradient: Emulator) -> None:
    file_id = await batch_client.upload(chat_lines(1))
    gradient.batches.lose_answer()
    with pytest.raises(aiohttp.ClientConnectionError):
        await batch_client.create(file_id)
    assert len(gradient.batches.jobs) == 1
    again = await batch_client.create(file_id)
    assert (again.status, again.json["batch_id"]) == (201, gradient.batches.jobs[0].id)
    assert len(gradient.batches.jobs) == 1


async def test_only_a_post_of_that_path_loses_its_response(batch_client: BatchClient, gradient: Emulator) -> None:
    gradient.batches.lose_answer()
    assert (await batch_client.call("GET", "/v1/batches")).status == 200
    assert await batch_client.upload(chat_lines(1))


async def test_the_status_of_a_replayed_create_call_can_be_set(batch_client: BatchClient, gradient: Emulator) -> None:
    gradient.batches.replay_status = 200
    file_id = await batch_client.upload(chat_lines(1))
    assert [(await batch_client.create(file_id)).status for _ in range(2)] == [201, 200]


async def test_a_failing_create_call_creates_no_job(batch_client: BatchClient, gradient: Emulator) -> None:
    file_id = await batch_client.upload(chat_lines(1))
    gradient.fail(500, path="/v1/batches")
    assert (await batch_client.create(file_id)).status == 500
    gradient.reset(path="/v1/batches")
    with pytest.raises(aiohttp.ClientConnectionError):
        await batch_client.create(file_id)
    assert gradient.batches.jobs == []


@pytest.mark.parametrize("status", [429, 500, 502])
async def test_a_poll_fails_once(batch_client: BatchClient, gradient: Emulator, status: int) -> None:
    job = await batch_client.submit(chat_lines(1))
    gradient.fail(status, path="/v1/batches/*")
    responses = [await batch_client.call("GET", f"/v1/batches/{job['batch_id']}") for _ in range(2)]
    assert [response.status for response in responses] == [status, 200]


async def test_a_poll_is_reset_once(batch_client: BatchClient, gradient: Emulator) -> None:
    job = await batch_client.submit(chat_lines(1))
    gradient.reset(path="/v1/batches/*")
    with pytest.raises(aiohttp.ClientConnectionError):
        await batch_client.retrieve(job["batch_id"])
    assert (await batch_client.retrieve(job["batch_id"]))["status"] == "validating"


async def test_a_cancel_call_can_be_refused_once(batch_client: BatchClient, gradient: Emulator) -> None:
    job = await batch_client.submit(chat_lines(1))
    gradient.fail(409, path="/v1/batches/*/cancel")
    path = f"/v1/batches/{job['batch_id']}/cancel"
    responses = [await batch_client.call("POST", path) for _ in range(2)]
    assert [(response.status, response.json.get("status")) for response in responses] == [
        (409, None),
        (200, "cancelling"),
    ]


async def test_a_scripted_reply_is_not_used_up_by_a_line(
    batch_client: BatchClient, gradient: Emulator, client: EmulatorClient
) -> None:
    gradient.reply("Scripted")
    await batch_client.run(chat_lines(2))
    assert (await client.ask()).content == "Scripted"


async def test_a_forbidden_call_is_scripted(batch_client: BatchClient, gradient: Emulator) -> None:
    gradient.fail(403, path="/v1/batches*")
    response = await batch_client.call("GET", "/v1/batches")
    assert (response.status, response.json["id"]) == (403, "forbidden")


async def test_a_scripted_status_is_shown_for_some_calls(batch_client: BatchClient, gradient: Emulator) -> None:
    job = await batch_client.submit(chat_lines(1))
    gradient.batches.show_status("warming_up", times=2)
    seen = [(await batch_client.retrieve(job["batch_id"]))["status"] for _ in range(3)]
    assert seen == ["warming_up", "warming_up", "validating"]


async def test_a_scripted_failure_applies_to_one_job(batch_client: BatchClient, gradient: Emulator) -> None:
    gradient.batches.fail_line("id-1", status=503, code="busy", message="Busy.")
    gradient.batches.fail_line("id-2", status=None, message="Gone.")
    _, output, errors = await batch_client.run(chat_lines(4))
    found = {error["custom_id"]: error for error in errors}
    assert found["id-1"]["response"]["status_code"] == 503
    assert found["id-1"]["response"]["body"] == {"error": {"type": "api_error", "message": "Busy.", "code": "busy"}}
    assert (found["id-2"]["response"], found["id-2"]["error"]) == (None, {"code": "server_error", "message": "Gone."})
    assert len(output) == 2
    _, output, errors = await batch_client.run(chat_lines(4), request_id="again")
    assert (len(output), len(errors)) == (4, 0)


async def test_a_dropped_line_is_in_no_file(batch_client: BatchClient, gradient: Emulator) -> None:
    gradient.batches.drop_line("id-1")
    _, output, errors = await batch_client.run(chat_lines(3))
    assert ({found["custom_id"] for found in output}, errors) == ({"id-0", "id-2"}, [])


async def test_results_can_become_available_late(batch_client: BatchClient, gradient: Emulator) -> None:
    gradient.batches.late = 2
    job = await batch_client.wait((await batch_client.submit(chat_lines(1)))["batch_id"])
    asked = [await batch_client.call("GET", f"/v1/batches/{job['batch_id']}/results") for _ in range(3)]
    assert [response.status for response in asked] == [412, 412, 200]
