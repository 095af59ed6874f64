"""The ``x-ratelimit-*`` quotas of a model in the headers of a response, and who is bound by a refusal.

Contract: pure; ``server_now`` is in epoch seconds on the service's clock.

Source: the service's description of these headers. A success carries the triplets (limit, remaining, reset) of
requests and tokens per minute and of tokens per day; a refusal carries only that of the quota that refused. Any subset
is read. Its advice on refusals: wait until the soonest reset that is not zero, and a second at least.
"""

from __future__ import annotations

import math

from gradient_async.models.response_meta import RateLimitInfo

__all__ = [
    "PERIODS",
    "REQUESTS",
    "Triplet",
    "describe_refusal",
    "find_bound",
    "find_refusal_wait",
    "find_soonest_reset",
    "list_triplets",
    "states_quota",
]

REQUESTS, _TOKENS_PER_MINUTE, _TOKENS_PER_DAY = "requests", "tokens per minute", "tokens per day"
PERIODS = {REQUESTS: 60.0, _TOKENS_PER_MINUTE: 60.0, _TOKENS_PER_DAY: 86_400.0}
"""Seconds in which each quota is refilled, by its kind."""
_KEY = "key"
_LONGEST_WAIT = 86_400.0
"""Seconds: the longest period of a quota. A reset beyond it is on an unknown clock."""
_SHORTEST_WAIT = 1.0
"""Seconds: the service truncates a reset, so that it may be in the past when it arrives."""


class Triplet:
    """One quota as headers state it; None for a header that is absent.

    Attributes:
        kind: Name of the quota, a key of `PERIODS`, or ``"key"``.
        limit: Requests or tokens of a full quota.
        remaining: Those that are left.
        reset: The time when it is full again, in epoch seconds.
    """

    __slots__ = ("kind", "limit", "remaining", "reset")

    def __init__(self, kind: str, limit: int | None, remaining: int | None, reset: float | None) -> None:
        self.kind = kind
        self.limit = limit
        self.remaining = remaining
        self.reset = reset


def states_quota(info: RateLimitInfo) -> bool:
    """Whether the headers of a response state a quota of a model. Hot: every response."""
    return not (
        info.remaining_requests is None
        and info.limit_requests is None
        and info.remaining_tokens_per_minute is None
        and info.limit_tokens_per_minute is None
        and info.remaining_tokens_per_day is None
        and info.limit_tokens_per_day is None
    )


def list_triplets(info: RateLimitInfo) -> list[Triplet]:
    """Return the quotas of a model that the headers of a response state."""
    triplets = (
        Triplet(REQUESTS, info.limit_requests, info.remaining_requests, info.reset_requests),
        Triplet(
            _TOKENS_PER_MINUTE,
            info.limit_tokens_per_minute,
            info.remaining_tokens_per_minute,
            info.reset_tokens_per_minute,
        ),
        Triplet(_TOKENS_PER_DAY, info.limit_tokens_per_day, info.remaining_tokens_per_day, info.reset_tokens_per_day),
    )
    return [each for each in triplets if (each.limit, each.remaining, each.reset) != (None, None, None)]


def find_bound(info: RateLimitInfo) -> tuple[bool, bool]:
    """Return whether a refusal with these headers binds the key, and whether it binds the model."""
    triplets = list_triplets(info)
    key_is_empty = info.remaining == 0
    model_is_empty = any(triplet.remaining == 0 for triplet in triplets)
    binds_model = bool(triplets) and (model_is_empty or not key_is_empty)
    return key_is_empty or not binds_model, binds_model


def find_refusal_wait(info: RateLimitInfo, server_now: float) -> float:
    """Return the seconds that a refusal by a quota of a model states, 0.0 if it states none.

    ``retry-after`` precedes; else the latest reset of the quotas that are empty; else the soonest reset.
    """
    if info.retry_after is not None and info.retry_after > 0:
        return min(info.retry_after, _LONGEST_WAIT)
    triplets = list_triplets(info)
    empty = [each.reset - server_now for each in triplets if each.remaining == 0 and each.reset]
    waits = [wait for wait in empty if wait > 0]
    if not waits and not empty:
        ahead = [each.reset - server_now for each in triplets if each.reset and each.reset > server_now]
        waits = [min(ahead)] if ahead else []
    return min(max(waits, default=0.0), _LONGEST_WAIT)


def find_soonest_reset(info: RateLimitInfo, server_now: float) -> float | None:
    """Return the seconds until the soonest reset of a quota that may have refused, at least 1; None if none is stated.

    The reset of a quota that is not known to be empty counts only if none of an empty one is stated, and that of the
    key only if nothing of it is left: it is stated with every response.
    """
    triplets = list_triplets(info)
    if info.remaining is not None or info.reset is not None:
        triplets.append(Triplet(_KEY, info.limit, info.remaining, info.reset))
    empty = [triplet.reset for triplet in triplets if triplet.reset and triplet.remaining == 0]
    others = [
        triplet.reset for triplet in triplets if triplet.reset and (triplet.kind != _KEY or not triplet.remaining)
    ]
    resets = empty or others
    return max(min(resets) - server_now, _SHORTEST_WAIT) if resets else None


def describe_refusal(info: RateLimitInfo, server_now: float) -> str:
    """Return the quotas that may have refused as text, with their numbers; empty if the headers state none.

    These are the empty ones, else those of the model, else that of the key, as
    ``0 of 120 requests per minute left for this model, reset in 41 s``.
    """
    triplets = list_triplets(info)
    key = Triplet(_KEY, info.limit, info.remaining, info.reset)
    empty = [triplet for triplet in (*triplets, key) if triplet.remaining == 0]
    return "; ".join(filter(None, (_describe_triplet(each, server_now) for each in empty or triplets or [key])))


def _describe_triplet(triplet: Triplet, server_now: float) -> str:
    """Return the numbers of a quota, empty if neither limit nor remainder is stated."""
    kind, limit, remaining, reset = triplet.kind, triplet.limit, triplet.remaining, triplet.reset
    unit = {_KEY: "requests", REQUESTS: "requests per minute"}.get(kind, kind)
    if limit is None and remaining is None:
        return ""
    numbers = f"limit of {limit} {unit}" if remaining is None else f"{remaining} {unit} left"
    if limit is not None and remaining is not None:
        numbers = f"{remaining} of {limit} {unit} left"
    wait = reset - server_now if reset else 0.0
    known_wait = f", reset in {math.ceil(wait)} s" if 0 < wait <= _LONGEST_WAIT else ""
    return f"{numbers} for this {_KEY if kind == _KEY else 'model'}{known_wait}"
