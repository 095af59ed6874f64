"""The live page of the gateway, and the JSON that feeds it.

Contract: pure, apart from reading the page that is part of this package. Neither shows a prompt, a key or a token.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Any

import attrs

from gradient_async._protocol.rate_limit.status import LimiterStatus, QuotaStatus, WindowStatus
from gradient_async.gateway.statistics import BUCKET_SECONDS, ModelCounts, Statistics

PAGE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}
_WINDOW_FIELDS = ("period", "capacity", "used", "foreign")
_QUOTA_FIELDS = ("kind", "limit", "free")


@cache
def read_page() -> bytes:
    """Return the page, which is one file without any other."""
    return files(__package__).joinpath("page.html").read_bytes()


def build_status(
    statistics: Statistics,
    status: LimiterStatus | None,
    now: float,
    *,
    quotas: Iterable[LimiterStatus] = (),
    draining: bool = False,
) -> dict[str, Any]:
    """Return the contents of the page as JSON values.

    Args:
        statistics: The counts.
        status: The state of the limiter; None without one.
        now: The time on the clock of the statistics.
        quotas: The state of the limiter for each model.
        draining: Whether the gateway is stopping.
    """
    return {
        "draining": draining,
        "running": statistics.running,
        "queued": 0 if status is None else status.queued,
        "paused": 0.0 if status is None or status.paused_until is None else status.paused_until - status.now,
        "windows": [] if status is None else _list_windows(status),
        "quotas": [entry for model in quotas for entry in _list_quotas(model)],
        "models": [_describe_model(name, counts) for name, counts in statistics.models.items()],
        "bucket_seconds": BUCKET_SECONDS,
        "history": [
            attrs.asdict(bucket, filter=lambda field, _: field.name != "number")
            for bucket in statistics.list_history(now)
        ],
    }


def _list_windows(status: LimiterStatus) -> list[dict[str, Any]]:
    return [_describe_limit(window, _WINDOW_FIELDS, status.now) for window in status.windows]


def _list_quotas(status: LimiterStatus) -> list[dict[str, Any]]:
    return [{"model": status.model} | _describe_limit(quota, _QUOTA_FIELDS, status.now) for quota in status.quotas]


def _describe_limit(limit: WindowStatus | QuotaStatus, fields: Iterable[str], now: float) -> dict[str, Any]:
    """Return *fields* of a window or a quota, and the seconds until it admits a request."""
    return {name: getattr(limit, name) for name in fields} | {"next_free": max(0.0, limit.next_free_at - now)}


def _describe_model(name: str, counts: ModelCounts) -> dict[str, Any]:
    return {
        "model": name,
        "requests": counts.requests,
        "errors": {str(code): count for code, count in sorted(counts.statuses.items()) if code >= 400},
        "input_tokens": counts.input_tokens,
        "output_tokens": counts.output_tokens,
        "mean_seconds": counts.seconds / counts.requests if counts.requests else 0.0,
        "mean_wait": counts.limiter_wait / counts.requests if counts.requests else 0.0,
    }
