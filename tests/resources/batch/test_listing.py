"""The list of jobs, page by page."""

from __future__ import annotations

import pytest

from gradient_async.testing import Emulator
from tests.support.batches import CREATE_PATH, NewSession, upload_input


@pytest.mark.usefixtures("each_shape")
async def test_the_list_requests_each_page_when_the_previous_one_is_used_up(
    gradient_emulator: Emulator, new_session: NewSession
) -> None:
    async with new_session() as session:
        file_id = await upload_input(session)
        made = [
            (await session.batches.create(file_id=file_id, request_id=f"r{number}")).batch_id for number in range(5)
        ]
        gradient_emulator.requests.clear()
        listed = [batch.batch_id async for batch in session.batches.list(limit=2)]
        assert len(gradient_emulator.requests) == 3
        gradient_emulator.requests.clear()
        async for first in session.batches.list(limit=2):
            assert first.batch_id == made[-1]
            break
        assert len(gradient_emulator.requests) == 1
        jobs = session.batches.list(limit=2)
        for _ in range(2):
            await anext(jobs)
        rest = [batch.batch_id async for batch in session.batches.list(limit=2, after=jobs.after)]
    assert listed == made[::-1]
    assert rest == made[::-1][2:]


async def test_the_list_can_be_filtered_by_status(gradient_emulator: Emulator, new_session: NewSession) -> None:
    gradient_emulator.batches.seconds = None
    async with new_session() as session:
        file_id = await upload_input(session)
        for number in range(3):
            await session.batches.create(file_id=file_id, request_id=f"r{number}")
        assert [batch async for batch in session.batches.list(status="completed")] == []
        assert len([batch async for batch in session.batches.list(status="validating")]) == 3


async def test_a_repeated_cursor_ends_the_list(gradient_emulator: Emulator, new_session: NewSession) -> None:
    page = {"data": [{"batch_id": "b", "status": "completed"}], "last_id": "same", "has_more": True}
    gradient_emulator.fail(200, body=page, content_type="application/json", times=None, path=CREATE_PATH)
    async with new_session() as session:
        assert len([batch async for batch in session.batches.list()]) == 2
