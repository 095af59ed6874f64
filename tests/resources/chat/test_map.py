"""Many concurrent chat completions, over real sockets."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from typing import Any

import attrs
import pytest

from gradient_async import (
    APIStatusError,
    APITimeoutError,
    AsyncSession,
    ConfigurationError,
    MapProgress,
    MapResult,
    RateLimiter,
    RateLimits,
    RetryPolicy,
    SessionClosedError,
)
from gradient_async.testing import Emulator
from tests.support.waiting import wait_until


def build_params(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": text}], **more}


def open_session(emulator: Emulator, **options: Any) -> AsyncSession:
    return AsyncSession("test", base_url=emulator.url, **options)


async def collect_results(session: AsyncSession, requests: Any, **options: Any) -> list[MapResult]:
    async with session.chat.completions.map(requests, **options) as results:
        return [result async for result in results]


async def test_every_request_has_its_result(gradient_emulator: Emulator) -> None:
    requests = [build_params(f"Question {number}") for number in range(30)]
    async with open_session(gradient_emulator) as session:
        results = await collect_results(session, requests, concurrency=8)
    assert sorted(result.index for result in results) == list(range(30))
    assert all(result.request is requests[result.index] and result.ok and result.text for result in results)
    assert all(result.timings is result.completion.meta.timings for result in results if result.completion)


async def test_ordered_results_have_the_order_of_the_requests(gradient_emulator: Emulator) -> None:
    async with open_session(gradient_emulator) as session:
        results = await collect_results(
            session, (build_params(str(number)) for number in range(20)), concurrency=5, ordered=True
        )
    assert [result.index for result in results] == list(range(20))


async def test_requests_may_come_from_an_async_iterable(gradient_emulator: Emulator) -> None:
    async def source() -> AsyncIterator[dict[str, Any]]:
        for number in range(5):
            await asyncio.sleep(0)
            yield build_params(str(number))

    async with open_session(gradient_emulator) as session:
        assert len(await collect_results(session, source())) == 5


async def test_a_failed_request_is_a_result_and_the_others_continue(gradient_emulator: Emulator) -> None:
    gradient_emulator.fail(status=400, times=1)
    async with open_session(gradient_emulator) as session:
        failed, *others = await collect_results(session, [build_params(str(n)) for n in range(4)], concurrency=1)
    assert isinstance(failed.error, APIStatusError)
    assert (failed.ok, failed.completion, failed.text, failed.error.status) == (False, None, "", 400)
    assert failed.timings.total is not None
    assert [result.ok for result in others] == [True] * 3


def endless_list() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    ("wrong", "advice"),
    [
        (build_params("Hi", model=""), "must name a model"),
        ({"model": "m", "messages": []}, "messages is empty"),
        (build_params("Hi", stream=True), "leave it out"),
        ("Hi", "must name a model"),
        (3, "must be a dict of parameters; got int"),
        (object(), "requests[1] is of type object"),
        ({"model": "m", "messages": [{"role": "user", "content": math.nan}]}, "messages[0].content is nan"),
        (build_params("Hi", metadata={"a": endless_list()}), "metadata.a[0]"),
        (build_params("Hi", seed={1}), "seed is of type set"),
    ],
)
async def test_an_invalid_request_is_a_result_and_is_not_sent(
    wrong: Any, advice: str, gradient_emulator: Emulator
) -> None:
    async with open_session(gradient_emulator) as session:
        right, other = await collect_results(session, [build_params("Hi"), wrong], ordered=True)
    assert right.ok
    assert isinstance(other.error, ConfigurationError)
    assert advice in str(other.error)
    assert len(gradient_emulator.requests) == 1


@attrs.frozen
class Request:
    messages: list[dict[str, Any]]
    model: str = "m"
    temperature: float | None = None


async def test_a_request_may_be_an_object_with_fields(gradient_emulator: Emulator) -> None:
    request: Any = Request(messages=[{"role": "user", "content": "Hi", "name": None}])
    async with open_session(gradient_emulator) as session:
        (result,) = await collect_results(session, [request])
    assert result.ok
    assert result.request is request
    assert gradient_emulator.requests[0].json == build_params("Hi")


async def test_a_request_may_have_its_own_timeout(gradient_emulator: Emulator) -> None:
    gradient_emulator.stall(seconds=60)
    async with open_session(gradient_emulator) as session:
        (result,) = await collect_results(session, [build_params("Hi", timeout=0.05)], timeout=30)
    assert isinstance(result.error, APITimeoutError)
    assert "timeout" not in gradient_emulator.requests[0].json


@pytest.mark.parametrize("requests", [None, 3, b"prompts", {"model": "m"}])
async def test_a_source_that_is_not_an_iterable_of_parameters_is_refused(requests: Any) -> None:
    async with AsyncSession("test", base_url="http://127.0.0.1:1") as session:
        with pytest.raises(ConfigurationError, match="iterable of parameters"):
            session.chat.completions.map(requests)
        with pytest.raises(ConfigurationError, match="at least 1"):
            session.chat.completions.map([], concurrency=0)


async def test_an_agent_maps_requests(gradient_emulator: Emulator) -> None:
    async with open_session(gradient_emulator) as session:
        agent = session.agent(gradient_emulator.agent_url, "agent-key")
        async with agent.chat.completions.map([{"messages": build_params("Hi")["messages"]}]) as results:
            assert [result.ok async for result in results] == [True]
    assert gradient_emulator.requests[0].path.startswith("/api/v1/")


async def test_the_wait_for_the_limiter_does_not_count_against_the_timeout() -> None:
    windows = [(2, 1.0)]
    async with Emulator(limits=windows) as emulator:
        limiter = RateLimiter(RateLimits(windows=windows), guard=1.0)  # seconds for which the machine may stop
        async with open_session(emulator, limits=limiter, retry=RetryPolicy(attempts=1)) as session:
            results = await collect_results(session, [build_params(str(n)) for n in range(4)], timeout=1.5)
    assert [result.error for result in results] == [None] * 4
    assert max(result.timings.limiter_wait for result in results) > 1.5
    assert emulator.refusals == 0


async def test_a_single_call_overtakes_the_requests_of_a_map() -> None:
    requests = [build_params(str(number)) for number in range(40)]
    async with Emulator() as emulator:
        async with (
            open_session(emulator, limits=RateLimits(windows=[(5, 0.5)])) as session,
            session.chat.completions.map(requests) as results,
        ):
            await anext(results)
            await session.chat.completions.create(**build_params("Me first"))
        texts = [request.json["messages"][0]["content"] for request in emulator.requests]
    assert texts.index("Me first") < 15


async def test_leaving_a_map_returns_the_permits_of_unsent_requests(gradient_emulator: Emulator) -> None:
    async with open_session(gradient_emulator, limits=RateLimits(windows=[(5, 60.0)])) as session:
        async with session.chat.completions.map([build_params(str(n)) for n in range(40)], concurrency=20) as results:
            for _ in range(5):
                await anext(results)
        status = session.limits.status()
    assert (status.queued, status.held, len(gradient_emulator.requests)) == (0, 0, 5)


async def test_closing_the_session_ends_a_map(gradient_emulator: Emulator) -> None:
    async with open_session(gradient_emulator) as session:
        with pytest.raises(SessionClosedError):
            async with session.chat.completions.map(build_params(str(n)) for n in range(1000)) as results:
                async for result in results:
                    if result.index == 3:
                        await session.aclose()
    assert len(gradient_emulator.requests) < 1000


# Texts, shared parameters, ids.


async def test_texts_are_the_messages_of_a_user_and_share_parameters(gradient_emulator: Emulator) -> None:
    own = build_params("Two", temperature=1.0)
    async with open_session(gradient_emulator) as session:
        results = await collect_results(
            session, ["One", own], ordered=True, model="shared", temperature=0, concurrency=1
        )
    assert [result.request for result in results] == ["One", own]
    assert [request.json for request in gradient_emulator.requests] == [
        {"model": "shared", "messages": [{"role": "user", "content": "One"}], "temperature": 0},
        {"model": "m", "messages": [{"role": "user", "content": "Two"}], "temperature": 1.0},
    ]


@pytest.mark.parametrize(("own", "expected"), [({"id": 7}, 7), ({"custom_id": "a", "id": 7}, "a"), ({}, None)])
async def test_the_id_of_a_request_is_kept_and_not_sent(
    own: dict[str, Any], expected: object, gradient_emulator: Emulator
) -> None:
    async with open_session(gradient_emulator) as session:
        (result,) = await collect_results(session, [build_params("Hi", **own)])
    assert result.id == expected
    assert gradient_emulator.requests[0].json == build_params("Hi")


async def test_an_empty_text_is_a_failed_result(gradient_emulator: Emulator) -> None:
    async with open_session(gradient_emulator) as session:
        (result,) = await collect_results(session, [""], model="m")
    assert "requests[0] is an empty text" in str(result.error)


@pytest.mark.parametrize(
    ("shared", "advice"),
    [
        ({"messages": []}, "belong to each request"),
        ({"stream": True}, "leave it out"),
        ({"stop_after": 0}, "at least 1"),
    ],
)
async def test_a_parameter_that_cannot_be_shared_is_refused(shared: dict[str, Any], advice: str) -> None:
    async with AsyncSession("test", base_url="http://127.0.0.1:1") as session:
        with pytest.raises(ConfigurationError, match=advice):
            session.chat.completions.map([], **shared)


# The early end.


@pytest.mark.parametrize("status", [401, 402, 403])
async def test_a_refused_key_ends_the_map_after_the_results_of_its_calls(
    status: int, gradient_emulator: Emulator
) -> None:
    gradient_emulator.reply("Yes", times=2)
    gradient_emulator.fail(status=status, times=None)
    found = []
    async with open_session(gradient_emulator, limits=None) as session:
        with pytest.raises(APIStatusError) as caught:
            async with session.chat.completions.map((f"{n}" for n in range(1000)), model="m", concurrency=4) as results:
                async for result in results:
                    found.append(result)
    assert caught.value.status == status
    assert len(found) == len(gradient_emulator.requests) < 20
    assert sum(result.ok for result in found) == 2


async def test_a_refused_key_gives_up_requests_that_wait_for_the_limiter(gradient_emulator: Emulator) -> None:
    gradient_emulator.fail(status=401, times=None)
    async with open_session(gradient_emulator, limits=RateLimits(windows=[(1, 600.0)])) as session:
        with pytest.raises(APIStatusError, match="401"):
            await collect_results(session, ["Hi"] * 100, model="m", ordered=True)
    assert len(gradient_emulator.requests) == 1


async def test_stop_after_ends_a_map_of_failures(gradient_emulator: Emulator) -> None:
    gradient_emulator.fail(status=400, times=None)
    async with open_session(gradient_emulator) as session:
        with pytest.raises(APIStatusError, match="400"):
            await collect_results(session, ["Hi"] * 100, model="m", concurrency=1, stop_after=5)
    assert len(gradient_emulator.requests) == 5


async def test_stop_ends_a_map_with_the_results_of_its_calls_in_flight(gradient_emulator: Emulator) -> None:
    async with (
        open_session(gradient_emulator) as session,
        session.chat.completions.map((f"{n}" for n in range(1000)), model="m", concurrency=4) as results,
    ):
        await anext(results)
        results.stop()
        others = [result async for result in results]
    assert all(result.ok for result in others)
    assert 1 + len(others) == len(gradient_emulator.requests) < 20


async def test_stop_gives_up_requests_that_wait_for_the_limiter(gradient_emulator: Emulator) -> None:
    async with (
        open_session(gradient_emulator, limits=RateLimits(windows=[(3, 600.0)])) as session,
        session.chat.completions.map(["Hi"] * 100, model="m", ordered=True) as results,
    ):
        for _ in range(3):
            await anext(results)
        results.stop()
        assert [result async for result in results] == []
    assert len(gradient_emulator.requests) == 3


# Progress.


async def test_progress_counts_results_retries_tokens_and_failures(gradient_emulator: Emulator) -> None:
    gradient_emulator.fail(status=400, times=1)
    gradient_emulator.fail(status=429, retry_after=0, times=1)
    reports: list[MapProgress] = []
    async with (
        open_session(gradient_emulator) as session,
        session.chat.completions.map(["Hi"] * 5, model="m", concurrency=1, on_progress=reports.append) as results,
    ):
        assert len(results) == 5
        completions = [result.completion async for result in results]
        progress = results.progress
    assert (progress.total, progress.done, progress.failed, progress.retried) == (5, 5, 1, 1)
    assert progress.tokens == sum(each.usage.total_tokens for each in completions if each and each.usage) > 0
    assert (progress.in_flight, progress.waiting, progress.seconds_left) == (0, 0, 0.0)
    assert attrs.evolve(reports[-1], elapsed=0.0, rate=0.0) == attrs.evolve(progress, elapsed=0.0, rate=0.0)


async def test_progress_shows_the_wait_for_the_limiter(gradient_emulator: Emulator) -> None:
    async with (
        open_session(gradient_emulator, limits=RateLimits(windows=[(2, 600.0)])) as session,
        session.chat.completions.map(["Hi"] * 10, model="m", concurrency=4) as results,
    ):
        for _ in range(2):
            await anext(results)
        await wait_until(lambda: results.progress.waiting == 4)
        progress = results.progress
    assert progress.limiter_delay == pytest.approx(600, abs=60)
    assert progress.seconds_left is not None
    assert progress.seconds_left > 3 * 600


async def test_a_source_of_unknown_length_has_no_len_and_no_total(gradient_emulator: Emulator) -> None:
    async with (
        open_session(gradient_emulator) as session,
        session.chat.completions.map((text for text in ["Hi"]), model="m") as results,
    ):
        with pytest.raises(TypeError, match="does not say"):
            len(results)
        assert results.progress.total is None


async def test_a_failing_on_progress_does_not_reach_the_map(gradient_emulator: Emulator) -> None:
    def fail(progress: MapProgress) -> None:
        raise LookupError

    async with open_session(gradient_emulator) as session:
        assert len(await collect_results(session, ["Hi"] * 3, model="m", on_progress=fail)) == 3
