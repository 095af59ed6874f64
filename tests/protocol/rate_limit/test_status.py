"""The state of a limiter as a value."""

from typing import Any

import pytest

from gradient_async._protocol.rate_limit.status import LimiterStatus, QuotaStatus, WindowStatus


def window_free_at(at: float) -> WindowStatus:
    return WindowStatus(capacity=250, period=60.0, used=250, foreign=0, next_free_at=at)


def quota_free_at(at: float) -> QuotaStatus:
    return QuotaStatus(kind="tokens per day", limit=9, period=86_400.0, free=0, next_free_at=at)


@pytest.mark.parametrize(
    ("facts", "delay"),
    [
        ({}, (0.0, "")),
        ({"windows": (window_free_at(10.0),)}, (0.0, "")),
        ({"windows": (window_free_at(51.0),)}, (41.0, "250 in 60 s")),
        ({"windows": (window_free_at(51.0),), "paused_until": 51.0}, (41.0, "paused by the service")),
        ({"windows": (window_free_at(51.0),), "quotas": (quota_free_at(60.0),)}, (50.0, "9 tokens in 86400 s")),
        ({"quotas": (quota_free_at(60.0),), "model_paused_until": 70.0}, (60.0, "paused by the service")),
    ],
)
def test_the_delay_is_that_of_the_limit_that_lasts_longest(facts: dict[str, Any], delay: tuple[float, str]) -> None:
    assert LimiterStatus(**{"windows": (), "now": 10.0, **facts}).find_delay() == delay
