"""The headers of a response: rate limits, request id, date."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any

from gradient_async.models import RateLimitInfo

_LONGEST_COUNT = 18


@lru_cache(maxsize=64)  # every answer carries one, and it changes once a second
def parse_http_date(value: str | None) -> float | None:
    """Return an HTTP date in epoch seconds, None if it is not one; one that names no zone is in GMT."""
    if not value:
        return None
    try:
        date = parsedate_to_datetime(value)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def parse_retry_after(value: str | None, *, now: float) -> float | None:
    """Return the seconds a ``Retry-After`` header asks for, None if it asks for nothing usable.

    Args:
        value: Seconds, whole or not, or an HTTP date.
        now: The service's clock in epoch seconds, for a date.
    """
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        date = parse_http_date(value)
        return None if date is None else max(date - now, 0.0)
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def parse_rate_limits(headers: Mapping[str, str], *, now: float) -> RateLimitInfo:
    """Return what the rate-limit headers say.

    Args:
        headers: Response headers; their names match whatever the case.
        now: The caller's clock in epoch seconds, for when the response carries no date.
    """
    get = headers.get
    date, retry_after = parse_http_date(get("Date")), get("Retry-After")
    return RateLimitInfo(
        limit=_parse_integer(get("ratelimit-limit")),
        remaining=_parse_integer(get("ratelimit-remaining")),
        reset=_parse_number(get("ratelimit-reset")),
        retry_after=parse_retry_after(retry_after, now=now if date is None else date) if retry_after else None,
        date=date,
        **_parse_quotas(headers) if _TIER_MARK in headers or _OTHER_TIER_MARK in headers else _NO_QUOTAS,
    )


def _parse_quotas(headers: Mapping[str, str]) -> dict[str, Any]:
    return {field: read(headers[name]) for field, name, read in _TIER_HEADERS if name in headers}


def _parse_number(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _parse_integer(text: str | None) -> int | None:
    if text is None:
        return None
    if text.isdecimal() and len(text) <= _LONGEST_COUNT:
        return int(text)
    number = _parse_number(text)
    return None if number is None else max(0, int(number))  # some services count on below zero


_Header = tuple[str, str, Callable[[str], Any]]


_TIER_MARK, _OTHER_TIER_MARK = "x-ratelimit-remaining-requests", "x-ratelimit-limit-tokens-per-minute"


_NO_QUOTAS: dict[str, Any] = {}


_TIER_HEADERS: list[_Header] = [
    (f"{what}_{quota.replace('-', '_')}", f"x-ratelimit-{what}-{quota}", read)
    for quota in ("requests", "tokens-per-minute", "tokens-per-day")
    for what, read in (("limit", _parse_integer), ("remaining", _parse_integer), ("reset", _parse_number))
]


def get_request_id(headers: Mapping[str, str]) -> str | None:
    """Return the service's id of the request."""
    return headers.get("x-request-id") or headers.get("cf-ray")
