"""Disk work in a thread."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from gradient_async._io.batch.threads import run_in_thread, write_all


async def test_the_result_of_the_work_is_returned() -> None:
    assert await run_in_thread(threading.get_ident) != threading.get_ident()


async def test_a_cancellation_is_raised_when_the_work_is_over() -> None:
    started, ended = threading.Event(), threading.Event()

    def work() -> None:
        started.set()
        time.sleep(0.1)
        ended.set()

    task = asyncio.create_task(run_in_thread(work))
    while not started.is_set():
        await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()


def test_every_byte_is_written_by_a_file_that_takes_few_at_a_time() -> None:
    written: list[bytes] = []

    def write(view: memoryview) -> int:
        written.append(bytes(view[:3]))
        return len(written[-1])

    write_all(write, b"abcdefgh")
    assert written == [b"abc", b"def", b"gh"]
