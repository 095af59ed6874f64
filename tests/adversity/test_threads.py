"""Sessions in many threads, each with an event loop of its own, do not disturb each other from the first call on."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter

import pytest

from gradient_async.testing import Emulator
from tests.adversity.shared_calls import CALLS, answer_thread
from tests.adversity.threads import Report
from tests.support.pages import ROOT

THREADS = 6


async def run_threads(url: str, *switch_interval: str) -> list[Report]:
    """Return the reports of the threads of a new process."""
    command = [sys.executable, "-m", "tests.adversity.threads", url, str(THREADS), *switch_interval]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, problems = await process.communicate()
    assert problems == b"", problems.decode()
    return [json.loads(line) for line in out.splitlines()]


@pytest.mark.parametrize("switch_interval", [[], ["1e-6"]], ids=["usual", "switching often"])
async def test_each_thread_gets_its_own_answers_and_counts_its_requests(switch_interval: list[str]) -> None:
    async with Emulator(batch_seconds=0.01, limits=[(10_000, 3600.0)]) as emulator:
        emulator.on_request(answer_thread)
        reports = await run_threads(emulator.url, *switch_interval)
    assert [report["failures"] for report in reports] == [[]] * THREADS
    assert {report["calls"] for report in reports} == {len(CALLS)}
    arrived = Counter(request.key for request in emulator.requests)
    assert arrived.keys() == {report["key"] for report in reports}
    for report in reports:
        assert report["counted"] >= arrived[report["key"]]
