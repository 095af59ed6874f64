"""The quotas of models and their headers."""

from collections.abc import Mapping
from typing import Any

import pytest

from gradient_async.testing import Emulator, Tier
from gradient_async.testing.http.tiers import TierLimits
from tests.support.emulator_client import NewClient

NOW = 1_700_000_000.5
TRIPLET = ("limit", "remaining", "reset")
QUOTAS = ("requests", "tokens-per-minute", "tokens-per-day")


def names_of(headers: Mapping[str, str]) -> set[str]:
    return {name.lower() for name in headers if "ratelimit" in name.lower() or name.lower() == "retry-after"}


def all_names(*quotas: str) -> set[str]:
    return {f"x-ratelimit-{part}-{quota}" for part in TRIPLET for quota in quotas}


def admit_times(limits: TierLimits, count: int, **request: Any) -> list[bool]:
    return [limits.admit_request(NOW, model="m", **request).admitted for _ in range(count)]


async def test_a_success_has_all_triplets_and_a_refusal_only_that_of_the_quota(new_client: NewClient) -> None:
    async with Emulator(tier=4, clock=lambda: NOW) as gradient:
        client = new_client(gradient)
        *admitted, refused = [await client.ask("hi") for _ in range(6)]
    assert [response.status for response in admitted] == [200] * 5
    assert names_of(admitted[0].headers) == all_names(*QUOTAS)
    assert admitted[0].headers["x-ratelimit-reset-requests"] == "0"
    assert refused.status == 429
    assert names_of(refused.headers) == all_names("requests")
    assert refused.headers["x-ratelimit-remaining-requests"] == "0"


def test_each_model_and_each_key_counts_for_itself() -> None:
    limits, other_key = TierLimits(4), TierLimits(4)
    assert admit_times(limits, 6) == [True] * 5 + [False]
    assert limits.admit_request(NOW, model="other").admitted
    assert admit_times(other_key, 1) == [True]


@pytest.mark.parametrize("model", [None, "free"])
def test_what_has_no_tier_is_admitted_without_headers(model: str | None) -> None:
    limits = TierLimits({"m": 1})
    verdicts = [limits.admit_request(NOW, model=model) for _ in range(5)]
    assert all(verdict.admitted and not verdict.headers for verdict in verdicts)
    assert admit_times(limits, 2) == [True, False]


def test_models_may_have_different_tiers() -> None:
    limits = TierLimits({"m": Tier(4), "small": 1})
    assert admit_times(limits, 6) == [True] * 5 + [False]
    assert limits.admit_request(NOW, model="small").admitted
    assert not limits.admit_request(NOW, model="small").admitted


@pytest.mark.parametrize(("elapsed", "admitted"), [(14.9, False), (15.0, True)])
def test_a_quota_refills_continuously(elapsed: float, admitted: bool) -> None:
    limits = TierLimits(4)
    admit_times(limits, 5)
    assert limits.admit_request(NOW + elapsed, model="m").admitted is admitted


def test_a_time_scale_refills_faster() -> None:
    limits = TierLimits(4, scale=60.0)
    admit_times(limits, 5)
    assert limits.admit_request(NOW + 0.25, model="m").admitted


def test_the_reset_of_a_refused_request_is_truncated() -> None:
    limits = TierLimits(240)
    admit_times(limits, 300)
    reset = float(limits.admit_request(NOW, model="m").headers["x-ratelimit-reset-requests"])
    assert NOW - 1 < reset <= NOW + 0.25


@pytest.mark.parametrize(
    ("tier", "quota", "wait"),
    [
        (Tier(100, tokens_per_minute=600), "tokens-per-minute", 30),
        (Tier(100, tokens_per_minute=10**6, tokens_per_day=864_000), "tokens-per-day", 30),
    ],
)
def test_tokens_are_refused_until_enough_are_refilled(tier: Tier, quota: str, wait: int) -> None:
    limits = TierLimits(tier)
    limit = 600 if "minute" in quota else 864_000
    assert admit_times(limits, 2, tokens=limit // 2) == [True, True]
    refused = limits.admit_request(NOW, model="m", tokens=300)
    assert names_of(refused.headers) == all_names(quota)
    assert float(refused.headers[f"x-ratelimit-reset-{quota}"]) == pytest.approx(NOW + wait, abs=1)
    assert not limits.admit_request(NOW + wait - 1, model="m", tokens=300).admitted
    assert limits.admit_request(NOW + wait, model="m", tokens=300).admitted


async def test_the_tokens_of_a_request_are_a_quarter_of_its_bytes(new_client: NewClient) -> None:
    async with Emulator(tier=Tier(100, tokens_per_minute=1000), clock=lambda: NOW) as gradient:
        client = new_client(gradient)
        response = await client.ask("x" * 2000)
    assert 400 < int(response.headers["x-ratelimit-remaining-tokens-per-minute"]) < 500
