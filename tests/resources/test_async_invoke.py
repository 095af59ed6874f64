"""Asynchronous invocations, from the emulator over real sockets."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import aiohttp
import pytest
from yarl import URL

from gradient_async import (
    APITimeoutError,
    AsyncInvocation,
    AsyncSession,
    ConfigurationError,
    InternalServerError,
    InvocationFailedError,
    NotFoundError,
    Poll,
    RetryPolicy,
    Timeouts,
)
from gradient_async._io.batch.poller import JobProgress
from gradient_async.params import TagParam
from gradient_async.testing import Emulator
from tests.support.waiting import HANG_SECONDS

MODEL = "fal-ai/flux/schnell"
INPUT = {"prompt": "A futuristic city at sunset", "num_images": 2}
QUICK = Poll(first=0.02, longest=0.05)


async def test_an_invocation_completes_with_urls_of_its_files(gradient_session: AsyncSession) -> None:
    created = await gradient_session.async_invoke.create(model_id=MODEL, input=INPUT)
    assert (created.status, created.meta.status, created.output) == ("QUEUED", 202, None)
    done = await gradient_session.async_invoke.wait(created.request_id, poll=QUICK)
    assert (done.status, done.request_id, done.model_id) == ("COMPLETED", created.request_id, MODEL)
    assert created.created_at is not None
    assert done.created_at == created.created_at
    async with aiohttp.ClientSession() as http:
        files = [await (await http.get(URL(url, encoded=True))).read() for url in done.urls]
    assert [file[:4] for file in files] == [b"\x89PNG"] * 2


class StepClock:
    """A clock that moves when a test says so."""

    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


async def test_the_status_has_no_output_and_the_result_has() -> None:
    clock = StepClock()
    async with (
        Emulator(invocation_seconds=10, clock=clock) as gradient,
        AsyncSession("test", base_url=gradient.url) as session,
    ):
        invoke = session.async_invoke
        created = await invoke.create(model_id="fal-ai/elevenlabs/tts", input={"text": "Hello"})
        assert (await invoke.result(created.request_id)).output is None
        clock.now += 10
        await invoke.wait(created.request_id, poll=QUICK)
        assert (await invoke.status(created.request_id)).output is None
        output = (await invoke.result(created.request_id)).output
    assert output is not None
    assert output["audio"]["content_type"] == "audio/wav"


async def test_an_invocation_passes_through_every_status() -> None:
    clock = StepClock()
    async with (
        Emulator(invocation_seconds=10, clock=clock) as gradient,
        AsyncSession("test", base_url=gradient.url) as session,
    ):
        created = await session.async_invoke.create(model_id=MODEL, input=INPUT)
        seen = [created.status]
        while not (now := await session.async_invoke.status(created.request_id)).is_terminal:
            seen.append(now.status)
            clock.now += 1
    assert list(dict.fromkeys([*seen, now.status])) == ["QUEUED", "IN_PROGRESS", "COMPLETED"]


async def test_a_failed_invocation_raises_its_reason_unless_check_is_off(gradient_session: AsyncSession) -> None:
    created = await gradient_session.async_invoke.create(model_id="fal-ai/fail-at-once", input=INPUT)
    with pytest.raises(InvocationFailedError, match="ended as FAILED: The model could not") as caught:
        await gradient_session.async_invoke.wait(created.request_id, poll=QUICK)
    assert caught.value.invocation is not None
    assert caught.value.invocation.request_id == created.request_id
    ended = await gradient_session.async_invoke.wait(created.request_id, poll=QUICK, check=False)
    assert ended.status == "FAILED"


async def test_wait_times_out_and_the_invocation_goes_on() -> None:
    async with (
        Emulator(invocation_seconds=60) as gradient,
        AsyncSession("test", base_url=gradient.url) as session,
    ):
        created = await session.async_invoke.create(model_id=MODEL, input=INPUT)
        with pytest.raises(APITimeoutError, match="The invocation has not ended") as caught:
            await session.async_invoke.wait(created.request_id, timeout=0.1, poll=QUICK)
        assert caught.value.phase == "total"
        assert (await session.async_invoke.status(created.request_id)).status == "QUEUED"


async def test_wait_refuses_a_timeouts_object(gradient_session: AsyncSession) -> None:
    with pytest.raises(ConfigurationError, match="seconds for all polls together; got a Timeouts"):
        await gradient_session.async_invoke.wait("r", timeout=Timeouts(total=5))  # type: ignore[arg-type]


async def test_the_timeout_of_wait_covers_reading_the_output() -> None:
    async with Emulator(invocation_seconds=0) as gradient, AsyncSession("test", base_url=gradient.url) as session:
        created = await session.async_invoke.create(model_id=MODEL, input=INPUT)
        gradient.stall(600, path=f"*/{created.request_id}", times=None)
        with pytest.raises(APITimeoutError):
            async with asyncio.timeout(HANG_SECONDS):
                await session.async_invoke.wait(created.request_id, timeout=0.2, poll=QUICK)


@pytest.mark.looptime
async def test_polls_grow_rarer_with_the_age_of_an_invocation() -> None:
    loop = asyncio.get_running_loop()
    times: list[float] = []

    async def poll_once(_: float | None) -> AsyncInvocation:
        times.append(loop.time())
        return AsyncInvocation(request_id="i", status="QUEUED" if loop.time() - times[0] < 600 else "COMPLETED")

    seen = [invocation.status async for invocation in JobProgress(poll_once, Poll(first=1.0, longest=15.0))]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert seen == ["QUEUED", "COMPLETED"]
    assert 1 <= gaps[0] <= 1.2
    assert 15 <= gaps[-1] <= 15 * 1.2
    assert len(times) < 80


async def test_wait_survives_temporary_errors(gradient_emulator: Emulator) -> None:
    at_once = RetryPolicy(first=0.0, longest=0.0)
    async with AsyncSession("test", base_url=gradient_emulator.url, retry=at_once) as session:
        created = await session.async_invoke.create(model_id=MODEL, input=INPUT)
        gradient_emulator.fail(503, times=4, path="*/status")
        gradient_emulator.fail(503, times=4, path=f"*/{created.request_id}")
        done = await session.async_invoke.wait(created.request_id, poll=QUICK)
    assert len(done.urls) == 2


async def test_wait_raises_at_once_for_an_unknown_invocation(gradient_session: AsyncSession) -> None:
    with pytest.raises(NotFoundError):
        await gradient_session.async_invoke.wait("no/such", timeout=HANG_SECONDS)


async def test_polls_are_retried_and_a_start_is_not(
    gradient_session: AsyncSession, gradient_emulator: Emulator
) -> None:
    created = await gradient_session.async_invoke.create(model_id=MODEL, input=INPUT)
    gradient_emulator.fail(500, path="*/status")
    assert (await gradient_session.async_invoke.status(created.request_id)).meta.attempts == 2
    gradient_emulator.fail(500)
    with pytest.raises(InternalServerError) as caught:
        await gradient_session.async_invoke.create(model_id=MODEL, input=INPUT)
    assert caught.value.attempts == 1


async def test_an_input_is_sent_unchanged_with_its_nulls(
    gradient_session: AsyncSession, gradient_emulator: Emulator
) -> None:
    tag: TagParam = {"key": "k", "value": "v"}
    await gradient_session.async_invoke.create(
        model_id=MODEL, input={"prompt": "p", "seed": 1, "num_images": None}, tags=iter([tag])
    )
    assert gradient_emulator.requests[0].json == {
        "model_id": MODEL,
        "input": {"prompt": "p", "seed": 1, "num_images": None},
        "tags": [{"key": "k", "value": "v"}],
    }


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"input": INPUT}, "model_id must be a text that is not empty"),
        ({"model_id": MODEL}, "input must be an object.*; got nothing"),
        ({"model_id": MODEL, "input": "A city"}, "input must be an object.*; got str"),
        ({"model_id": MODEL, "input": {"guidance_scale": float("nan")}}, "input.guidance_scale is nan"),
        ({"model_id": MODEL, "input": INPUT, "tags": {"key": "k"}}, "tags must be a list; got dict"),
        ({"model_id": MODEL, "input": INPUT, "tags": [{"key": "k"}]}, r"tags\[0\] must be an object with a key"),
    ],
)
async def test_invalid_parameters_are_not_sent(
    gradient_session: AsyncSession, gradient_emulator: Emulator, params: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        await gradient_session.async_invoke.create(**params)
    with pytest.raises(ConfigurationError, match="request_id must be the id of an invocation"):
        await gradient_session.async_invoke.status("")
    assert gradient_emulator.requests == []
