"""The execution of jobs in slices."""

from __future__ import annotations

import asyncio

from gradient_async.testing import Emulator
from tests.support.emulator_client import (
    NewBatchClient,
    chat_lines,
)


async def test_closing_the_emulator_stops_jobs_and_deletes_files(new_batch_client: NewBatchClient) -> None:
    async with Emulator() as gradient:
        batch_client = new_batch_client(gradient)
        await batch_client.submit(
            chat_lines(1) + [line | {"custom_id": f"x{n}"} for n in range(5000) for line in chat_lines(1)]
        )
        directory = gradient.storage.new_file().parent
        assert not gradient.batches.jobs[0].execution.done
    assert not directory.exists()
    assert len(asyncio.all_tasks()) == 1


async def test_a_large_job_does_not_block_the_loop(new_batch_client: NewBatchClient) -> None:
    async with Emulator(batch_seconds=0.01) as gradient:
        batch_client = new_batch_client(gradient)
        await batch_client.run(chat_lines(1))
        file_id = await batch_client.upload(chat_lines(6_000))
        await batch_client.create(file_id, request_id="large")
        turns = 0
        while not gradient.batches.job("large").finished:
            await asyncio.sleep(0)
            turns += 1
        assert gradient.batches.job("large").take_snapshot().counts["completed"] == 6_000
        assert turns > 15


async def test_cancelling_a_running_job_keeps_its_results(new_batch_client: NewBatchClient) -> None:
    async with Emulator(batch_seconds=0.02) as gradient:
        batch_client = new_batch_client(gradient)
        job = await batch_client.submit(chat_lines(3000))
        while (await batch_client.retrieve(job["batch_id"]))["request_counts"]["completed"] < 100:
            await asyncio.sleep(0.002)
        await batch_client.cancel(job["batch_id"])
        await gradient.batches.settled()
        job = await batch_client.wait(job["batch_id"])
        output, _ = await batch_client.results(job["batch_id"])
        assert len(output) == job["request_counts"]["completed"] < 3000
