"""Counts by model, and the last minutes."""

from __future__ import annotations

from gradient_async.gateway.prometheus import format_metrics
from gradient_async.gateway.statistics import (
    BUCKET_SECONDS,
    BUCKETS,
    MAX_MODELS,
    NO_MODEL,
    OTHER_MODELS,
    FinishedRequest,
    Statistics,
)
from gradient_async.gateway.usage_finder import TokenUsage


def run_request(statistics: Statistics, now: float, status: int = 200, model: str | None = "m") -> None:
    statistics.begin_request(now)
    usage = TokenUsage(3, 4) if status == 200 else TokenUsage()
    statistics.end_request(now, FinishedRequest(model=model, status=status, seconds=2.0, limiter_wait=0.5, usage=usage))


def test_requests_count_by_model() -> None:
    statistics = Statistics()
    for status in (200, 200, 429, 499):
        run_request(statistics, 0.0, status)
    run_request(statistics, 0.0, model=None)
    counts = statistics.models["m"]
    assert (counts.requests, counts.errors, counts.input_tokens, counts.output_tokens) == (4, 2, 6, 8)
    assert (counts.seconds, counts.limiter_wait) == (8.0, 2.0)
    assert statistics.models[NO_MODEL].requests == 1


def test_callers_cannot_fill_the_memory_with_names() -> None:
    statistics = Statistics()
    for number in range(3 * MAX_MODELS):
        run_request(statistics, 0.0, model=f"{number}{'x' * 1000}")
    assert len(statistics.models) == MAX_MODELS + 1
    assert statistics.models[OTHER_MODELS].requests == 2 * MAX_MODELS
    assert max(map(len, statistics.models)) <= 100


def test_the_history_has_a_bucket_for_quiet_seconds_too() -> None:
    statistics = Statistics()
    run_request(statistics, 100.0)
    run_request(statistics, 101.0, 500)
    run_request(statistics, 100.0 + 3 * BUCKET_SECONDS)
    history = statistics.list_history(100.0 + 3 * BUCKET_SECONDS)
    assert len(history) == BUCKETS
    assert [(bucket.requests, bucket.errors, bucket.tokens) for bucket in history[-4:]] == [
        (2, 1, 7),
        (0, 0, 0),
        (0, 0, 0),
        (1, 0, 7),
    ]


def test_the_history_ends() -> None:
    statistics = Statistics()
    for number in range(3 * BUCKETS):
        run_request(statistics, number * BUCKET_SECONDS)
    assert len(statistics.history) == BUCKETS
    assert sum(bucket.requests for bucket in statistics.list_history(1e6)) == 0


def test_a_bucket_knows_the_most_requests_at_once() -> None:
    statistics = Statistics()
    for _ in range(3):
        statistics.begin_request(0.0)
    statistics.end_request(1.0, FinishedRequest(model="m", status=200, seconds=1.0))
    assert statistics.list_history(1.0)[-1].peak == 3
    assert statistics.running == 2


def test_metrics_escape_the_names_of_models() -> None:
    statistics = Statistics()
    run_request(statistics, 0.0, model='a"b\\c\nd')
    lines = format_metrics(statistics, None).splitlines()
    assert 'gradient_proxy_requests_total{model="a\\"b\\\\c\\nd",status="200"} 1' in lines
    assert 'gradient_proxy_tokens_total{model="a\\"b\\\\c\\nd",direction="output"} 4' in lines
    assert "gradient_proxy_running 0" in lines
