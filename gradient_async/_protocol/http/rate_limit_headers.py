"""Response headers: rate limits, ``Retry-After``, the date and the request id.

Contract: pure; a header that is missing, malformed or absurd yields None, never an error. Counts below zero are 0. No
number is larger than the limits below, so that those who calculate with it need no checks of their own.

Source: section "Rate Limit" of the inference overview; RFC 9110 for ``Date`` and ``Retry-After``; LiteLLM's proxy,
which hands the headers of its provider on under names of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any

from gradient_async.models import RateLimitInfo

_MAX_COUNT = 10**12
_MAX_EPOCH = 1e13
"""The year 2286 in milliseconds, which some services send in place of seconds."""
_MAX_DELAY = 365 * 86_400.0
_MAX_DIGITS = 12
_RENAMED_RETRY_AFTER = "llm_provider-retry-after"
_NO_QUOTAS: dict[str, Any] = {}


def parse_rate_limits(headers: Mapping[str, str], *, now: float, status: int = 200) -> RateLimitInfo:
    """Parse the rate-limit headers of a response.

    Args:
        headers: Response headers; names are case-insensitive.
        now: Epoch seconds on the caller's clock, used when the response has no ``Date``.
        status: The HTTP status; only errors are searched for a ``Retry-After`` that a proxy has renamed.
    """
    get = headers.get
    date, retry_after = parse_http_date(get("Date")), get("Retry-After")
    if retry_after is None and status >= 400:
        retry_after = get(_RENAMED_RETRY_AFTER)
    return RateLimitInfo(
        limit=_parse_count(get("ratelimit-limit")),
        remaining=_parse_count(get("ratelimit-remaining")),
        reset=_parse_number(get("ratelimit-reset")),
        retry_after=parse_retry_after(retry_after, now=now if date is None else date) if retry_after else None,
        date=date,
        **_parse_quotas(headers),
    )


def parse_retry_after(value: str | None, *, now: float) -> float | None:
    """Return the seconds to wait that a ``Retry-After`` header asks for, None if it is missing or malformed.

    A longer wait than a year is a year.

    Args:
        value: Seconds (a decimal fraction is accepted) or an HTTP date.
        now: Epoch seconds on the service's clock, to which a date is relative.
    """
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        date = parse_http_date(value)
        return None if date is None else min(max(date - now, 0.0), _MAX_DELAY)
    return min(seconds, _MAX_DELAY) if math.isfinite(seconds) and seconds >= 0 else None


@lru_cache(maxsize=64)  # every response has a Date, which changes once a second
def parse_http_date(value: str | None) -> float | None:
    """Return an HTTP date in epoch seconds, None if it is missing or malformed. A date without a zone is in GMT."""
    if not value:
        return None
    try:
        date = parsedate_to_datetime(value)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def get_request_id(headers: Mapping[str, str]) -> str | None:
    """Return the service's id of the request, or else the one of the CDN in front of it."""
    return headers.get("x-request-id") or headers.get("cf-ray")


def _parse_quotas(headers: Mapping[str, str]) -> dict[str, Any]:
    """Return the quotas of a model by field. Hot: most services state none."""
    for marker in _QUOTA_MARKERS:
        if marker in headers:
            return {field: parse(headers[name]) for field, name, parse in _QUOTA_HEADERS if name in headers}
    return _NO_QUOTAS


def _parse_number(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        number = float(text)
    except ValueError:
        return None
    return number if abs(number) <= _MAX_EPOCH else None  # False for nan


def _parse_count(text: str | None) -> int | None:
    """Return a count, 0 for a negative one: some services count on below zero."""
    if text is None:
        return None
    if text.isdecimal() and len(text) <= _MAX_DIGITS:
        return int(text)
    number = _parse_number(text)
    return None if number is None or number > _MAX_COUNT else max(0, int(number))


_QUOTA_HEADERS: list[tuple[str, str, Callable[[str], Any]]] = [
    (f"{kind}_{quota.replace('-', '_')}", f"x-ratelimit-{kind}-{quota}", parse)
    for quota in ("requests", "tokens-per-minute", "tokens-per-day")
    for kind, parse in (("limit", _parse_count), ("remaining", _parse_count), ("reset", _parse_number))
]
"""Field of `RateLimitInfo`, header and parser of each quota of a tier."""
_QUOTA_MARKERS = [name for _, name, parse in _QUOTA_HEADERS if parse is _parse_count]
"""Each quota of a model has one of these headers; a response without any needs no further look-up."""
