"""What goes wrong between a client and the batch service."""

from __future__ import annotations

import aiohttp
import pytest


async def test_a_job_is_created_though_its_answer_is_lost(calls, gradient, lines):
    file_id = await calls.upload(lines(1))
    gradient.batches.lose_answer()
    with pytest.raises(aiohttp.ClientConnectionError):
        await calls.create(file_id)
    assert len(gradient.batches.jobs) == 1
    again = await calls.create(file_id)
    assert (again.status, again.json["batch_id"]) == (201, gradient.batches.jobs[0].id)
    assert len(gradient.batches.jobs) == 1


async def test_only_the_post_of_that_path_loses_its_answer(calls, gradient, lines):
    gradient.batches.lose_answer()
    assert (await calls.api("GET", "/v1/batches")).status == 200
    assert await calls.upload(lines(1))


async def test_the_answer_to_a_known_request_id_can_be_another_success(calls, gradient, lines):
    gradient.batches.replay_status = 200
    file_id = await calls.upload(lines(1))
    assert [(await calls.create(file_id)).status for _ in range(2)] == [201, 200]


async def test_nothing_is_created_by_a_call_that_fails(calls, gradient, lines):
    file_id = await calls.upload(lines(1))
    gradient.fail(500, path="/v1/batches")
    assert (await calls.create(file_id)).status == 500
    gradient.reset(path="/v1/batches")
    with pytest.raises(aiohttp.ClientConnectionError):
        await calls.create(file_id)
    assert gradient.batches.jobs == []


@pytest.mark.parametrize("status", [429, 500, 502])
async def test_a_poll_fails_once(calls, gradient, lines, status):
    job = await calls.submit(lines(1))
    gradient.fail(status, path="/v1/batches/*")
    answers = [await calls.api("GET", f"/v1/batches/{job['batch_id']}") for _ in range(2)]
    assert [answer.status for answer in answers] == [status, 200]


async def test_a_poll_is_reset_once(calls, gradient, lines):
    job = await calls.submit(lines(1))
    gradient.reset(path="/v1/batches/*")
    with pytest.raises(aiohttp.ClientConnectionError):
        await calls.get(job["batch_id"])
    assert (await calls.get(job["batch_id"]))["status"] == "validating"


async def test_an_early_cancel_is_refused_and_succeeds_later(calls, gradient, lines):
    job = await calls.submit(lines(1))
    gradient.fail(409, path="/v1/batches/*/cancel")
    path = f"/v1/batches/{job['batch_id']}/cancel"
    answers = [await calls.api("POST", path) for _ in range(2)]
    assert [(answer.status, answer.json.get("status")) for answer in answers] == [(409, None), (200, "cancelling")]


async def test_a_scripted_reply_is_not_used_up_by_a_line(calls, gradient, client, lines):
    gradient.reply("Scripted")
    await calls.run(lines(2))
    assert (await client.ask()).content == "Scripted"


async def test_a_forbidden_call_is_scripted(calls, gradient):
    gradient.fail(403, path="/v1/batches*")
    answer = await calls.api("GET", "/v1/batches")
    assert (answer.status, answer.json["id"]) == (403, "forbidden")
