"""The single calls of the batch API, over real sockets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gradient_async import (
    APIStatusError,
    BadRequestError,
    BatchNotReadyError,
    ConflictError,
    NotFoundError,
    UnprocessableEntityError,
)
from gradient_async.testing import Emulator
from tests.support.batches import (
    CREATE_PATH,
    NewSession,
    jsonl,
    posts_to,
    upload_input,
)


@pytest.mark.parametrize("times", [1, 2])
async def test_a_lost_response_to_create_makes_one_job(
    gradient_emulator: Emulator, new_session: NewSession, times: int
) -> None:
    gradient_emulator.batches.lose_answer(times=times)
    async with new_session() as session:
        batch = await session.batches.create(file_id=await upload_input(session))
    assert [job.id for job in gradient_emulator.batches.jobs] == [batch.batch_id]
    sent = [request.json for request in posts_to(gradient_emulator, CREATE_PATH)]
    assert len(sent) == times + 1
    assert all(body == sent[0] for body in sent)


@pytest.mark.parametrize("status", [409, 200, 201])
async def test_a_repeated_create_returns_the_existing_job_for_any_status(
    gradient_emulator: Emulator, new_session: NewSession, status: int
) -> None:
    gradient_emulator.batches.replay_status = status
    async with new_session() as session:
        file_id = await upload_input(session)
        first = await session.batches.create(file_id=file_id, request_id="r-1")
        second = await session.batches.create(file_id=file_id, request_id="r-1")
    assert first.batch_id == second.batch_id
    assert len(gradient_emulator.batches.jobs) == 1


async def test_creating_a_job_before_its_upload_raises_a_conflict(new_session: NewSession) -> None:
    async with new_session() as session:
        file = await session.batches.create_file("in.jsonl")
        with pytest.raises(ConflictError, match="has not completed"):
            await session.batches.create(file_id=file.file_id)


@pytest.mark.parametrize("rule", ["required", "forbidden"])
async def test_anthropic_jobs_work_with_either_rule_about_the_endpoint(
    gradient_emulator: Emulator, new_session: NewSession, rule: Any
) -> None:
    gradient_emulator.batches.anthropic_endpoint = rule
    params = {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}
    async with new_session() as session:
        for number in range(2):
            file_id = await upload_input(session, jsonl({"custom_id": "a", "params": params}))
            await session.batches.create(file_id=file_id, provider="anthropic", request_id=f"r-{number}")
    sent = [
        (request.json["request_id"], request.json.get("endpoint"))
        for request in posts_to(gradient_emulator, CREATE_PATH)
    ]
    expected = {
        "required": [("r-0", "/v1/messages"), ("r-1", "/v1/messages")],
        "forbidden": [("r-0", "/v1/messages"), ("r-0", None), ("r-1", None)],
    }
    assert sent == expected[rule]


async def test_a_refusal_for_another_reason_than_the_endpoint_is_raised(
    gradient_emulator: Emulator, new_session: NewSession
) -> None:
    gradient_emulator.fail(400, message="of the first", path=CREATE_PATH)
    async with new_session() as session:
        with pytest.raises(BadRequestError, match="of the first"):
            await session.batches.create(file_id="f", provider="anthropic")
        assert (await session.batches.create(file_id=await upload_input(session), provider="anthropic")).endpoint
    assert len(posts_to(gradient_emulator, CREATE_PATH)) == 3


CANCEL_PATH = "/v1/batches/*/cancel"


@pytest.mark.usefixtures("each_shape")
@pytest.mark.parametrize(
    "disturb",
    [
        lambda gradient: None,
        lambda gradient: gradient.fail(409, path=CANCEL_PATH),
        lambda gradient: gradient.batches.lose_answer(path=CANCEL_PATH),
    ],
    ids=["undisturbed", "early refusal", "lost response"],
)
async def test_cancel_returns_a_cancelled_or_cancelling_job(
    gradient_emulator: Emulator, new_session: NewSession, disturb: Callable[[Emulator], None]
) -> None:
    gradient_emulator.batches.seconds = 30
    async with new_session() as session:
        batch = await session.batches.create(file_id=await upload_input(session))
        disturb(gradient_emulator)
        assert (await session.batches.cancel(batch.batch_id)).status in ("cancelling", "cancelled")


async def test_cancelling_an_ended_job_raises_a_conflict(gradient_emulator: Emulator, new_session: NewSession) -> None:
    gradient_emulator.batches.seconds = 0
    async with new_session() as session:
        batch = await session.batches.create(file_id=await upload_input(session))
        await gradient_emulator.batches.settled()
        with pytest.raises(ConflictError):
            await session.batches.cancel(batch.batch_id)


@pytest.mark.parametrize("how", ["412", "flag"])
async def test_missing_results_raise_batch_not_ready_in_both_shapes(
    gradient_emulator: Emulator, new_session: NewSession, how: Any
) -> None:
    gradient_emulator.batches.seconds, gradient_emulator.batches.not_ready = 30, how
    async with new_session() as session:
        batch = await session.batches.create(file_id=await upload_input(session))
        with pytest.raises(BatchNotReadyError, match=batch.batch_id):
            await session.batches.result_links(batch.batch_id)


async def test_error_responses_are_raised(new_session: NewSession) -> None:
    async with new_session() as session:
        with pytest.raises(NotFoundError, match="the id"):
            await session.batches.retrieve("no-such-batch")
        with pytest.raises(UnprocessableEntityError):
            await session.batches.create(file_id="f", completion_window="48h")
        with pytest.raises(APIStatusError):
            await session.batches.cancel("no-such-batch")
