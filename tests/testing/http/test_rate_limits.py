"""The rate limits, in virtual time and on the wire."""

from __future__ import annotations

import math

import attrs

from gradient_async.testing import Emulator
from gradient_async.testing.http.rate_limits import DOCUMENTED_WINDOWS, RollingLimit
from tests.support.emulator_client import (
    EmulatorClient,
    NewClient,
    RawResponse,
)

NOW = 1_700_000_000.5


@attrs.define
class Clock:
    now: float = NOW

    def __call__(self) -> float:
        return self.now


async def ask_times(client: EmulatorClient, count: int) -> list[RawResponse]:
    return [await client.ask("hi") for _ in range(count)]


def test_no_window_of_any_length_admits_more_than_its_capacity() -> None:
    limit = RollingLimit.from_windows([(5, 1.0), (12, 4.0)], scale=1)
    times = [step * 0.05 for step in range(400)]
    admitted = [now for now in times if limit.admit_request(now).admitted]
    for capacity, period in ((5, 1.0), (12, 4.0)):
        assert all(
            later - earlier >= period - 1e-9 for earlier, later in zip(admitted, admitted[capacity:], strict=False)
        )


def test_a_request_counts_for_exactly_one_window() -> None:
    limit = RollingLimit.from_windows([(1, 60.0)], scale=1)
    assert limit.admit_request(0).admitted
    assert not limit.admit_request(59.999).admitted
    assert limit.admit_request(60).admitted


def test_a_refused_request_does_not_count() -> None:
    limit = RollingLimit.from_windows([(1, 1.0)], scale=1)
    limit.admit_request(0)
    refused = [limit.admit_request(now).admitted for now in (0.2, 0.5, 0.9)]
    assert (refused, limit.admit_request(1.0).admitted) == ([False] * 3, True)


def test_the_documented_windows_admit_250_a_minute_and_5000_an_hour() -> None:
    limit = RollingLimit.from_windows(DOCUMENTED_WINDOWS, scale=1)
    assert sum(limit.admit_request(0).admitted for _ in range(300)) == 250
    admitted = 250 + sum(limit.admit_request(minute * 60).admitted for minute in range(1, 60) for _ in range(300))
    assert admitted == 5000


async def test_headers_describe_the_longest_window(new_client: NewClient) -> None:
    clock = Clock()
    async with Emulator(limits="documented", clock=clock) as gradient:
        first, second = await ask_times(new_client(gradient), 2)
    assert first.headers["ratelimit-limit"] == "5000"
    assert [a.headers["ratelimit-remaining"] for a in (first, second)] == ["4999", "4998"]
    assert second.headers["ratelimit-reset"] == str(math.ceil(NOW + 3600))


async def test_a_burst_is_refused_with_retry_after(new_client: NewClient) -> None:
    clock = Clock()
    async with Emulator(limits=[(2, 60.0), (10, 3600.0)], clock=clock) as gradient:
        client = new_client(gradient)
        await ask_times(client, 2)
        clock.now += 12.5
        refused = (await ask_times(client, 1))[0]
        clock.now += 47.5
        admitted = (await ask_times(client, 1))[0]
    assert refused.status == 429
    assert refused.json["id"] == "too_many_requests"
    assert refused.json["message"] == "API Rate limit exceeded."
    assert (refused.headers["retry-after"], refused.headers["ratelimit-remaining"]) == ("48", "0")
    assert (admitted.status, gradient.refusals) == (200, 1)


async def test_the_hour_is_refused_without_retry_after(new_client: NewClient) -> None:
    clock = Clock()
    async with Emulator(limits=[(2, 60.0), (2, 3600.0)], clock=clock) as gradient:
        refused = (await ask_times(new_client(gradient), 3))[-1]
    assert (refused.status, refused.headers["ratelimit-remaining"]) == (429, "0")
    assert "retry-after" not in refused.headers
    assert refused.headers["ratelimit-reset"] == str(math.ceil(NOW + 3600))


async def test_each_key_has_its_own_limit(new_client: NewClient) -> None:
    async with Emulator(limits=[(1, 60.0)]) as gradient:
        client = new_client(gradient)
        keys = [{"Authorization": f"Bearer {key}"} for key in ("a", "b", "a")]
        statuses = [(await client.send(headers=key)).status for key in keys]
    assert statuses == [200, 200, 429]


async def test_requests_without_a_key_and_health_checks_do_not_count(new_client: NewClient) -> None:
    async with Emulator(limits=[(1, 60.0)]) as gradient:
        client = new_client(gradient)
        await client.send(headers={})
        await client.get(gradient.agent_url + "/health")
        assert (await client.ask()).status == 200


async def test_a_scaled_limit_admits_again_after_the_scaled_window(new_client: NewClient) -> None:
    clock = Clock()
    async with Emulator(limits=[(3, 60.0)], time_scale=600, clock=clock) as gradient:
        client = new_client(gradient)
        await ask_times(client, 3)
        clock.now += 0.09
        assert (await ask_times(client, 1))[0].status == 429
        clock.now += 0.02
        assert (await ask_times(client, 1))[0].status == 200


async def test_a_scaled_reset_is_in_real_seconds(new_client: NewClient) -> None:
    async with Emulator(limits="documented", time_scale=1200, clock=Clock()) as gradient:
        response = (await ask_times(new_client(gradient), 1))[0]
    assert response.headers["ratelimit-reset"] == str(math.ceil(NOW + 3))


async def test_an_unenforced_limit_refuses_nothing_and_remaining_stays_above_zero() -> None:
    limit = RollingLimit.from_windows([(2, 60.0)], scale=1, enforced=False)
    verdicts = [limit.admit_request(0) for _ in range(4)]
    assert all(verdict.admitted for verdict in verdicts)
    assert [verdict.headers["ratelimit-remaining"] for verdict in verdicts] == ["1", "1", "1", "1"]
